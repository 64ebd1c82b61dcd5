"""mcp-cxr cohort."""

from __future__ import annotations

import csv
import io
import re
import stat
from typing import TYPE_CHECKING

from tests.cli.conftest import at_a_terminal, told_by_tool
from tests.server.archives import environment

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.cli.conftest import Command
    from tests.server.archives import Ingested


def test_a_cohort_is_made_shown_exported_and_verified(on_new: Command, image_dir: Path, tmp_path: Path) -> None:
    assert on_new("cohort", "list").err.startswith("No cohort yet")
    on_new("ingest", image_dir)
    made = on_new("cohort", "make", "all", "--split", "50/50", "--seed", "3", "--digests")
    assert made.code == 0
    assert "Note: Neither words nor filters were given: the cohort has all images of the archive.\n" in made.err
    assert [line.split() for line in made.out.splitlines()] == [
        ["images", "studies", "patients"],
        ["train", "4", "4", "4"],
        ["test", "4", "4", "4"],
        ["total", "8", "8", "8"],
    ]
    assert "One patient may be in two splits: no patient of the archive has two studies" in made.err
    assert on_new("cohort", "list").out == "all: 8 images (train 4, test 4); no words\n"
    shown = on_new("cohort", "show", "all")
    assert "split: 50/50\nseed: 3\n" in shown.out
    assert on_new("cohort", "show", "all", "--json").json["images"] == 8
    table, lines, links = tmp_path / "all.csv", tmp_path / "all.jsonl", tmp_path / "links"
    assert on_new("cohort", "export", "all", "--csv", table, "--jsonl", lines, "--links", links).code == 0
    rows = list(csv.DictReader(io.StringIO(table.read_text(), newline="")))
    assert sorted(row["path"] for row in rows) == sorted(map(str, image_dir.rglob("*.dcm")))
    assert stat.S_IMODE(table.stat().st_mode) == stat.S_IMODE(lines.stat().st_mode) == 0o600
    assert len(list(links.rglob("*.dcm"))) == 8
    assert on_new("cohort", "verify", "all", "--digests").code == 0
    next(image_dir.rglob("*.dcm")).unlink()
    verified = on_new("cohort", "verify", "all")
    assert verified.code == 1
    assert "  file gone: 1 (" in verified.out
    assert on_new("cohort", "make", "pa", "--view", "PA").code == 0
    differing = on_new("cohort", "diff", "all", "pa")
    assert differing.code == 1
    assert "split: 50/50 in all; none in pa" in differing.out


def test_errors_name_options_and_say_what_to_do(on_new: Command, image_dir: Path) -> None:
    on_new("ingest", image_dir)
    assert on_new("cohort", "make", "Bad").error.startswith("Error: A cohort's name has 1 to 40 characters")
    assert "Give the name, then the words." in on_new("cohort", "make", "pleural effusion").error
    assert "such as 70/10/20 or 80/20; 1/2 adds up to 3." in on_new("cohort", "make", "x", "--split", "1/2").error
    assert "or 80/20, not '0/100'." in on_new("cohort", "make", "x", "--split", "0/100").error
    assert "--per-subject must be 1 or more" in on_new("cohort", "make", "x", "--per-subject", "0").error
    assert "Leave out --balance" in on_new("cohort", "make", "x", "--balance", "Edema").error
    assert "There is no cohort x. Cohorts: none yet; make one" in on_new("cohort", "verify", "x").error
    assert "'left' matched nothing: add the finding" in on_new("cohort", "make", "x", "left").error
    assert "--csv FILE, --jsonl FILE or --links FOLDER" in on_new("cohort", "export", "x").error


def test_what_the_words_are_read_as_is_true_of_a_cohort(
    demo: Ingested, on_new: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCP_CXR_DATA_DIR", str(demo.copied_to(tmp_path / "copy").data_dir))
    made = on_new("cohort", "make", "first", "show 2 effusions, lateral view", "--view", "AP")
    assert "Read as: pleural effusion\n" in made.err
    assert "Note: 'LATERAL' was not applied: --view is given.\n" in made.err
    assert "Note: The number of results 2 was not applied: all images that match are selected.\n" in made.err
    assert re.search(r"Of the studies that pass the filters, \d+ match(es)?", made.err)
    denied = on_new("cohort", "make", "denied", "without pleural effusion").err
    assert re.search(r"the filters, \d+ match", denied)
    assert "note: 'LATERAL' was not applied: --view is given.\n" in on_new("cohort", "show", "first").out


def test_forget_names_the_cohorts_that_lose_images(on_new: Command, image_dir: Path, tmp_path: Path) -> None:
    on_new("ingest", image_dir)
    on_new("cohort", "make", "all")
    subject = on_new("search", "--view", "PA", "--limit", "1", "--json").json["images"][0]["subject_id"]
    done = at_a_terminal(["forget", "--subject", subject], "yes", environment(tmp_path / "data"))
    assert "They are also removed from these cohorts: all." in done.stderr
    assert "forgotten: 1 images were removed" in on_new("cohort", "show", "all").out
    assert on_new("cohort", "verify", "all").code == 0


def test_json_is_what_the_tool_returns(
    demo: Ingested, on_new: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = demo.copied_to(tmp_path / "copy")
    monkeypatch.setenv("MCP_CXR_DATA_DIR", str(copied.data_dir))
    made = on_new("cohort", "make", "effusion", "pleural effusion", "--matched", "part", "--json").json
    told = told_by_tool(copied, "make_cohort", name="told", query="pleural effusion", matched="part")
    assert told == {**made, "name": "told"}


def test_a_cohort_is_removed_after_a_typed_yes(on_new: Command, image_dir: Path, tmp_path: Path) -> None:
    on_new("ingest", image_dir)
    on_new("cohort", "make", "all")
    manifest = tmp_path / "data" / "cohorts" / "all.jsonl"
    assert "There is no cohort x. Cohorts: all." in on_new("cohort", "remove", "x").error
    declined = at_a_terminal(["cohort", "remove", "all"], "no", environment(tmp_path / "data"))
    assert "This removes cohort all; its images stay in the archive." in declined.stderr
    assert declined.returncode == 1
    assert manifest.exists()
    manifest.write_text("{")
    assert "all: damaged; remove it and make it again" in on_new("cohort", "list").out
    assert "Remove it with `mcp-cxr cohort remove all`" in on_new("cohort", "make", "all").error
    done = at_a_terminal(["cohort", "remove", "all"], "yes", environment(tmp_path / "data"))
    assert done.stdout.endswith("Cohort all was removed.\n")
    assert not manifest.exists()


def test_an_edited_manifest_is_named_wherever_it_is_read(on_new: Command, image_dir: Path, tmp_path: Path) -> None:
    on_new("ingest", image_dir)
    on_new("cohort", "make", "all")
    assert "changed" not in on_new("cohort", "show", "all").err
    manifest = tmp_path / "data" / "cohorts" / "all.jsonl"
    manifest.write_text(manifest.read_text().replace('"view":"PA"', '"view":"AP"'))
    for arguments in (("show", "all"), ("export", "all", "--csv", tmp_path / "all.csv")):
        assert "The manifest of cohort all was changed after the cohort was made" in on_new("cohort", *arguments).err
    assert on_new("cohort", "show", "all", "--json").json["is_as_written"] is False
