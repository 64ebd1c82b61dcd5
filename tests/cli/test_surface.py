"""The whole surface, compared with snapshots: a change must be intended, and needs a line in CHANGELOG."""

from __future__ import annotations

import difflib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from mcp_cxr.cli import cli
from mcp_cxr.settings import Settings, variables
from tests.cli.conftest import told_by_tool

if TYPE_CHECKING:
    from tests.cli.conftest import Command, Done
    from tests.server.archives import Ingested

SNAPSHOTS = Path(__file__).with_name("surface")
REFRESH = "REFRESH_SNAPSHOTS"
COMMANDS = [
    "serve",
    "chat",
    "ingest",
    "pull",
    "layout",
    "search",
    "show",
    "timeline",
    "cohort",
    "table",
    "forget",
    "check-data",
    "probe",
    "evaluate",
    "doctor",
    "model",
    "demo",
]
COHORT_COMMANDS = ["make", "list", "show", "export", "verify", "diff"]
MODEL_COMMANDS = ["check", "quantize"]
PROBE_COMMANDS = ["fit", "scores", "list"]
TABLE_COMMANDS = ["create", "drop", "stats", "verify", "index", "refused", "copy"]
_TIMES = ("execution_time_ms", "seconds", "images_per_second", "stages", "slowest_stage", "milliseconds")


def compare(name: str, found: str) -> None:
    """Fail if `found` differs from the snapshot of that name; write the snapshot first if REFRESH_SNAPSHOTS is set."""
    path = SNAPSHOTS / name
    if os.environ.get(REFRESH):
        path.write_text(found)
    kept = path.read_text()
    if found != kept:
        change = difflib.unified_diff(kept.splitlines(), found.splitlines(), name, "now", lineterm="", n=2)
        pytest.fail("\n".join([f"The surface changed. If that is intended, run once with {REFRESH}=1.", *change]))


def without_times(value: Any) -> Any:
    """Replace values that differ from run to run."""
    if isinstance(value, dict):
        return {name: "TIME" if name in _TIMES else without_times(one) for name, one in value.items()}
    return [without_times(one) for one in value] if isinstance(value, list) else value


def masked(text: str, demo: Ingested, data: Path | None = None) -> str:
    """Replace folders, times and rates."""
    text = text.replace(str(demo.drawn.folder), "FOLDER")
    text = text.replace(demo.environment["MCP_CXR_DATA_DIR"], "DATA")
    text = text.replace(str(data), "DATA") if data else text
    text = re.sub(r"\d+(\.\d+)?(?= (img/sec|images/s|ms|s)\b)", "N", text)
    return re.sub(r"(?<=Time elapsed: ).*|(?<=Slowest stage: ).*", "N", text)


def transcript(argv: list[str], done: Done) -> str:
    return f"$ mcp-cxr {' '.join(argv)}\n{done.out}--- stderr\n{done.err}--- exit {done.code}\n\n"


def test_help_of_every_command(run: Command):
    every = [[], *([name] for name in COMMANDS), *(["table", name] for name in TABLE_COMMANDS)]
    every += [["cohort", name] for name in COHORT_COMMANDS]
    every += [["model", name] for name in MODEL_COMMANDS] + [["probe", name] for name in PROBE_COMMANDS]
    compare("help.txt", "".join(transcript([*words, "--help"], run(*words, "--help")) for words in every))


def test_variables_and_defaults():
    described = variables()
    lines = [
        f"{field.validation_alias} | {'' if field.default_factory else field.default} | "
        f"{described[str(field.validation_alias)]}"
        for field in Settings.model_fields.values()
    ]
    compare("variables.txt", "\n".join(lines) + "\n")


def test_json_of_commands(on_demo: Command, demo: Ingested):
    first = min(image.image_id for image in demo.drawn.images)
    answers: dict[str, Any] = {}
    for argv in (
        ["search", "left pleural effusion", "--json"],
        ["search", "pacemaker", "--view", "FRONTAL", "--limit", "2", "--offset", "1", "--json"],
        ["search", "--label", "Cardiomegaly", "--no-label", "Pleural Effusion", "--json"],
        ["search", "--like", first, "--json"],
        ["search", "effusion", "--like", first, "--group", "none", "--json"],
        ["show", first, "--json"],
        ["timeline", first, "--json"],
        ["table", "stats", "--json"],
        ["table", "verify", "--json"],
        ["ingest", str(demo.drawn.folder), "--json"],
        ["ingest", str(demo.drawn.folder), "--dry-run", "--json"],
    ):
        done = on_demo(*argv)
        answers[masked(" ".join(argv), demo)] = {"exit": done.code, "out": without_times(done.json)}
    compare("commands.json", masked(json.dumps(answers, indent=1, ensure_ascii=False), demo) + "\n")


def test_answers_of_tools(demo: Ingested):
    first = min(image.image_id for image in demo.drawn.images)
    answers = {
        "search_medical_images": told_by_tool(demo, "search_medical_images", query="edema without effusion"),
        "search_medical_images by date": told_by_tool(demo, "search_medical_images", date_from="2100-01-01", limit=2),
        "get_image_metadata": told_by_tool(demo, "get_image_metadata", image_id=first),
        "get_archive_overview": told_by_tool(demo, "get_archive_overview"),
    }
    compare("tools.json", masked(json.dumps(without_times(answers), indent=1, ensure_ascii=False), demo) + "\n")


def test_lines_of_commands(on_new: Command, demo: Ingested, tmp_path: Path):
    first = min(image.image_id for image in demo.drawn.images)
    folder = str(demo.drawn.folder)
    lines = ""
    for argv in (
        ["table", "stats"],
        ["table", "create"],
        ["table", "create"],
        ["ingest", folder, "--limit", "3", "--dry-run"],
        ["ingest", folder, "--limit", "3"],
        ["ingest", folder],
        ["ingest", folder],
        ["table", "stats"],
        ["table", "verify"],
        ["search", "left pleural effusion"],
        ["search", "--label", "Cardiomegaly"],
        ["search", "--like", first],
        ["search", "zzzz"],
        ["search"],
        ["search", "effusion", "--limit", "101"],
        ["search", "effusion", "--view", "sideways"],
        ["search", "--from", "2100-02-01", "--to", "2100-01-01"],
        ["show", first],
        ["timeline", first],
        ["show", "no-such-image"],
        ["ingest", str(demo.drawn.folder / "missing")],
        ["ingest", str(tmp_path)],
        ["doctor"],
        ["forget", "--image", first],
        ["forget"],
        ["table", "drop"],
        ["table", "drop", "--force"],
        ["table", "copy", "--to", "iris"],
        ["evaluate", "--protocol", "nothing"],
        ["serch"],
    ):
        shown = [word.replace(folder, "FOLDER").replace(str(tmp_path), "TMP") for word in argv]
        lines += transcript(shown, on_new(*argv))
    compare("lines.txt", masked(lines.replace(str(tmp_path / "data"), "DATA").replace(str(tmp_path), "TMP"), demo))


def test_every_command_is_in_the_snapshots():
    assert {name for name, _ in _commands()} == set(COMMANDS)


def _commands() -> list[tuple[str, click.Command]]:
    context = click.Context(cli)
    return [(name, command) for name in cli.list_commands(context) if (command := cli.get_command(context, name))]
