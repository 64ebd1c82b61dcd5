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
from tests.unit.evaluate.making import fill, knowing

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

STUDIES = 90
QUICK = ("--resamples", 20, "--only", "similar", "--only", "integrity", "--only", "labels")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of labelled films that the offline embedder takes no part in."""
    data = tmp_path_factory.mktemp("labelled")

    async def made() -> None:
        async with EmbeddedStore(data) as store:
            await fill(store, knowing(STUDIES)[0])

    anyio.run(made)
    return data


@pytest.fixture
def on_labelled(run: Command, labelled: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    set_environment(monkeypatch, environment(labelled))
    return run


def test_a_table_says_what_was_measured_on_what_beside_chance(on_labelled: Command):
    done = on_labelled("evaluate", *QUICK)
    assert done.code == 0
    assert "Image to image, by label, among other patients [similar]" in done.out
    assert "removed: all films of the example's patient" in done.out
    assert "skipped: The embedder offline-sketch-1 reads no text." in done.out
    assert all(
        word in done.out
        for word in (
            "knowing, 256 dimensions",
            "preprocessing 1",
            f"{STUDIES} studies",
            "seed 0",
            "chance",
            "95 % interval",
        )
    )
    assert "Measuring similar ..." in done.err


def test_json_holds_every_protocol_and_what_it_was_measured_with(on_labelled: Command):
    done = on_labelled("evaluate", "--json", "--resamples", 20)
    assert done.code == 0
    assert [one["protocol"] for one in done.json["protocols"]] == list(PROTOCOLS)
    assert done.json["seed"] == 0
    assert done.json["date"]
    measured = {one["protocol"] for one in done.json["protocols"] if not one["skipped"]}
    assert measured == set(PROTOCOLS) - {"labels", "reports"}  # which need an embedder that reads


def test_the_same_seed_gives_the_same_figures(on_labelled: Command):
    one, same = (on_labelled("evaluate", "--json", *QUICK, "--seed", 3).json["protocols"] for _ in range(2))
    assert one == same


def test_a_baseline_is_kept_and_one_that_was_better_fails(on_labelled: Command, tmp_path: Path):
    saved = tmp_path / "saved.json"
    assert on_labelled("evaluate", *QUICK, "--save", saved).code == 0
    done = on_labelled("evaluate", *QUICK, "--baseline", saved)
    assert (done.code, "No figure fell below" in done.err) == (0, True)
    better = json.loads(saved.read_text())
    for measured in better["protocols"]:
        for figure in measured["figures"]:
            if figure["low"] is not None:
                figure.update(value=2.0, low=1.5, high=2.5)
    saved.write_text(json.dumps(better))
    done = on_labelled("evaluate", *QUICK, "--baseline", saved)
    assert done.code == 1
    assert "Worse: similar P@10: " in done.err


def test_a_page_is_written(on_labelled: Command, tmp_path: Path):
    assert on_labelled("evaluate", *QUICK, "--report", tmp_path / "page.html").code == 0
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_a_folder_is_measured_and_leaves_the_archive_alone(on_new: Command, image_dir: Path):
    done = on_new("evaluate", image_dir, "--json", "--only", "index", "--resamples", 20)
    assert done.code == 0
    assert done.json["images"] == SMALL
    assert on_new("table", "stats").code == 1  # nothing was made there


def test_labels_of_a_file_are_the_truth(on_labelled: Command, tmp_path: Path):
    path = table(tmp_path / "truth.csv", ("study_id", "Edema"), ("1", 1))
    done = on_labelled("evaluate", "--truth", path, "--only", "similar")
    assert "truth.csv, taken to derive from the reports" in done.out
    assert "skipped: No label is there ten times" in done.out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--only", "everything"), "Unknown protocol 'everything'"),
        (("--independent",), "--truth"),
        (("--baseline", "missing.json"), "missing.json"),
        (("--prompts", "missing.json"), "missing.json"),
        (("--truth", "missing.csv"), "missing.csv"),
        (("--split", "nowhere", "--only", "index"), "no image of ours"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(on_labelled: Command, argv: tuple[str, ...], said: str):
    done = on_labelled("evaluate", *argv)
    assert done.code == 2
    assert said in done.err.splitlines()[-1]
    assert done.out == ""


def test_an_archive_that_was_never_made_is_said(on_new: Command):
    done = on_new("evaluate")
    assert done.code == 1
    assert done.out == ""
