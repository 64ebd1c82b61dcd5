"""Broken grayscale elements count as absent, and are noted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from mcp_cxr.images import read_image
from mcp_cxr.records import ImageSpec
from tests.unit.images.making import dicom_image, lut, phantom, saved
from tests.unit.images.oracle import difference, usual_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import FileDataset

SPEC = ImageSpec(64, "L")
CURVE = (4095 * (np.arange(4096) / 4095) ** 2).astype("<u2")


def with_raw(facts: FileDataset, **texts: bytes) -> FileDataset:
    """Write decimal strings just as they are."""
    for keyword, value in texts.items():
        tag = Tag(keyword)
        facts[tag] = RawDataElement(tag, "DS", len(value), value, 0, is_implicit_VR=False, is_little_endian=True)
    return facts


@pytest.mark.parametrize(
    ("elements", "note"),
    [
        ({"WindowCenter": b"2000", "WindowWidth": b"0 "}, "window width below 1 ignored"),
        ({"WindowCenter": b"2000"}, "incomplete window ignored"),
        ({"WindowCenter": b"2000", "WindowWidth": b"wide"}, "incomplete window ignored"),
        ({"WindowCenter": b"nan ", "WindowWidth": b"100 "}, "incomplete window ignored"),
        ({"RescaleSlope": b"", "RescaleIntercept": b"0 "}, "incomplete rescale ignored"),
        ({"RescaleSlope": b"2 "}, "incomplete rescale ignored"),
    ],
)
def test_a_broken_number_counts_as_absent(tmp_path: Path, elements: dict[str, bytes], note: str) -> None:
    read = read_image(saved(with_raw(dicom_image(), **elements), tmp_path / "film.dcm"), SPEC)
    plain = read_image(saved(dicom_image(), tmp_path / "plain.dcm"), SPEC)
    assert read.grayscale["notes"] == [note]
    assert np.array_equal(read.rendering.pixels, plain.rendering.pixels)


@pytest.mark.parametrize(
    ("elements", "note"),
    [
        ({"VOILUTSequence": Sequence([])}, "broken VOI LUT ignored"),
        ({"ModalityLUTSequence": Sequence([])}, "broken modality LUT ignored"),
        ({"VOILUTSequence": lut(CURVE[:100], depth=40)}, "broken VOI LUT ignored"),
        ({"WindowCenter": 5, "WindowWidth": 9, "VOILUTFunction": "CUBIC"}, "window of an unknown function ignored"),
    ],
)
def test_a_broken_table_counts_as_absent(tmp_path: Path, elements: dict[str, Any], note: str) -> None:
    read = read_image(saved(dicom_image(**elements), tmp_path / "film.dcm"), SPEC)
    assert (read.grayscale["voi"], read.grayscale["notes"]) == ("stretch", [note])


def test_a_table_shorter_than_it_says_counts_as_absent(tmp_path: Path) -> None:
    facts = dicom_image(VOILUTSequence=lut(CURVE), WindowCenter=2000, WindowWidth=3000)
    facts.VOILUTSequence[0].LUTData = CURVE[:1000].tobytes()
    read = read_image(saved(facts, tmp_path / "film.dcm"), SPEC)
    assert (read.grayscale["voi"], read.grayscale["notes"]) == ("window", ["broken VOI LUT ignored"])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e300, 70000.0])
def test_a_table_of_numbers_that_fit_no_entry_counts_as_absent(tmp_path: Path, wrong: float) -> None:
    """Warnings are errors in tests: a cast of NaN to an integer brings one on stderr."""
    facts = dicom_image(VOILUTSequence=lut(CURVE))
    entries = CURVE.astype(float)
    entries[7] = wrong
    facts.VOILUTSequence[0].add_new("LUTData", "FD", entries.tolist())
    read = read_image(saved(facts, tmp_path / "film.dcm"), SPEC)
    assert (read.grayscale["voi"], read.grayscale["notes"]) == ("stretch", ["broken VOI LUT ignored"])


def test_eight_bit_entries_may_stand_in_eight_or_sixteen_bits(tmp_path: Path) -> None:
    narrow = (CURVE >> 4).astype(np.uint8)
    in_eight, in_sixteen = (
        read_image(saved(dicom_image(VOILUTSequence=lut(each, depth=8)), tmp_path / "film.dcm"), SPEC).rendering.pixels
        for each in (narrow, narrow.astype("<u2"))
    )
    assert np.array_equal(in_eight, in_sixteen)
    assert len(np.unique(in_eight)) > 20


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"WindowCenter": 2010, "WindowWidth": 3620},
        {"WindowCenter": [1500, 9], "WindowWidth": [2500, 9]},
        {"WindowCenter": 2000, "WindowWidth": 1500, "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": 900, "WindowWidth": 700, "RescaleSlope": 0.5, "RescaleIntercept": -100},
        {"VOILUTSequence": lut(CURVE, depth=12), "WindowCenter": 5, "WindowWidth": 9},
        {"RescaleSlope": 1, "RescaleIntercept": 0, "VOILUTSequence": lut(CURVE, depth=12)},
        {"ModalityLUTSequence": lut(CURVE), "WindowCenter": 2010, "WindowWidth": 3620},
        {"PresentationLUTShape": "INVERSE"},
    ],
)
@pytest.mark.filterwarnings("ignore:Applying a VOI LUT on a float")  # the oracle does not skip an identity rescale
def test_images_look_as_the_usual_pipeline_shows_them(
    tmp_path: Path, photometric: str, elements: dict[str, Any]
) -> None:
    pixels = phantom(531, 477)
    path = saved(dicom_image(pixels, PhotometricInterpretation=photometric, **elements), tmp_path / "film.dcm")
    largest, mean = difference(read_image(path, ImageSpec(224, "L")).rendering.pixels, usual_pipeline(path, 224))
    assert largest <= 6
    assert mean <= 0.3


def test_padding_of_the_other_sign_is_masked(tmp_path: Path) -> None:
    pixels = phantom().astype(np.int16) - 1000
    pixels[:5] = -2000
    facts = dicom_image(pixels, BitsStored=16, HighBit=15)
    facts.add_new("PixelPaddingValue", "US", 65536 - 2000)
    read = read_image(saved(facts, tmp_path / "film.dcm"), SPEC)
    assert read.grayscale["low"] > -1000 - 1
