"""mcp-cxr ingest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import SMALL
from tests.server.archives import small_dicom, write_small_images

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

SUMMARY = (
    "found processed skipped recorded_bad other_file_same_id other_pixels_same_id added errors errors_by_reason "
    "would_add remaining studies_updated total_in_store seconds images_per_second stages slowest_stage next notes "
    "studies with companions unused warnings"
).split()

STAGES = ("walk", "known", "decode", "embed", "write")
STAGE_NAMES = ("listing", "header check", "decoding", "embedding", "writing")
RATE = r"[\d.]+"


def test_ingest_prints_the_lines_of_the_manual(on_new: Command, image_dir: Path):
    done = on_new("ingest", image_dir)
    assert done.code == 0
    assert re.fullmatch(
        rf"""Ingestion Complete!
  Time elapsed: \d+\.\d s
  Images processed: {SMALL}
  Skipped \(already exist\): 0
  Successfully added: {SMALL}
  Errors: 0
  Studies: {SMALL}, of these with report 0, labels 0, view {SMALL}, date 0, split 0
  Warning: No study has a report: a search by words finds only header fields\.
  Slowest stage: [\w ]+ \(files per second in each stage: {", ".join(rf"{stage} {RATE}" for stage in STAGE_NAMES)}\)
Total images in database: {SMALL}
""",
        done.out,
    )
    lines = done.err.splitlines()
    assert lines[:3] == ["Offline embedder initialized", "Scanning for DICOM files...", f"Found {SMALL} DICOM files"]
    assert re.fullmatch(rf"  {SMALL}/{SMALL}: Skipped 0, Added {SMALL}, Errors 0 \(\d+\.\d img/sec\)", lines[-2])
    assert lines[-1] == f"Recorded {image_dir} as a root of this archive: `serve` may now read its images."
    assert "as a root" not in on_new("ingest", image_dir).err


def test_a_second_run_adds_none(on_new: Command, image_dir: Path):
    on_new("ingest", image_dir)
    done = on_new("ingest", image_dir, "--json")
    assert done.code == 0
    assert list(done.json) == SUMMARY
    assert (done.json["skipped"], done.json["added"], done.json["total_in_store"]) == (SMALL, 0, SMALL)


def test_a_dry_run_lists_new_images_and_creates_nothing(on_new: Command, image_dir: Path, tmp_path: Path):
    done = on_new("ingest", image_dir, "--dry-run")
    lines = done.out.splitlines()
    assert done.code == 0
    assert lines[0] == "[DRY RUN] Would insert: 00000000-00000001-00000002-00000003-00000004 (PA)"
    assert len([line for line in lines if line.startswith("[DRY RUN] Would insert: ")]) == SMALL
    assert f"  Would insert: {SMALL}" in lines
    assert not (tmp_path / "data").exists()


def test_a_dry_run_in_json_prints_one_object(on_new: Command, image_dir: Path):
    done = on_new("ingest", image_dir, "--dry-run", "--json")
    assert (done.json["would_add"], done.json["total_in_store"]) == (SMALL, 0)
    assert done.err.count("[DRY RUN] Would insert: ") == SMALL


def test_limit_takes_the_first_files_including_stored_ones(on_new: Command, image_dir: Path):
    assert on_new("ingest", image_dir, "--limit", 3, "--json").json["added"] == 3
    again = on_new("ingest", image_dir, "--limit", 5, "--json").json
    assert (again["found"], again["skipped"], again["added"]) == (5, 3, 2)


def test_refused_files_are_counted_by_reason_and_do_not_fail_the_command(on_new: Command, image_dir: Path):
    (image_dir / "letter.dcm").write_text("Dear colleague,")
    (image_dir / "short.dcm").write_bytes(small_dicom(1)[:3000])
    (image_dir / "notes.txt").write_text("not an image, and not named like one")
    done = on_new("ingest", image_dir)
    assert done.code == 0
    assert "  Errors: 2\n" in done.out
    assert len(re.findall(r"^    \S.*: 1, for example /.*\.dcm$", done.out, re.MULTILINE)) == 2
    again = on_new("ingest", image_dir, "--json").json
    assert (again["found"], again["skipped"], again["recorded_bad"], again["errors"]) == (SMALL + 2, SMALL, 2, 0)
    done = on_new("ingest", image_dir)
    lines = done.out.splitlines()
    assert re.search(
        rf"  {SMALL + 2}/{SMALL + 2}: Skipped {SMALL}, Added 0, Errors 0, Recorded as bad before 2 ", done.err
    )
    assert "  Recorded as bad before: 2 (--retry-failed tries them again)" in lines
    retried = on_new("ingest", image_dir, "--retry-failed", "--json").json
    assert (retried["skipped"], retried["errors"]) == (SMALL, 2)


def test_outcomes_names_every_file_that_is_not_in_the_archive(on_new: Command, image_dir: Path, tmp_path: Path):
    (image_dir / "letter.dcm").write_text("Dear colleague,")
    first = min(image_dir.rglob("*.dcm"))
    table = tmp_path / "outcomes.csv"
    (image_dir / "zz_copy.dcm").write_bytes(small_dicom(1))
    (image_dir / "zz_twin.dcm").write_bytes(small_dicom(1))
    for word in ("refused", "recorded as bad before"):
        done = on_new("ingest", image_dir, "--outcomes", table)
        lines = table.read_text().splitlines()
        assert lines[0] == "path,outcome,reason"
        assert f"{image_dir / 'letter.dcm'},{word},not DICOM" in lines
        assert any("another file has the same id" in line for line in lines)
        assert not any(str(first) in line for line in lines)
        assert "  Left out, another file has the same id: 1" in done.out.splitlines()


def test_ingest_fails_if_no_file_is_readable(on_new: Command, tmp_path: Path):
    (tmp_path / "letter.dcm").write_text("Dear colleague,")
    done = on_new("ingest", tmp_path / "letter.dcm", "--json")
    assert done.code == 1
    assert (done.json["errors"], done.json["added"]) == (1, 0)
    again = on_new("ingest", tmp_path / "letter.dcm", "--json")
    assert (again.code, again.json["recorded_bad"], again.json["skipped"]) == (1, 1, 0)


def test_an_empty_folder_is_an_error_of_one_line(on_new: Command, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    done = on_new("ingest", tmp_path / "empty")
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[-1].startswith("Error: No DICOM, PNG or JPEG files below")


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["/no/such/folder"], "Path '/no/such/folder' does not exist. See `mcp-cxr ingest --help`."),
        ([], "Missing argument 'PATH'."),
        ([".", "--limit", "0"], "0 is not in the range x>=1"),
        ([".", "--batch-size", "0"], "0 is not in the range 1<=x<=1024"),
        ([".", "--batch-size", "1025"], "1025 is not in the range 1<=x<=1024"),
        ([".", "--workers", "0"], "0 is not in the range 1<=x<=256"),
        ([".", "--shard", "4/4"], "--shard must be I/N with 0 <= I < N, such as 0/4 to 3/4; not '4/4'."),
        ([".", "--shard", "-1/4"], "--shard must be I/N with 0 <= I < N"),
        ([".", "--shard", "0/0"], "--shard must be I/N with 0 <= I < N"),
        ([".", "--shard", "one"], "--shard must be I/N with 0 <= I < N"),
        ([".", "--companions", "/no/such"], "'/no/such' does not exist"),
    ],
)
def test_wrong_use_is_one_line(on_new: Command, argv: list[str], line: str):
    done = on_new("ingest", *argv)
    assert done.code == 2
    assert line in done.error


def test_shards_together_hold_all_images_and_an_empty_shard_succeeds(on_new: Command, image_dir: Path):
    shards = 5 * SMALL  # more than images: some must be empty
    done = [
        on_new("ingest", image_dir, "--shard", f"{part}/{shards}", "--workers", 1, "--json") for part in range(shards)
    ]
    assert {one.code for one in done} == {0}
    found = [one.json["found"] for one in done]
    assert (sum(found), min(found)) == (SMALL, 0)
    assert sum(one.json["added"] for one in done) == SMALL
    again = on_new("ingest", image_dir, "--json").json
    assert (again["found"], again["skipped"]) == (SMALL, SMALL)


def test_a_single_file_can_be_ingested(on_new: Command, tmp_path: Path):
    write_small_images(tmp_path / "one", 1)
    (path,) = (tmp_path / "one").rglob("*.dcm")
    assert on_new("ingest", path, "--json").json["added"] == 1


def test_a_different_embedder_than_the_archive_s_is_refused(
    on_new: Command, image_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Also if its service is down: nothing is embedded, not even by another service."""
    on_new("ingest", image_dir)
    monkeypatch.setenv("MCP_CXR_EMBEDDER", "nvclip")
    monkeypatch.setenv("NVCLIP_BASE_URL", "http://127.0.0.1:9/v1")
    write_small_images(tmp_path / "more", SMALL + 1)
    done = on_new("ingest", tmp_path / "more")
    assert (done.code, done.out) == (1, "")
    assert done.err == "Error: This archive was made with the pixel sketch: set MCP_CXR_EMBEDDER=offline.\n"
    (told, *_) = on_new("ingest", tmp_path / "more", "--dry-run", "--json").json["notes"]
    assert told == "Nothing can be added: This archive was made with the pixel sketch: set MCP_CXR_EMBEDDER=offline."
    monkeypatch.setenv("MCP_CXR_EMBEDDER", "offline")
    assert on_new("table", "stats", "--json").json["images"] == SMALL


def test_table_refused_lists_each_refused_file_with_its_reason(on_new: Command, image_dir: Path):
    (image_dir / "letter.dcm").write_text("Dear colleague,")
    on_new("ingest", image_dir)
    letter = image_dir / "letter.dcm"
    assert on_new("table", "refused").out.splitlines() == [f"{letter}: not DICOM", "Refused: 1"]
    assert on_new("table", "refused", "--json").json == {"refused": [{"path": str(letter), "reason": "not DICOM"}]}


def test_table_refused_lists_files_under_a_taken_id(on_new: Command, tmp_path: Path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number, name in ((1, "a.dcm"), (1, "b.dcm")):
        (folder / name).write_bytes(small_dicom(number))
    done = on_new("ingest", folder)
    assert "Same id as another file 1" in done.err
    assert on_new("table", "refused").out.splitlines() == [
        f"{folder / 'b.dcm'}: another file has the same image id and pixels",
        "Refused: 0",
        "Left out, another file has the same id: 1",
    ]
