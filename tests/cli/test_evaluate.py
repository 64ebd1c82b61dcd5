"""mcp-cxr evaluate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_cxr.evaluate import PROTOCOLS
from mcp_cxr.stores import EmbeddedStore
from tests.cli.conftest import SMALL, set_environment
from tests.server.archives import environment
from tests.support.companions import table
from tests.unit.evaluate.archives import LABELS, fill, labeled_images

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

STUDIES = 90
QUICK = ("--resamples", 20, "--only", "similar", "--only", "integrity", "--only", "labels")


@pytest.fixture(scope="module")
def labeled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of labeled images whose vectors are not the offline embedder's."""
    data = tmp_path_factory.mktemp("labeled")

    async def made() -> None:
        async with EmbeddedStore(data) as store:
            await fill(store, labeled_images(STUDIES)[0])

    anyio.run(made)
    return data


@pytest.fixture
def on_labeled(run: Command, labeled: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    set_environment(monkeypatch, environment(labeled))
    return run


def test_the_table_has_the_setup_the_figures_and_their_chance(on_labeled: Command):
    done = on_labeled("evaluate", *QUICK)
    assert done.code == 0
    assert "Image to image, by label, among other patients [similar]" in done.out
    assert "left out to avoid leakage: all images of the example's patient" in done.out
    assert "labels: The embedder offline-sketch-1 cannot embed text." in done.out.split("Not measured")[1]
    assert all(
        word in done.out
        for word in (
            "label-embedder, 256 dimensions",
            "preprocessing 1",
            f"{STUDIES} studies",
            "seed 0",
            "chance",
            "95 % interval",
        )
    )
    assert "Measuring similar ..." in done.err


def test_json_has_every_protocol_and_the_setup(on_labeled: Command):
    done = on_labeled("evaluate", "--json", "--resamples", 20)
    assert done.code == 0
    assert done.json["seed"] == 0
    assert done.json["date"]
    missing = {one["protocol"]: one["reason"] for one in done.json["not_measured"] if not one["of"]}
    assert set(missing) == {"labels", "reports", "probes", "questions", "reader"}  # of texts, more images, or codes
    assert [one["protocol"] for one in done.json["protocols"]] == [one for one in PROTOCOLS if one not in missing]
    assert "--reader" in missing["reader"]


def test_the_same_seed_gives_the_same_figures(on_labeled: Command):
    one, same = (on_labeled("evaluate", "--json", *QUICK, "--seed", 3).json["protocols"] for _ in range(2))
    assert one == same


def test_figures_worse_than_the_saved_baseline_exit_1(on_labeled: Command, tmp_path: Path):
    saved = tmp_path / "saved.json"
    assert on_labeled("evaluate", *QUICK, "--save", saved).code == 0
    done = on_labeled("evaluate", *QUICK, "--baseline", saved)
    assert (done.code, "No figure is worse than" in done.err) == (0, True)
    better = json.loads(saved.read_text())
    for measured in better["protocols"]:
        for figure in measured["figures"]:
            if figure["low"] is not None:
                figure.update(value=2.0, low=1.5, high=2.5)
    saved.write_text(json.dumps(better))
    done = on_labeled("evaluate", *QUICK, "--baseline", saved)
    assert done.code == 1
    assert "Worse: similar P@10: " in done.err


def test_html_writes_a_web_page(on_labeled: Command, tmp_path: Path):
    assert on_labeled("evaluate", *QUICK, "--html", tmp_path / "page.html").code == 0
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_a_folder_is_measured_without_touching_the_archive(on_new: Command, image_dir: Path):
    done = on_new("evaluate", image_dir, "--json", "--only", "index", "--resamples", 20)
    assert done.code == 0
    assert done.json["images"] == SMALL
    assert "Nothing has been stored in" in on_new("table", "verify").error  # no archive was created


def test_labels_of_a_file_replace_those_of_the_archive(on_labeled: Command, tmp_path: Path):
    path = table(tmp_path / "truth.csv", ("study_id", "Edema"), ("s001", 1))
    done = on_labeled("evaluate", "--truth", path, "--only", "similar")
    assert "truth.csv, assumed to come from the reports" in done.out
    assert "similar: No label is present in ten studies" in done.out


def test_a_truth_that_names_no_study_of_the_archive_is_refused(on_labeled: Command, tmp_path: Path):
    path = table(tmp_path / "truth.csv", ("study_id", "Edema"), ("s9", 1))
    done = on_labeled("evaluate", "--truth", path, "--only", "similar")
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith("Error: No row of truth.csv has a study of the archive; check its ids, or the split.\n")


def test_findings_of_a_truth_that_are_unknown_are_named(on_labeled: Command, tmp_path: Path):
    path = codes(tmp_path, ("s001", "plural effusion", 1), ("s001", "edema", 1))
    done = on_labeled("evaluate", "--truth", path, "--only", "similar")
    assert (
        "codes.csv: 'plural effusion' is left out; there is no such finding. The nearest is pleural effusion."
        in done.err
    )


def codes(folder: Path, *rows: tuple[object, ...]) -> Path:
    return table(folder / "codes.csv", ("study_id", "finding", "value"), *rows)


def test_reader_compares_the_archive_with_codes_without_an_embedder(
    run: Command, labeled: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    set_environment(
        monkeypatch, environment(labeled) | {"MCP_CXR_EMBEDDER": "nvclip", "NVCLIP_BASE_URL": "http://127.0.0.1:9"}
    )
    rows = [(f"s{n:03}", "edema", int(n % len(LABELS) == LABELS.index("Edema"))) for n in range(STUDIES)]
    path = codes(tmp_path, *rows, ("s001", "plural effusion", 1))
    done = run("evaluate", "--reader", path)
    assert done.code == 0
    assert "[reader]" in done.out
    assert "pulmonary edema, present" in done.out
    assert "reader (plural effusion): No such finding; nearest: pleural effusion." in done.out.split("Not measured")[1]
    assert "nan" not in done.out.split()
    (result,) = run("evaluate", "--reader", path, "--json").json["protocols"]
    found = next(one for one in result["agreement"] if one["counted"] == "present")
    assert (found["studies"], found["coded"], found["read"]) == (STUDIES, found["coded"], found["coded"])


def test_reader_reads_the_text_files_of_a_folder_without_an_archive(on_new: Command, tmp_path: Path):
    (tmp_path / "p1").mkdir()
    (tmp_path / "p1" / "s1.txt").write_text("FINDINGS: No pleural effusion.")
    path, page = codes(tmp_path, (1, "effusion", 1)), tmp_path / "page.html"
    done = on_new("evaluate", tmp_path, "--reader", path, "--html", page)
    assert done.code == 0
    assert "s1: read absent, coded present: No pleural effusion." in done.out
    assert "No pleural effusion." in page.read_text()
    assert "Nothing has been stored in" in on_new("table", "verify").error  # no archive was created


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--only", "everything"), "Unknown protocol 'everything'"),
        (("--independent",), "--truth"),
        (("/missing",), "Error: '/missing' does not exist; check the path."),
        (("--only", "reader"), "--reader"),
        (("--reader", "missing.csv"), "missing.csv"),
        (("--baseline", "missing.json"), "missing.json"),
        (("--prompts", "missing.json"), "missing.json (No such file or directory); name a JSON file of prompts."),
        (("--truth", "/missing/labels.csv"), "Cannot read /missing/labels.csv: it does not exist"),
        (("--split", "nowhere", "--only", "index"), "split nowhere; a split is one of train, validate, test."),
    ],
)
def test_wrong_arguments_print_one_line_and_exit_2(on_labeled: Command, argv: tuple[str, ...], message: str):
    done = on_labeled("evaluate", *argv)
    assert done.code == 2
    assert message in done.err.splitlines()[-1]
    assert done.out == ""


def test_a_missing_archive_exits_1(on_new: Command):
    done = on_new("evaluate")
    assert done.code == 1
    assert done.out == ""
