"""mcp-cxr check-data."""

from __future__ import annotations

import csv
import io
import stat
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.research.data_check import LIST_NAMES
from tests.cli.conftest import set_environment
from tests.server.archives import environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command
    from tests.server.archives import Ingested


@pytest.fixture
def on_copy(run: Command, demo: Ingested, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a function that runs a command on a copy of the demo's archive."""
    set_environment(monkeypatch, environment(demo.copied_to(tmp_path / "data").data_dir, roots=demo.drawn.folder))
    return run


def test_it_prints_each_list_or_why_it_was_not_made(on_copy: Command, tmp_path: Path) -> None:
    page, table = tmp_path / "page.html", tmp_path / "entries.csv"
    done = on_copy("check-data", "--html", page, "--csv", table)
    assert done.code == 0
    first, *_ = done.out.splitlines()
    assert "12 studies" in first
    assert [line for line in LIST_NAMES if f"[{line}]" not in done.out] == []
    assert "\n  not made: No label can be learned: each needs 50 images of 20 patients" in done.out
    assert "[duplicates]\n  0 found\n" in done.out
    assert f"Wrote {table}.\nWrote {page}.\nNothing was changed." in done.err
    assert {stat.S_IMODE(path.stat().st_mode) for path in (page, table)} == {0o600}
    assert "<h1>What may be wrong in the data</h1>" in page.read_text()
    again = on_copy("check-data", "--last", "--json")
    assert [one["name"] for one in again.json["lists"]] == list(LIST_NAMES)


def test_one_list_can_be_made_alone_and_kept_short(on_copy: Command, tmp_path: Path) -> None:
    done = on_copy("check-data", "--only", "reports", "--only", "dates", "--json")
    assert [one["name"] for one in done.json["lists"]] == ["reports", "dates"]
    on_copy("check-data", "--last", "--csv", tmp_path / "entries.csv")
    header, *_ = csv.reader(io.StringIO((tmp_path / "entries.csv").read_text()))
    assert header[:4] == ["list", "decision", "decided_at", "image_ids"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--only", "label"), 2, "Unknown list 'label'. Known: labels, views, unknown_views, duplicates, outliers, "),
        (("--last",), 1, "The data of this archive was not checked yet. Run `mcp-cxr check-data`."),
        (("--last", "--only", "dates"), 2, "--last shows the last check as it is: leave out --only."),
        (("--most", "x"), 2, "Invalid value for '--most': 'x' is not a valid integer."),
        (("--most", "0"), 2, "Invalid value for '--most': 0 is not in the range x>=1."),
    ],
)
def test_wrong_use_is_one_line(on_new: Command, words: tuple[str, ...], code: int, message: str) -> None:
    done = on_new("check-data", *words)
    assert done.code == code
    assert message in done.error


def test_an_archive_without_images_is_told_apart_from_a_sound_one(on_new: Command) -> None:
    assert on_new("table", "create").code == 0
    done = on_new("check-data")
    assert done.code == 2
    assert done.out == ""
    assert done.err.endswith("Error: The archive has no images to check; ingest some.\n")


def test_a_page_that_cannot_be_written_is_named(on_copy: Command, tmp_path: Path) -> None:
    too_long = tmp_path / ("x" * 300)
    done = on_copy("check-data", "--only", "dates", "--csv", too_long)
    assert done.code == 2
    assert f"Cannot write {too_long}" in done.err
    assert "name another file, with --last" in done.err
