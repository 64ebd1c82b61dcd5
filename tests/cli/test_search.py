"""mcp-cxr search."""

from __future__ import annotations

import csv
import datetime as dt
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.cli import _search
from mcp_cxr.records import Hit, SearchResult
from mcp_cxr.server._redaction import redact_search_result
from tests.cli.conftest import told_by_tool
from tests.support.image_files import plain

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command
    from tests.server.archives import Ingested


def for_a_model(page: dict[str, Any]) -> dict[str, Any]:
    """Return a result of the command as the tool gives it to a model."""
    result = SearchResult.model_validate({**page, "execution_time_ms": 0})
    return redact_search_result(result, ("reports", "images")).model_dump(exclude_defaults=True)


def table_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


HIT = re.compile(r"(?P<score>-?\d\.\d{3}) - (?P<id>[0-9a-f-]{44}) \((?P<view>[A-Z]+)\) - Patient (?P<patient>p\d+)")


def test_a_hit_by_example_prints_score_view_and_patient(on_demo: Command, demo: Ingested):
    example = demo.drawn.images[0]
    done = on_demo("search", "--like", example.image_id, "--limit", 3)
    hits = [found for line in done.out.splitlines() if (found := HIT.fullmatch(line))]
    assert done.code == 0
    assert len(hits) == 3
    drawn = {(image.image_id, image.view[0], image.subject_id) for image in demo.drawn.images}
    assert {(hit["id"], hit["view"][0], hit["patient"]) for hit in hits} <= drawn


def test_a_hit_by_words_prints_its_reasons_and_no_score(on_demo: Command):
    done = on_demo("search", "pneumothorax", "--label", "pneumothorax")
    assert done.code == 0
    assert not done.out.startswith((" ", "-"))
    assert "report: small left apex pneumothorax; label: Pneumothorax" in done.out
    assert "Note: The embedder offline-sketch-1 cannot embed text" in done.err
    assert "(keyword, " in done.err


def test_json_equals_the_result_of_the_tool(on_demo: Command, demo: Ingested):
    done = on_demo(
        "search", "effusion", "--view", "frontal", "--no-label", "Pneumothorax", "--limit", 4, "--offset", 1, "--json"
    )
    told = told_by_tool(
        demo,
        "search_medical_images",
        query="effusion",
        view="frontal",
        labels_absent="Pneumothorax",
        limit=4,
        offset=1,
    )
    assert done.code == 0
    assert done.json["images"]
    assert set(done.json) == set(SearchResult.model_fields)
    assert all(set(hit) == set(Hit.model_fields) for hit in done.json["images"])
    assert any(0 in hit["labels"].values() for hit in done.json["images"])
    assert told.pop("note"), "which is for models alone"
    assert for_a_model(done.json) == {**told, "execution_time_ms": 0}


def test_a_file_of_the_archive_is_its_image_for_command_and_tool(on_demo: Command, demo: Ingested):
    drawn = demo.drawn.images[0]
    file = next(demo.drawn.folder.rglob(f"{drawn.image_id}.dcm"))
    done = on_demo("search", "--like", file, "--limit", 3, "--json")
    told = told_by_tool(demo, "search_medical_images", like=[str(file)], limit=3)
    assert done.code == 0
    assert done.json["search_mode"] == "similar"
    assert told.pop("note"), "which is for models alone"
    assert for_a_model(done.json) == {**told, "execution_time_ms": 0}
    assert done.json["images"] == on_demo("search", "--like", drawn.image_id, "--limit", 3, "--json").json["images"]


def test_any_other_file_is_embedded(on_demo: Command, demo: Ingested, tmp_path: Path):
    drawn = demo.drawn.images[0]
    file = shutil.copy(next(demo.drawn.folder.rglob(f"{drawn.image_id}.dcm")), tmp_path / "other.dcm")
    first, second = on_demo("search", "--like", file, "--limit", 2, "--json").json["images"]
    assert first["image_id"] == drawn.image_id
    assert first["similarity_score"] == pytest.approx(1, abs=1e-4)
    assert second["similarity_score"] < 0.999


def test_no_hit_exits_with_0(on_demo: Command):
    done = on_demo("search", "--from", "2999-01-01")
    assert (done.code, done.out, done.err) == (0, "", "No image matches.\n")


def test_the_offset_of_the_next_page_is_printed(on_demo: Command):
    done = on_demo("search", "effusion", "--limit", 2)
    assert "more with --offset 2" in done.err
    assert on_demo("search", "effusion", "--limit", 2, "--offset", 2).code == 0


def test_a_number_in_the_words_is_the_limit_unless_one_is_given(on_demo: Command):
    assert on_demo("search", "show 2 effusions", "--json").json["results_count"] == 2
    assert on_demo("search", "show 2 effusions", "--limit", 5, "--json").json["results_count"] == 5


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        ([], 'such as: mcp-cxr search "left pleural effusion" --view PA'),
        ([" ", "--limit", "3"], "Give words, --like or a filter"),
        (["effusion", "--limit", "0"], "--limit must be 1 to 100, not 0"),
        (["effusion", "--limit", "101"], "--limit must be 1 to 100, not 101; use --offset for the next page."),
        (["effusion", "--limit", "many"], "'many' is not a valid integer. See `mcp-cxr search --help`."),
        (["effusion", "--offset", "-1"], "--offset must be 0 or more"),
        (["effusion", "--view", "XX"], "Unknown view 'XX'"),
        (["--label", "Pneumonai"], "Did you mean Pneumonia?"),
        (["effusion", "--from", "yesterday"], "--from must be a date such as 2026-11-01, not 'yesterday'."),
        (["effusion", "--limt", "3"], "--limit"),
        (["--from", "2181-01-01", "--to", "2180-01-01"], "--from 2181-01-01 is after --to 2180-01-01"),
        (["--label", "Edema", "--no-label", "Edema"], "Edema is in --label and in --no-label"),
        (["--unlike", "x"], "--unlike needs a query or an example in --like, such as mcp-cxr search"),
        (["--unlike", "x"], 'such as mcp-cxr search "effusion" --unlike IMAGE_ID.'),
        (
            ["--view", "PA", "--mode", "words"],
            '--mode words needs a query, such as mcp-cxr search "effusion" --mode words.',
        ),
        (["e", "--like", "x", "--mode", "words"], "leave out --like and --unlike, or use --mode auto."),
    ],
)
def test_invalid_arguments_exit_with_2(on_demo: Command, argv: list[str], line: str):
    done = on_demo("search", *argv)
    assert done.code == 2
    assert line in done.error


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--split", "foo"], "No image has split foo; a split is one of train, validate, test."),
        (["effusion", "--subject", "p1"], "The archive has no patient p1."),
        (
            ["--label", "Pleural Other"],
            "No study has the label Pleural Other as present; uncertain and absent values do not match.",
        ),
        (["--study", "nope"], "The archive has no study nope."),
    ],
)
def test_a_filter_that_no_image_has_is_named(on_demo: Command, argv: list[str], line: str):
    done = on_demo("search", *argv)
    assert (done.code, done.out) == (0, "")
    assert f"Note: {line}\n" in done.err
    assert done.err.endswith("No image matches.\n")


def test_a_fact_that_the_archive_does_not_record_is_named(on_new: Command, tmp_path: Path):
    plain(tmp_path / "images" / "1.png", 1)
    on_new("ingest", tmp_path / "images")
    for argv, line in [
        (["--from", "2020-01-01"], "No image of the archive has a study date."),
        (["--sex", "F"], "No study of the archive has a recorded sex."),
        (["--age-to", "40"], "No study of the archive has a recorded age."),
        (["hemothorax"], "No study of the archive has a report: words find labels and header fields only."),
    ]:
        done = on_new("search", *argv)
        assert f"Note: {line}\n" in done.err, argv


def test_words_without_a_hit_are_shown_as_they_were_read_with_the_studies_that_have_no_report(
    on_new: Command, tmp_path: Path
):
    plain(tmp_path / "images" / "1.png", 1)
    on_new("ingest", tmp_path / "images")
    done = on_new("search", "left hemothorax")
    assert done.err.splitlines()[-2:] == ["Read as: hemothorax, left", "0 studies match; 1 has no report or label"]


@pytest.mark.parametrize(
    ("argv", "note"),
    [
        (["PA effusion", "--view", "AP"], "'PA' was not applied: --view is given."),
        (["effusion in 2019", "--from", "1900-01-01"], " was not applied: --from or --to is given."),
        (["effusion, not p10000001"], "give one of the patient's images as --exclude-subject-of."),
        (["effusion", "--split", "foo"], "No image has split foo; a split is one of train, validate, test."),
    ],
)
def test_notes_name_options_in_place_of_arguments(on_demo: Command, argv: list[str], note: str):
    notes = [line for line in on_demo("search", *argv).err.splitlines() if line.startswith("Note: ")]
    assert any(line.endswith(note) for line in notes)


def test_an_ignored_example_is_named_as_the_option(on_demo: Command, demo: Ingested):
    done = on_demo("search", "effusion", "--unlike", demo.drawn.images[0].image_id)
    assert "Note: --unlike was ignored: the embedder cannot embed the query text.\n" in done.err


def test_an_offset_past_the_last_result_is_named(on_demo: Command):
    done = on_demo("search", "--view", "PA", "--offset", 500)
    assert (done.code, done.out) == (0, "")
    assert re.fullmatch(r"Note: Offset 500 is past the last result; use one below \d+\.\n", done.err)


def test_an_archive_without_images_says_so(on_new: Command):
    on_new("table", "create")
    done = on_new("search", "effusion")
    assert done.code == 0
    lines = [
        "Note: The archive holds no images; ingest a folder first.",
        "Read as: pleural effusion",
        "No image matches.",
    ]
    assert done.err.splitlines()[-3:] == lines


def test_an_unknown_example_exits_with_1(on_demo: Command):
    done = on_demo("search", "--like", "no-such-image")
    assert done.code == 1
    assert done.error.startswith("Error: The archive has no image no-such-image")


def test_a_missing_archive_is_reported_with_the_command_to_create_it(on_new: Command):
    done = on_new("search", "effusion")
    assert done.code == 1
    assert done.error.endswith("Run `mcp-cxr ingest PATH`.")


def test_json_gives_the_absolute_path_of_each_image(on_demo: Command, demo: Ingested):
    hits = on_demo("search", "effusion", "--json").json["images"]
    paths = {image.image_id: str(image.path) for image in demo.drawn.images}
    assert hits
    assert all(hit["path"] == paths[hit["image_id"]] for hit in hits)


def test_csv_writes_the_results_with_path_and_question(on_demo: Command, demo: Ingested, tmp_path: Path):
    table = tmp_path / "found.csv"
    done = on_demo("search", "effusion", "--view", "PA", "--view", "AP", "--csv", table, "--json")
    assert done.code == 0
    assert f"Wrote {table} (" in done.err
    hits = done.json["images"]
    found = table_of(table)
    assert [row["image_id"] for row in found] == [hit["image_id"] for hit in hits]
    first, hit = found[0], hits[0]
    assert {name: first[name] for name in ("rank", "study_date", "matched", "path", "why")} == {
        "rank": "1",
        "study_date": hit["study_date"],
        "matched": "full",
        "path": str(next(image.path for image in demo.drawn.images if image.image_id == hit["image_id"])),
        "why": "; ".join(hit["why"]),
    }
    assert "Pleural Effusion=1" in first["labels"]
    assert {(row["question"], row["filters"]) for row in found} == {("effusion", "view: PA, AP")}
    assert found[0]["fingerprint"].startswith("offline-sketch-1, ")
    assert {row["searched_at"] for row in found} == {first["searched_at"]}
    assert dt.datetime.fromisoformat(first["searched_at"]).tzinfo == dt.UTC


@pytest.mark.parametrize("asked", [["effusion"], ["effusion", "--view", "PA"], ["--view", "PA"], ["no effusion"]])
def test_all_gives_every_result_that_matches_whatever_the_size_of_a_page(
    on_demo: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: list[str]
):
    whole = on_demo("search", *asked, "--limit", 100, "--json").json
    matching = [hit["image_id"] for hit in whole["images"] if hit["matched"] in (None, "full", "part")]
    assert len(matching) > 2
    monkeypatch.setattr(_search, "_PAGE", 2)
    done = on_demo("search", *asked, "--all", "--csv", tmp_path / "all.csv", "--json")
    assert [hit["image_id"] for hit in done.json["images"]] == matching
    assert done.json["matched_results"] == whole["matched_results"]
    found = table_of(tmp_path / "all.csv")
    assert [row["image_id"] for row in found] == matching
    assert [int(row["rank"]) for row in found] == list(range(1, len(matching) + 1))


def test_all_and_a_limit_are_wrong_use(on_demo: Command):
    done = on_demo("search", "effusion", "--all", "--limit", 5)
    assert done.code == 2
    assert done.error == "Error: --all returns every result that matches; leave out --limit."


def test_a_question_or_score_in_the_csv_is_no_formula(on_demo: Command, demo: Ingested, tmp_path: Path):
    table = tmp_path / "found.csv"
    assert on_demo("search", "=HYPERLINK(1) effusion", "--csv", table).code == 0
    assert table_of(table)[0]["question"] == "'=HYPERLINK(1) effusion"
    assert on_demo("search", "--like", demo.drawn.images[0].image_id, "--csv", table).code == 0
    assert all(float(row["similarity_score"]) <= 1 for row in table_of(table))


def test_an_unwritable_csv_path_is_one_line(on_demo: Command, tmp_path: Path):
    done = on_demo("search", "effusion", "--csv", tmp_path / "no" / "found.csv")
    assert done.code == 2
    assert done.error == f"Error: --csv: there is no folder {tmp_path / 'no'}. Create it, or name another file."
