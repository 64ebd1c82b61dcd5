"""Real, openly licensed files of every kind: the chest images are ingested, each other file has its reason."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_cxr.archive import open_archive
from tests.server.archives import environment, settings
from tests.support.archives import BAD_FILES, rows

if TYPE_CHECKING:
    from mcp_cxr.records import IngestSummary

pytestmark = pytest.mark.real

CHEST = {"dicom_cxr": 3, "nih_png": 18, "hannover_png": 31, "ieee8023": 8}
REASONS = {
    "no pixel data": ["UN_sequence.dcm", "empty_charset_LEI.dcm", "no_meta_group_length.dcm", "priv_SQ.dcm"],
    "no rows or columns": ["meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm"],
    "not DICOM": ["no_meta.dcm"],
    "not a chest radiograph (body part)": ["wg04_RG3_J2KR.dcm"],
    "not an image (DICOMDIR)": ["DICOMDIR"],
    "not an image (ECG)": ["waveform_ecg.dcm"],
    "not an image (RTPLAN)": ["ExplVR_LitEndNoMeta.dcm", "rtplan_truncated.dcm"],
    "not an image (SEG)": ["liver_nonbyte_aligned_deflate.dcm"],
    "not an image (SR)": ["reportsi.dcm", "test-SR.dcm"],
    "not a radiograph (CT)": ["CT_small.dcm", "bad_sequence.dcm", "explicit_VR-UN.dcm"],
    "not a radiograph (MR)": ["MR_small_bigendian.dcm", "MR_truncated.dcm", "zipMR.gz"],
    "not a radiograph (NM)": ["JPEG2000.dcm", "JPGExtended_BAD.dcm"],
    "not a radiograph (RTDOSE)": ["badVR.dcm"],
    "not a radiograph (US)": ["examples_palette.dcm"],
}
"""What the files are, by their MANIFEST and their headers; MR_truncated is an MR before it is truncated."""
TAKEN_TOO = ["JPEGLSNearLossless_16.dcm", "SC_rgb_jpeg_dcmtk.dcm", "image_dfl.dcm", "mlut_18.dcm", "vlut_04.dcm"]
"""Secondary captures whose header says nothing against a chest image."""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real")


@pytest.fixture(scope="module")
def runs(real_images: Path, data_dir: Path) -> list[IngestSummary]:
    """Two runs over the whole folder."""

    async def twice() -> list[IngestSummary]:
        async with open_archive(settings(environment(data_dir))) as archive:
            return [await archive.ingest(real_images) for _ in range(2)]

    return anyio.run(twice)


@pytest.fixture(scope="module")
def outcomes(runs: list[IngestSummary], data_dir: Path) -> dict[Path, str | None]:
    """Why each file is no image; None for those that are."""
    assert runs
    refused = dict(rows(data_dir, BAD_FILES))
    return {Path(path): refused.get(path) for (path,) in rows(data_dir, "SELECT path FROM files")}


def test_every_chest_image_is_ingested(outcomes: dict[Path, str | None]):
    for folder, count in CHEST.items():
        found = {path.name: reason for path, reason in outcomes.items() if path.parent.name == folder}
        assert found == dict.fromkeys(found)
        assert len(found) == count


def test_each_other_file_has_its_reason(outcomes: dict[Path, str | None]):
    others = {path.name: reason for path, reason in outcomes.items() if path.parent.name not in CHEST}
    meant = {name: reason for reason, names in REASONS.items() for name in names}
    assert others == meant | dict.fromkeys(TAKEN_TOO)


def test_the_figures_add_up_and_a_second_run_adds_none(runs: list[IngestSummary]):
    first, second = runs
    images, bad = sum(CHEST.values()) + len(TAKEN_TOO), {reason: len(names) for reason, names in REASONS.items()}
    assert (first.added, first.errors_by_reason, first.remaining) == (images, bad, 0)
    assert first.found == images + sum(bad.values())
    assert (second.added, second.errors) == (0, 0)
    assert (second.skipped, second.recorded_bad) == (images, sum(bad.values()))
    assert second.total_in_store == images


async def test_a_copy_of_an_image_is_no_second_image(real_images: Path, tmp_path: Path):
    """Outside MIMIC's layout, the content of a PNG is its id."""
    images = tmp_path / "films"
    images.mkdir()
    for number, image in enumerate(sorted((real_images / "nih_png").iterdir())[:3]):
        for name in (f"a{number}.png", f"b{number}.png"):
            (images / name).write_bytes(image.read_bytes())
    async with open_archive(settings(environment(tmp_path / "data"))) as archive:
        summary = await archive.ingest(images)
    assert (summary.found, summary.added, summary.other_file_same_id) == (6, 3, 3)
