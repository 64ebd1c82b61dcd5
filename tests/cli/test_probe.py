"""mcp-cxr probe, and search by finding score, as their user types them."""

from __future__ import annotations

import csv
import re
import shutil
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_cxr.cli import main
from mcp_cxr.embeddings import OfflineEmbedder
from mcp_cxr.images import PREPROCESSING
from mcp_cxr.records import Filter
from mcp_cxr.stores import EmbeddedStore
from tests.cli.conftest import set_environment
from tests.server.archives import environment
from tests.support.planted import fill, planted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command
    from tests.server.archives import Ingested

IMAGES = 700
SUBJECT = "p00011"


async def _fill(data: Path) -> None:
    fingerprint = await OfflineEmbedder(preprocessing=PREPROCESSING).fingerprint()
    async with EmbeddedStore(data) as store:
        images = planted(IMAGES, dimension=fingerprint.dimension)
        await fill(store, images, fingerprint=fingerprint, unlabeled=100, report="FINDINGS: Small effusion.")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive without probes; must not be changed."""
    data = tmp_path_factory.mktemp("planted")
    anyio.run(_fill, data)
    return data


@pytest.fixture(scope="module")
def fitted(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with probes, which take seconds to learn; must not be changed."""
    data = tmp_path_factory.mktemp("fitted") / "data"
    shutil.copytree(filled, data)
    with pytest.MonkeyPatch.context() as monkeypatch:
        set_environment(monkeypatch, environment(data))
        assert main(["probe", "fit"]) == 0
    return data


@pytest.fixture
def on_fitted(run: Command, fitted: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    set_environment(monkeypatch, environment(fitted))
    return run


@pytest.fixture
def own_copy(fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run commands on a copy that may be changed, by one who types yes."""
    data = shutil.copytree(fitted, tmp_path / "data")
    set_environment(monkeypatch, environment(data))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("click.prompt", lambda *_, **__: "yes")
    return data


def test_probes_are_learned_listed_and_used_to_search(
    run: Command, filled: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_environment(monkeypatch, environment(shutil.copytree(filled, tmp_path / "data")))
    for command in (["probe", "list"], ["probe", "scores"], ["search", "--score", "Edema>0.5"]):
        assert "No probes were learned for this archive yet. Run `mcp-cxr probe fit`." in run(*command).error
    fitted = run("probe", "fit")
    assert fitted.code == 0
    assert [line.split()[0] for line in fitted.out.splitlines()] == ["label", "Edema", "Fracture", "Pneumothorax"]
    assert "from 600 labeled images, in 5 folds by patient" in fitted.err
    assert "not a diagnosis" in fitted.err
    listed = run("probe", "list", "--json").json
    assert listed["stale"] == []
    assert listed["scored"] == IMAGES
    (edema,) = [probe for probe in listed["probes"] if probe["label"] == "Edema"]

    found = run("search", "--score", "edema>0.5", "--limit", "3")
    assert f"Score of Edema: learned from {edema['present']} images with it, of " in found.err
    assert f"calibration slope {edema['calibration_slope']:.2f}" in found.err
    assert "not a diagnosis" in found.err
    scores = [
        float(line.split("score of Edema ")[1].split(";")[0]) for line in found.out.splitlines() if "score of" in line
    ]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    page = run("search", "effusion", "--score", "edema<=0.2", "--score", "Fracture>0.1", "--json").json
    assert page["images"]
    for hit in page["images"]:
        assert page["scores"][hit["image_id"]]["Edema"] <= 0.2
        assert page["scores"][hit["image_id"]]["Fracture"] > 0.1
    assert [probe["label"] for probe in page["probes"]] == ["Edema", "Fracture"]


def test_all_results_go_into_a_csv_with_their_scores(on_fitted: Command, tmp_path: Path) -> None:
    done = on_fitted("search", "--score", "Edema>0.3", "--all", "--group", "none", "--csv", tmp_path / "found.csv")
    assert done.code == 0
    on_fitted("probe", "scores", "--csv", tmp_path / "all.csv")
    with (tmp_path / "found.csv").open(newline="") as found, (tmp_path / "all.csv").open(newline="") as every:
        rows, scores = list(csv.DictReader(found)), list(csv.DictReader(every))
    assert len(scores) == IMAGES
    above = {row["image_id"]: row["score of Edema"] for row in scores if float(row["score of Edema"]) > 0.3}
    assert {row["image_id"]: row["score of Edema"] for row in rows} == above
    assert "score: Edema>0.3" in rows[0]["filters"]


@pytest.mark.parametrize("condition", ["Edema", "Edema>3", ">0.5", "Edema=0.5", "Edema>0.5>0.7", "Edema>NaN"])
def test_what_is_no_condition_is_one_clear_line(on_fitted: Command, condition: str) -> None:
    done = on_fitted("search", "--score", condition)
    assert done.code == 2
    assert f"Cannot read the score condition {condition!r}. Write a label" in done.error


def test_a_label_without_a_probe_is_named_with_those_that_have_one(on_fitted: Command) -> None:
    assert (
        "There is no probe of 'Edima'. Known: Edema, Fracture, Pneumothorax."
        in on_fitted("search", "--score", "Edima>0.5").error
    )


def test_a_small_archive_says_which_labels_have_too_few_images(
    run: Command, demo: Ingested, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_environment(monkeypatch, demo.copied_to(tmp_path / "data").environment)
    done = run("probe", "fit")
    assert done.code == 0
    first, *labels = done.out.splitlines()
    assert first == "Not learned; a probe needs 50 images of 20 patients with it, and as many without:"
    assert all(re.fullmatch(r"  [\w ]+: (present|absent) in \d+ images of \d+ patients", line) for line in labels)
    assert labels
    assert "has enough examples: nothing was learned" in done.err
    assert run("probe", "scores").out == done.out
    unwritten = run("probe", "scores", "--csv", tmp_path / "scores.csv")
    assert (unwritten.code, (tmp_path / "scores.csv").exists()) == (1, False)
    assert unwritten.err.endswith("Error: No label was learned, so there are no scores to write.\n")
    assert run("probe", "list", "--json").json["scored"] == 0
    assert "has no probe: it is present in " in run("search", "--score", "Edema>0.5").error


def test_a_forgotten_patient_is_no_longer_scored(run: Command, own_copy: Path) -> None:
    assert run("forget", "--subject", SUBJECT).code == 0
    done = run("search", "--score", "Edema>0", "--limit", "1")
    assert (
        "Note: the probes are out of date: images that they were learned from were forgotten; the archive has"
        in done.err
    )

    async def left() -> int:
        async with EmbeddedStore(own_copy) as store:
            return await store.count(Filter())

    assert run("probe", "list", "--json").json["scored"] == anyio.run(left) < IMAGES


def test_a_dropped_table_takes_its_scores_along(run: Command, own_copy: Path) -> None:
    assert (own_copy / "probes.npz").exists()
    assert run("table", "drop", "--force").code == 0
    assert not (own_copy / "probes.npz").exists()
