"""Which way the rays went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.images import parse_view_position, read_header
from tests.unit.images.making import coded, dicom_image, saved

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "view"),
    [
        ("PA", "PA"),
        (" ap ", "AP"),
        ("LL", "LL"),
        ("RL", "RL"),
        ("LATERAL", "LATERAL"),
        ("LAT", "LATERAL"),
        ("LARGE LATERAL", "LATERAL"),
        ("LEFT LATERAL", "LL"),
        ("right lateral", "RL"),
        ("postero-anterior", "PA"),
        ("Antero-posterior", "AP"),
        ("posteroanterior", "PA"),
        ("Thorax p.a.", "PA"),
        ("LPO", "OTHER"),
        ("AP LLD", "OTHER"),
        ("left lateral decubitus", "OTHER"),
        ("AP AXIAL", "OTHER"),
        ("postero-anterior oblique", "OTHER"),
        ("XTABLE LATERAL", "LATERAL"),
        ("PA AND LATERAL", None),
        ("", None),
        ("unknown", None),
        ("spatial", None),
    ],
)
def test_free_text_names_a_view(text: str, view: str | None) -> None:
    assert parse_view_position(text) == view


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"ViewPosition": "PA", "ViewCodeSequence": coded("R-10206", "antero-posterior")}, ("PA", "ViewPosition")),
        ({"ViewPosition": "", "ViewCodeSequence": coded("R-10206", "")}, ("AP", "ViewCodeSequence")),
        ({"ViewCodeSequence": coded("R-10214", "")}, ("PA", "ViewCodeSequence")),
        ({"ViewCodeSequence": coded("R-10236", "")}, ("LL", "ViewCodeSequence")),
        ({"ViewCodeSequence": coded("272479007", "")}, ("PA", "ViewCodeSequence")),
        ({"ViewCodeSequence": coded("private", "right lateral")}, ("RL", "ViewCodeSequence")),
        ({"SeriesDescription": "Chest lat", "StudyDescription": "CHEST (PA AND LAT)"}, ("LATERAL", "description")),
        ({"StudyDescription": "CHEST (PORTABLE AP)"}, ("AP", "description")),
        ({"StudyDescription": "CHEST (PA AND LAT)"}, ("UNKNOWN", "none")),
        ({"PatientOrientation": ["A", "F"]}, ("LATERAL", "orientation")),
        ({"PatientOrientation": ["L", "F"]}, ("UNKNOWN", "none")),
    ],
)
def test_the_header_tells_the_view_and_where_it_was_read(
    tmp_path: Path, elements: dict[str, Any], expected: tuple[str, str]
) -> None:
    header = read_header(saved(dicom_image(**elements), tmp_path / "film.dcm"))
    assert (header.view_position, header.view_source) == expected
