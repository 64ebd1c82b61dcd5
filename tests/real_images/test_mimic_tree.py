"""A tree in MIMIC-CXR's layout, made of real images by the tool beside them: what is stored is what it says."""

from __future__ import annotations

import csv
import gzip
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_cxr.archive import open_archive
from mcp_cxr.records import LABELS
from tests.server.archives import environment, settings

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.records import ImageDetails, IngestSummary

pytestmark = pytest.mark.real

IMAGES = 60


@dataclass(frozen=True, slots=True)
class Tree:
    """The tree, ingested twice."""

    folder: Path
    data_dir: Path
    truth: list[dict[str, str]]
    runs: list[IngestSummary]
    shown: dict[str, ImageDetails]
    """By image id."""

    @property
    def labelled(self) -> dict[str, dict[str, int]]:
        """The labels that the tree's table gives each study."""
        with gzip.open(self.folder / "mimic-cxr-2.0.0-chexpert.csv.gz", "rt", newline="") as table:
            return {
                f"s{row['study_id']}": {label: int(float(row[label])) for label in LABELS if row[label]}
                for row in csv.DictReader(table)
            }


@pytest.fixture(scope="module")
def tree(real_images: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    folder, data_dir = tmp_path_factory.mktemp("tree") / "mimic", tmp_path_factory.mktemp("data")
    tool = real_images.parent.parent / "tools" / "make_mimic_tree.py"
    subprocess.run([sys.executable, tool, folder, str(IMAGES)], check=True, capture_output=True)
    with (folder / "truth.csv").open(newline="") as table:
        truth = list(csv.DictReader(table))

    async def ingest() -> tuple[list[IngestSummary], dict[str, ImageDetails]]:
        async with open_archive(settings(environment(data_dir))) as archive:
            runs = [await archive.ingest(folder) for _ in range(2)]
            return runs, {row["dicom_id"]: await archive.show(row["dicom_id"]) for row in truth}

    runs, shown = anyio.run(ingest)
    return Tree(folder, data_dir, truth, runs, shown)


def test_every_image_is_ingested_and_a_second_run_adds_none(tree: Tree):
    first, second = tree.runs
    assert (first.found, first.added, first.errors_by_reason) == (IMAGES, IMAGES, {})
    assert (second.skipped, second.added, second.studies_updated) == (IMAGES, 0, 0)
    assert second.total_in_store == IMAGES


def test_ids_views_and_sizes_are_the_true_ones(tree: Tree):
    stored = {
        name: (one.image_path, one.study_id, one.subject_id, one.view_position, one.tags["Rows"], one.tags["Columns"])
        for name, one in tree.shown.items()
    }
    assert stored == {
        row["dicom_id"]: (
            row["path"],
            row["study_id"],
            row["subject_id"],
            row["view"],
            int(row["rows"]),
            int(row["columns"]),
        )
        for row in tree.truth
    }


def test_the_grayscale_was_treated_as_each_file_says(tree: Tree):
    for row in tree.truth:
        treated = tree.shown[row["dicom_id"]].grayscale
        assert treated["inverted"] == (row["monochrome1"] == "True")
        assert {"window": "window", "lut": "lut", "none": "stretch"}[row["voi"]] in treated["voi"]


def test_labels_dates_and_splits_are_those_of_the_tables(tree: Tree):
    labelled = tree.labelled
    with gzip.open(tree.folder / "mimic-cxr-2.0.0-split.csv.gz", "rt", newline="") as table:
        splits = {row["dicom_id"]: row["split"] for row in csv.DictReader(table)}
    for image_id, shown in tree.shown.items():
        assert shown.labels == labelled[shown.study_id]
        assert shown.split == splits[image_id]
        assert shown.study_date == "2180-05-06"


def test_reports_are_those_beside_the_studies(tree: Tree):
    for shown in tree.shown.values():
        text = (tree.folder / shown.image_path).parent.with_suffix(".txt").read_text()
        assert shown.report
        assert list(shown.report) == ["EXAMINATION", "INDICATION", "TECHNIQUE", "COMPARISON", "FINDINGS", "IMPRESSION"]
        assert shown.report["IMPRESSION"] == text.split("IMPRESSION:")[1].strip()


@pytest.mark.parametrize(
    ("words", "label"),
    [("pneumothorax", "Pneumothorax"), ("lung nodule", "Lung Lesion"), ("cardiomegaly", "Cardiomegaly")],
)
async def test_words_find_the_labelled_studies_first(tree: Tree, words: str, label: str):
    meant = {study for study, labels in tree.labelled.items() if labels.get(label) == 1}
    assert meant
    async with open_archive(settings(environment(tree.data_dir))) as archive:
        page = await archive.search(words, limit=100)
        labelled = await archive.search(words, labels=[label], limit=100)
    assert meant <= {hit.study_id for hit in page.images}
    assert {hit.study_id for hit in labelled.images} == meant
    assert page.images[0].labels.get(label) == 1
