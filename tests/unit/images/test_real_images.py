"""The real images, and the real edge cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_cxr.errors import ImageError
from mcp_cxr.images import is_image_candidate, read_image
from mcp_cxr.records import ImageSpec
from tests.unit.images.oracle import difference, usual_pipeline

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real

SPEC = ImageSpec(224, "L")
EDGES = {
    "dicom_edge_pydicom/CT_small.dcm": "not a radiograph (CT)",
    "dicom_edge_pydicom/DICOMDIR": "not an image (DICOMDIR)",
    "dicom_edge_pydicom/ExplVR_LitEndNoMeta.dcm": "not an image (RTPLAN)",
    "dicom_edge_pydicom/JPEG2000.dcm": "not a radiograph (NM)",
    "dicom_edge_pydicom/JPEGLSNearLossless_16.dcm": None,
    "dicom_edge_pydicom/JPGExtended_BAD.dcm": "not a radiograph (NM)",
    "dicom_edge_pydicom/MR_small_bigendian.dcm": "not a radiograph (MR)",
    "dicom_edge_pydicom/MR_truncated.dcm": "not a radiograph (MR)",
    "dicom_edge_pydicom/SC_rgb_jpeg_dcmtk.dcm": None,
    "dicom_edge_pydicom/UN_sequence.dcm": "no pixel data",
    "dicom_edge_pydicom/badVR.dcm": "not a radiograph (RTDOSE)",
    "dicom_edge_pydicom/empty_charset_LEI.dcm": "no pixel data",
    "dicom_edge_pydicom/examples_palette.dcm": "not a radiograph (US)",
    "dicom_edge_pydicom/image_dfl.dcm": None,
    "dicom_edge_pydicom/meta_missing_tsyntax.dcm": "no rows or columns",
    "dicom_edge_pydicom/nested_priv_SQ.dcm": "no rows or columns",
    "dicom_edge_pydicom/no_meta.dcm": "not DICOM",
    "dicom_edge_pydicom/no_meta_group_length.dcm": "no pixel data",
    "dicom_edge_pydicom/priv_SQ.dcm": "no pixel data",
    "dicom_edge_pydicom/reportsi.dcm": "not an image (SR)",
    "dicom_edge_pydicom/rtplan_truncated.dcm": "not an image (RTPLAN)",
    "dicom_edge_pydicom/test-SR.dcm": "not an image (SR)",
    "dicom_edge_pydicom/waveform_ecg.dcm": "not an image (ECG)",
    "dicom_edge_pydicom/zipMR.gz": "not a radiograph (MR)",
    "dicom_misc/bad_sequence.dcm": "not a radiograph (CT)",
    "dicom_misc/explicit_VR-UN.dcm": "not a radiograph (CT)",
    "dicom_misc/liver_nonbyte_aligned_deflate.dcm": "not an image (SEG)",
    "dicom_misc/mlut_18.dcm": None,
    "dicom_misc/vlut_04.dcm": None,
    "dicom_misc/wg04_RG3_J2KR.dcm": "not a chest radiograph (body part)",
}
ANY_BODY_PART = {
    "dicom_edge_pydicom/CT_small.dcm": None,
    "dicom_edge_pydicom/JPEG2000.dcm": None,
    "dicom_edge_pydicom/JPGExtended_BAD.dcm": None,
    "dicom_edge_pydicom/MR_small_bigendian.dcm": None,
    "dicom_edge_pydicom/MR_truncated.dcm": "truncated pixel data",
    "dicom_edge_pydicom/badVR.dcm": "neither 8 nor 16 bits, or neither one nor three samples",
    "dicom_edge_pydicom/examples_palette.dcm": None,
    "dicom_edge_pydicom/zipMR.gz": None,
    "dicom_misc/bad_sequence.dcm": None,
    "dicom_misc/explicit_VR-UN.dcm": None,
    "dicom_misc/wg04_RG3_J2KR.dcm": None,
}


def reason(path: Path, *, any_body_part: bool = False) -> str | None:
    """Why a file is no picture; None where it is one."""
    try:
        read_image(path, SPEC, any_body_part=any_body_part)
    except ImageError as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    ("folder", "count"), [("dicom_cxr", 3), ("nih_png", 18), ("hannover_png", 31), ("ieee8023", 8)]
)
def test_every_chest_image_is_read(real_images: Path, folder: str, count: int) -> None:
    paths = sorted((real_images / folder).iterdir())
    assert len(paths) == count
    assert all(map(is_image_candidate, paths))
    assert {path.name: reason(path) for path in paths} == dict.fromkeys(path.name for path in paths)


def test_every_edge_case_is_a_picture_or_has_its_reason(real_images: Path) -> None:
    assert {name: reason(real_images / name) for name in EDGES} == EDGES


def test_with_any_body_part_other_pictures_are_read(real_images: Path) -> None:
    assert {name: reason(real_images / name, any_body_part=True) for name in ANY_BODY_PART} == ANY_BODY_PART


@pytest.mark.parametrize(
    "name",
    [
        "dicom_cxr/nih_00000001_000.dcm",
        "dicom_cxr/wg04_RG1_J2KI.dcm",
        "dicom_misc/mlut_18.dcm",
        "dicom_misc/vlut_04.dcm",
        "dicom_misc/wg04_RG3_J2KR.dcm",
    ],
)
def test_real_images_look_as_the_usual_pipeline_shows_them(real_images: Path, name: str) -> None:
    read = read_image(real_images / name, SPEC, any_body_part=True).rendering.pixels
    largest, mean = difference(read, usual_pipeline(real_images / name, 224))
    assert largest <= 6
    assert mean <= 0.3
