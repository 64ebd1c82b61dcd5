"""The standard's grayscale steps: known pixel values, and the meaning pydicom gives them.

Imports a private module: 8-bit grays would hide a difference from pydicom.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_windowing

from mcp_cxr.errors import UnsupportedImage
from mcp_cxr.images.dicom import GrayscaleParameters, Lut, Window
from mcp_cxr.images.pixels import ArrayRaster, ValueRange
from mcp_cxr.images.render import apply_lut, grayscale_table
from mcp_cxr.images.render._grayscale_table import apply_window

STORED = np.array([[0, 50, 100, 150, 200, 250]], np.uint16)


def entries(*values: int) -> Any:
    return np.array(values, np.uint16)


def scaled(
    stored: Any, treatment: GrayscaleParameters, window: Window | None = None
) -> tuple[list[list[int]], dict[str, Any]]:
    """Greys and record."""
    survey = ValueRange(ArrayRaster(stored))
    for _ in survey.strips_with_bits():
        pass
    table = grayscale_table(survey, treatment, stored.dtype, window=window)
    return table.grays(stored).tolist(), table.grayscale_steps


@pytest.mark.parametrize(
    ("treatment", "expected"),
    [
        # from 0 to 250, in steps of 50
        (GrayscaleParameters(), [0, 51, 102, 153, 204, 255]),
        # ((x - 99.5) / 100 + 0.5) clipped: 0, 0.005, 0.505, 1
        (GrayscaleParameters(window=Window(100, 101)), [0, 1, 128, 255, 255, 255]),
        # ((x - 100) / 100 + 0.5) clipped: 0, 0, 0.5, 1
        (GrayscaleParameters(window=Window(100, 100, "LINEAR_EXACT")), [0, 0, 127, 255, 255, 255]),
        # 1 / (1 + exp(-4 (x - 100) / 200)) = .1192 .2689 .5 .7311 .8808 .9526, then stretched from .1192 to .9526
        (GrayscaleParameters(window=Window(100, 200, "SIGMOID")), [0, 45, 116, 187, 233, 255]),
        # places 0, 0, 1, 2, 2, 2 after clipping x - 99 to the table
        (GrayscaleParameters(voi_lut=Lut(99, entries(10, 20, 30))), [0, 0, 127, 255, 255, 255]),
        # entries 5 and 1005 by x > 0, then as they are
        (GrayscaleParameters(modality_lut=Lut(0, entries(5, 1005))), [0, 255, 255, 255, 255, 255]),
        # 2x - 100: -100, 0, 100, 200, 300, 400; window from 0 to 200
        (
            GrayscaleParameters(slope=2, intercept=-100, window=Window(100, 200, "LINEAR_EXACT")),
            [0, 0, 127, 255, 255, 255],
        ),
        # VOI LUT goes before the window
        (GrayscaleParameters(voi_lut=Lut(0, entries(7, 9)), window=Window(100, 101)), [0, 255, 255, 255, 255, 255]),
        (GrayscaleParameters(inverse=True), [255, 204, 153, 102, 51, 0]),
        # 250 is no part of the image: black, and 200 is the brightest
        (GrayscaleParameters(padding=(250, 250)), [0, 63, 127, 191, 255, 0]),
        # inverted, 0 is the padding: 50 is the brightest, and padding stays black
        (GrayscaleParameters(padding=(0, 0), inverse=True), [0, 255, 191, 127, 63, 0]),
        (GrayscaleParameters(padding=(200, 250)), [0, 85, 170, 255, 0, 0]),
    ],
)
def test_known_pixel_values(treatment: GrayscaleParameters, expected: list[int]) -> None:
    assert scaled(STORED, treatment)[0] == [expected]


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("center", "width"), [(2048, 4096), (2010, 3620), (100.5, 1), (-50, 300), (4000.25, 17.5)])
def test_windows_mean_what_pydicom_means(function: Any, center: float, width: float) -> None:
    values = np.arange(4096, dtype=np.float64)
    facts = Dataset()
    facts.PhotometricInterpretation, facts.BitsStored, facts.PixelRepresentation = "MONOCHROME2", 12, 0
    facts.WindowCenter, facts.WindowWidth, facts.VOILUTFunction = center, width, function
    with np.errstate(all="ignore"):
        ours, theirs = apply_window(values, Window(center, width, function)), apply_windowing(values, facts) / 4095
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_a_signed_first_value_may_have_an_unsigned_vr() -> None:
    values = np.array([-2000.0, -1999.0, 100.0])
    assert apply_lut(values, Lut(65536 - 2000, entries(1, 2, 3))).tolist() == [1, 2, 3]


def test_signed_values_keep_their_order() -> None:
    assert scaled(np.array([[-1000, 0, 1000]], np.int16), GrayscaleParameters())[0] == [[0, 127, 255]]


def test_what_was_done_is_recorded() -> None:
    assert scaled(STORED, GrayscaleParameters(slope=2, intercept=-100, window=Window(100, 200)))[1] == {
        "modality": "rescale",
        "slope": 2,
        "intercept": -100,
        "voi": "window",
        "center": 100,
        "width": 200,
        "function": "LINEAR",
        "inverted": False,
        "notes": [],
    }
    assert scaled(STORED, GrayscaleParameters(inverse=True))[1] == {
        "modality": "identity",
        "voi": "stretch",
        "low": 0.0,
        "high": 250.0,
        "inverted": True,
        "notes": [],
    }


def test_a_window_beside_the_image_is_passed_over() -> None:
    _, grayscale_steps = scaled(STORED, GrayscaleParameters(window=Window(40_000, 100)))
    assert grayscale_steps["voi"] == "stretch"
    assert grayscale_steps["notes"] == ["window that blanks the image ignored"]


RADIOGRAPH = np.linspace(950, 4095, 10_000).astype(np.uint16).reshape(100, 100)


@pytest.mark.parametrize(
    ("treatment", "note"),
    [
        (GrayscaleParameters(window=Window(4091, 6)), "window that blanks the image ignored"),
        (GrayscaleParameters(window=Window(1000, 10)), "window that blanks the image ignored"),
        (GrayscaleParameters(window=Window(1000, 10), inverse=True), "window that blanks the image ignored"),
        (GrayscaleParameters(window=Window(960, 10, "SIGMOID")), "window that blanks the image ignored"),
        (GrayscaleParameters(window=Window(4091, 6), padding=(950, 1500)), "window that blanks the image ignored"),
        (GrayscaleParameters(voi_lut=Lut(4090, entries(1, 2, 3))), "VOI LUT that blanks the image ignored"),
    ],
)
def test_a_window_that_leaves_nearly_one_gray_is_passed_over(treatment: GrayscaleParameters, note: str) -> None:
    _, grayscale_steps = scaled(RADIOGRAPH, treatment)
    assert (grayscale_steps["voi"], grayscale_steps["notes"]) == ("stretch", [note])


def test_a_window_that_shows_a_twentieth_of_the_image_is_kept() -> None:
    assert scaled(RADIOGRAPH, GrayscaleParameters(window=Window(4000, 100)))[1]["voi"] == "window"


def test_a_chosen_window_is_kept_to_exactly() -> None:
    assert scaled(STORED, GrayscaleParameters(), Window(500, 1001))[0] == [[0, 12, 25, 38, 51, 63]]


@pytest.mark.parametrize(
    ("stored", "treatment"),
    [
        (np.full((4, 4), 7, np.uint16), GrayscaleParameters()),
        (STORED, GrayscaleParameters(slope=0, intercept=5)),
        (STORED, GrayscaleParameters(padding=(0, 250))),
        (STORED, GrayscaleParameters(slope=1e308, intercept=1e308)),
    ],
)
def test_a_blank_image_is_refused(stored: Any, treatment: GrayscaleParameters) -> None:
    with pytest.raises(UnsupportedImage, match="blank image"):
        scaled(stored, treatment)
