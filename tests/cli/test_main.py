"""Rules that hold for every command."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mcp_cxr
from tests.cli.test_surface import COMMANDS
from tests.server.archives import environment, write_small_images

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.server.archives import Ingested

SCRIPT = Path(sys.executable).with_name("mcp-cxr")
IMAGES = 200
FOUND = f"Found {IMAGES} DICOM files\n"


def test_words_without_quotes_are_refused_with_what_to_do(run: Command):
    done = run("search", "left", "effusion")
    assert done.code == 2
    assert "(effusion). Put quotes around a value that has blanks. See `mcp-cxr search --help`." in done.err


def test_help_lists_every_command(run: Command):
    done = run("--help")
    assert (done.code, done.err) == (0, "")
    assert sorted(re.findall(r"^  (\w[\w-]*)  ", done.out, re.MULTILINE)) == sorted(COMMANDS)


@pytest.mark.parametrize(
    "command", [*COMMANDS, "table create", "table drop", "table stats", "table verify"], ids=lambda command: command
)
def test_every_command_has_help(run: Command, command: str):
    done = run(*command.split(), "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: mcp-cxr {command} ")


def test_without_a_command_the_help_is_shown(run: Command):
    done = run()
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: mcp-cxr [OPTIONS] COMMAND")


def test_an_unknown_command_is_wrong_use(run: Command):
    done = run("serch")
    assert done.code == 2
    assert "serch" in done.error


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("MCP_CXR_SHAER", "reports", "Error: Unknown variable MCP_CXR_SHAER; did you mean MCP_CXR_SHARE?"),
        ("MCP_CXR_EMBEDDER", "clip", "Error: MCP_CXR_EMBEDDER must be nvclip, local or offline"),
        ("NVCLIP_IMAGE_SIZE", "huge", "Error: NVCLIP_IMAGE_SIZE must be a valid integer"),
    ],
)
@pytest.mark.parametrize("argv", [["serve"], ["search", "effusion"], ["table", "stats"], ["doctor"]], ids=" ".join)
def test_an_invalid_variable_stops_every_command(
    run: Command, monkeypatch: pytest.MonkeyPatch, argv: list[str], name: str, value: str, line: str
):
    monkeypatch.setenv(name, value)
    done = run(*argv)
    assert done.code == 2
    assert done.error.startswith(line)


def test_a_misspelled_nvclip_variable_brings_a_warning(on_demo: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NVCLIP_BASEURL", "http://localhost:8002/v1")
    done = on_demo("table", "stats")
    assert done.code == 0
    assert done.err.startswith("Warning: NVCLIP_BASEURL is not a variable of mcp-cxr; did you mean NVCLIP_BASE_URL?")


def test_the_installed_script_runs_this_package(demo: Ingested):
    version = subprocess.run([SCRIPT, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout == f"mcp-cxr, version {mcp_cxr.__version__}\n"
    stats = subprocess.run(
        [SCRIPT, "table", "stats", "--json"], capture_output=True, check=True, env={**os.environ, **demo.environment}
    )
    assert json.loads(stats.stdout)["images"] == len(demo.drawn.images)


def test_a_closed_stdout_causes_no_traceback(demo: Ingested):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "mcp_cxr", "table", "stats"]
    try:
        done = subprocess.run(
            command, stdout=write, stderr=subprocess.PIPE, check=False, env={**os.environ, **demo.environment}
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_ingest_finishes_its_batch_and_the_next_run_continues(
    on_new: Command, tmp_path: Path, number: signal.Signals
):
    write_small_images(tmp_path / "images", IMAGES)
    with subprocess.Popen(
        [sys.executable, "-m", "mcp_cxr", "ingest", tmp_path / "images", "--batch-size", "2", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment(tmp_path / "data")},
    ) as process:
        assert process.stderr
        while (line := process.stderr.readline()) != FOUND:
            assert line, "it ended before it began"
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    summary = json.loads(out)
    assert summary["next"] == "Interrupted. Run the same command again to continue."
    assert summary["remaining"] is None or summary["remaining"] > 0
    assert "Stopping after the current batch; a second Ctrl-C or signal stops at once." in err
    rest = on_new("ingest", tmp_path / "images", "--json").json
    assert (rest["skipped"], rest["total_in_store"]) == (summary["added"], IMAGES)
    assert rest["added"] == IMAGES - summary["added"]


@pytest.mark.parametrize("option", ["--patient", "--accession"])
def test_a_pull_for_an_empty_id_is_refused(run: Command, option: str):
    """A script whose variable is not set must not pull everything."""
    done = run("pull", "http://127.0.0.1:1/dicom-web", option, " ")
    assert (done.code, done.out, done.err) == (2, "", f"Error: {option} is empty: name an id, or leave it out.\n")


@pytest.mark.parametrize(
    ("command", "first", "second"),
    [
        (("check-data",), "--csv", "--html"),
        (("evaluate",), "--save", "--html"),
        (("cohort", "export", "all"), "--csv", "--jsonl"),
        (("probe", "scores"), "--csv", None),
        (("search", "edema"), "--csv", None),
        (("show", "ID"), "--png", None),
        (("ingest", "."), "--outcomes", None),
    ],
)
def test_output_files_are_checked_before_the_work(
    run: Command, tmp_path: Path, command: tuple[str, ...], first: str, second: str | None
):
    done = run(*command, first, tmp_path / "none" / "out")
    message = f"Error: {first}: there is no folder {tmp_path / 'none'}. Create it, or name another file.\n"
    assert (done.code, done.out, done.err) == (2, "", message)
    if second:
        twice = run(*command, first, tmp_path / "out", second, tmp_path / "." / "out")
        assert twice.err == f"Error: {first} and {second} name the same file; name two.\n"
