"""mcp-cxr table create | drop | stats | verify."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import SMALL, at_a_terminal, set_environment, told_by_tool
from tests.server.archives import environment
from tests.support.archives import rows
from tests.support.iris import plain_server, variables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command
    from tests.server.archives import Ingested

MADE = """VectorSearch schema created (or exists)
MIMICCXRImages table {}
Indexes created (StudyID, SubjectID, ViewPosition)
"""


@pytest.fixture(params=["embedded", "iris"])
def on_any(request: pytest.FixtureRequest, on_new: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a function that runs a command on an archive of either store that does not exist yet."""
    if request.param == "iris":
        set_environment(monkeypatch, variables(plain_server()))
    return on_new


def test_create_creates_the_table_once(on_any: Command):
    assert on_any("table", "create").out == MADE.format("created successfully")
    again = on_any("table", "create")
    assert (again.code, again.out) == (0, MADE.format("already exists"))
    assert on_any("table", "stats", "--json").json["images"] == 0


def test_stats_counts_images_and_shows_five_samples(on_demo: Command, demo: Ingested):
    done = on_demo("table", "stats")
    images = demo.drawn.images
    lines = done.out.splitlines()
    assert done.code == 0
    assert lines[0] == f"Total images in database: {len(images)}"
    assert lines[1] == "By view position:"
    assert f"  AP: {sum(image.view == 'AP' for image in images)}" in lines
    assert f"Unique patients: {len({image.subject_id for image in images})}" in lines
    samples = lines[lines.index("Sample images:") + 1 :]
    assert len(samples) == 5
    assert {sample.split()[0] for sample in samples} <= {image.image_id for image in images}


def test_stats_as_json_equals_the_tool_s_result(on_demo: Command, demo: Ingested):
    assert on_demo("table", "stats", "--json").json == told_by_tool(demo, "get_archive_overview")


def test_verify_finds_no_problem_in_an_intact_archive(on_demo: Command, demo: Ingested):
    done = on_demo("table", "verify", "--json")
    assert done.code == 0
    assert done.json == {
        "images": len(demo.drawn.images),
        "problems": {
            "zero": 0,
            "constant": 0,
            "not finite": 0,
            "wrong dimension": 0,
            "duplicate vector": 0,
            "orphaned": 0,
            "study without images": 0,
            "file changed": 0,
            "file gone": 0,
            "refused by newer rules": 0,
            "read differently by newer rules": 0,
            "root gone": 0,
            "external": 0,
            "reports read by an older version": 0,
        },
    }


def test_verify_finds_a_missing_and_a_changed_file(on_any: Command, image_dir: Path):
    on_any("ingest", image_dir)
    first, second, *_ = sorted(image_dir.rglob("*.dcm"))
    first.unlink()
    second.write_bytes(b"other")
    done = on_any("table", "verify")
    assert done.code == 1
    assert f"Images: {SMALL}\n" in done.out
    assert f"  file changed: 1\n    {second}\n  file gone: 1\n    {first}\n" in done.out
    assert done.err.endswith(
        "file gone: mount the folder, or ingest the files where they are now.\n"
        "2 problems. Run `mcp-cxr table verify --repair`.\n"
    )


def test_repair_corrects_what_it_can_and_counts_the_rest(on_new: Command, image_dir: Path, tmp_path: Path):
    on_new("ingest", image_dir)
    first, *_ = sorted(image_dir.rglob("*.dcm"))
    first.unlink()
    rows(tmp_path / "data", "UPDATE vectors SET vector = zeroblob(length(vector)) WHERE slot > 2")
    done = on_new("table", "verify", "--repair")
    assert done.code == 1
    assert f"  vector of zeros: 0 ({SMALL - 2} repaired)\n" in done.out
    assert "  file gone: 1\n" in done.out
    assert done.err.endswith("file gone: mount the folder, or ingest the files where they are now.\n")
    again = on_new("table", "verify", "--repair", "--json").json
    assert (again["problems"]["zero"], again["problems"]["file gone"]) == (0, 1)
    assert not any(again["repaired"].values())


def test_drop_needs_force(on_demo: Command, demo: Ingested):
    done = on_demo("table", "drop")
    assert done.code == 2
    assert "add --force" in done.error
    assert on_demo("table", "stats", "--json").json["images"] == len(demo.drawn.images)


def test_drop_needs_a_terminal(on_new: Command, image_dir: Path, monkeypatch: pytest.MonkeyPatch):
    on_new("ingest", image_dir)
    with open(os.devnull) as nothing:  # noqa: PTH123 - a device, not a path
        monkeypatch.setattr(sys, "stdin", nothing)
        done = on_new("table", "drop", "--force")
    assert done.code == 2
    assert "run it in a terminal" in done.error
    assert on_new("table", "stats", "--json").json["images"] == SMALL


@pytest.mark.parametrize(("typed", "code", "left"), [("no", 1, SMALL), ("y", 1, SMALL), ("", 1, SMALL), ("yes", 0, 0)])
def test_drop_needs_a_typed_yes(on_any: Command, image_dir: Path, tmp_path: Path, typed: str, code: int, left: int):
    on_any("ingest", image_dir)
    done = at_a_terminal(["table", "drop", "--force"], typed, environment(tmp_path / "data"))
    assert done.returncode == code
    assert f"This removes {SMALL} images from the archive. Type yes to continue: " in done.stderr
    assert ("MIMICCXRImages table dropped" in done.stdout) is (typed == "yes")
    on_any("table", "create")
    assert on_any("table", "stats", "--json").json["images"] == left
    assert len(list(image_dir.rglob("*.dcm"))) == SMALL


def test_dropping_a_missing_table_succeeds(on_any: Command):
    done = on_any("table", "drop", "--force")
    assert (done.code, done.out) == (0, "MIMICCXRImages table does not exist\n")


def test_an_archive_of_another_version_can_be_dropped(on_new: Command, image_dir: Path, tmp_path: Path):
    on_new("ingest", image_dir)
    rows(tmp_path / "data", "PRAGMA user_version = 77")
    refused = on_new("table", "stats")
    assert refused.code == 1
    assert "table drop --force" in refused.error
    done = at_a_terminal(["table", "drop", "--force"], "yes", environment(tmp_path / "data"))
    assert done.returncode == 0
    assert on_new("ingest", image_dir, "--json").json["added"] == SMALL


@pytest.mark.parametrize("is_created", [False, True])
def test_stats_of_an_empty_archive_are_zeros_the_roots_and_the_next_step(
    on_any: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_created: bool
):
    monkeypatch.setenv("MCP_CXR_ROOTS", str(tmp_path))
    if is_created:
        on_any("table", "create")
    done = on_any("table", "stats")
    assert done.code == 0
    assert done.out.splitlines()[0] == "Total images in database: 0"
    assert done.out.splitlines()[-2:] == ["Folders that may be ingested:", f"  {tmp_path}"]
    assert "mcp-cxr ingest PATH" in done.err
    counted = on_any("table", "stats", "--json").json
    assert (counted["images"], counted["roots"], counted["by_view"]) == (0, [str(tmp_path)], {})
