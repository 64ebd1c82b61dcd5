"""The phantom shows what it is asked to show, where a reader looks for it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mcp_cxr.demo import MAX_STORED_VALUE, Patient, PhantomFinding, draw_phantom, pixel_spacing_mm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mcp_cxr.demo.phantom import Grade, Kind, Side, View

PATIENTS = (0, 1, 2, 3, 4)
EXPOSURE = 7
APEX_CM = 5.3
"""From the upper edge, at this exposure."""
ROWS, COLUMNS = 512, 416


@functools.lru_cache(16)
def dicom_image(*findings: PhantomFinding, view: View = "PA", patient: int = 0) -> NDArray[np.float64]:
    return draw_phantom(view, findings, patient=patient, exposure=EXPOSURE, rows=ROWS, columns=COLUMNS).astype(
        np.float64
    )


def lung_run(row: NDArray[np.float64], *, side: Side) -> tuple[int, int]:
    """Where the lung of one side begins and ends in a row, in pixels from the middle of the image.

    It ends where the brightness is half way between its darkest pixel and the heart beside the spine.
    """
    half = row[: COLUMNS // 2][::-1] if side == "right" else row[COLUMNS // 2 :]
    darkest = 25 + int(half[25:150].argmin())
    edge = (half[darkest] + half[25]) / 2
    inwards, outwards = half[darkest::-1] > edge, half[darkest:] > edge
    return darkest - int(inwards.argmax()), darkest + int(outwards.argmax())


def cardiothoracic_ratio(*findings: PhantomFinding, view: View = "PA", patient: int = 0) -> float:
    """Widest heart over widest chest within its walls, above the domes (Danzer, 1919)."""
    smooth = [
        np.convolve(row, np.ones(7) / 7, mode="same") for row in dicom_image(*findings, view=view, patient=patient)
    ]
    domes = 0.86 - Patient.of(patient).right_dome
    above_domes = smooth[row_at(0.5, view=view, patient=patient) : row_at(domes, view=view, patient=patient)]
    spans = [(lung_run(row, side="left"), lung_run(row, side="right")) for row in above_domes]
    return max(left[0] + right[0] for left, right in spans) / max(left[1] + right[1] for left, right in spans)


def row_at(down: float, *, view: View = "PA", patient: int = 0) -> int:
    """The row at this share of the way from the apex to the costophrenic angle; a portable image is shallower."""
    height_cm = Patient.of(patient).height_cm * (0.86 if view == "AP" else 1)
    return round((APEX_CM + down * height_cm) * 10 / pixel_spacing_mm(ROWS, COLUMNS))


def spot(side: Side, *, out: float, down: float, patient: int = 0, size: int = 9) -> tuple[slice, slice]:
    """A small square at a place in the thorax: `out` from the midline, `down` from the apex, in its fractions."""
    body = Patient.of(patient)
    px_per_cm = 10 / pixel_spacing_mm(ROWS, COLUMNS)
    sign = -1 if side == "right" else 1
    x = COLUMNS / 2 + sign * out * body.half_width_cm * px_per_cm
    y = row_at(down, patient=patient)
    return slice(y - size, y + size), slice(round(x) - size, round(x) + size)


@pytest.mark.parametrize("view", ["PA", "AP", "LATERAL"])
def test_an_image_has_twelve_bits_and_uses_them(view: View) -> None:
    pixels = draw_phantom(view, patient=3, rows=512, columns=416)
    assert pixels.shape == (512, 416)
    assert pixels.dtype == np.uint16
    low, high = np.percentile(pixels, [1, 99])
    assert pixels.max() <= MAX_STORED_VALUE
    assert high - low > MAX_STORED_VALUE / 2


def test_the_same_seeds_draw_the_same_image() -> None:
    first, second = (draw_phantom("PA", patient=5, exposure=6) for _ in range(2))
    assert np.array_equal(first, second)


def test_patients_differ_more_than_two_exposures_of_one() -> None:
    def blurred(patient: int, exposure: int) -> NDArray[np.float64]:
        pixels = draw_phantom("PA", patient=patient, exposure=exposure, rows=512, columns=416).astype(np.float64)
        return pixels.reshape(16, 32, 16, 26).mean(axis=(1, 3))

    same = np.abs(blurred(1, 1) - blurred(1, 2)).mean()
    other = np.mean([np.abs(blurred(1, 1) - blurred(patient, 1)).mean() for patient in (2, 3, 4)])
    assert 0 < same < other


def test_lungs_are_darker_than_the_heart_and_the_abdomen() -> None:
    pixels = dicom_image()
    lung = pixels[spot("right", out=0.55, down=0.5)].mean()
    assert lung < pixels[spot("left", out=0.15, down=0.75)].mean()
    assert lung < pixels[spot("right", out=0.5, down=1.15)].mean()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("grade", ["small", "moderate", "large"])
def test_an_effusion_whitens_its_own_costophrenic_angle(side: Side, grade: Grade) -> None:
    other: Side = "left" if side == "right" else "right"
    for patient in PATIENTS:
        change = dicom_image(PhantomFinding("effusion", side, grade), patient=patient) - dicom_image(patient=patient)
        assert change[spot(side, out=0.9, down=0.92, patient=patient)].mean() > 150
        assert change[spot(other, out=0.9, down=0.92, patient=patient)].mean() == 0


def test_a_larger_effusion_reaches_higher() -> None:
    def whitened(grade: Grade) -> int:
        return int(((dicom_image(PhantomFinding("effusion", "left", grade)) - dicom_image()) > 200).any(axis=1).sum())

    assert whitened("trace") < whitened("small") < whitened("moderate") < whitened("large")


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_pneumothorax_darkens_the_apex_of_its_side_and_draws_a_line(side: Side) -> None:
    for patient in PATIENTS:
        change = dicom_image(PhantomFinding("pneumothorax", side, "large"), patient=patient) - dicom_image(
            patient=patient
        )
        assert change[spot(side, out=0.58, down=0.16, patient=patient)].mean() < -50
        assert change.max() > 100
        half = change[:, : COLUMNS // 2 - 20] if side == "left" else change[:, COLUMNS // 2 + 20 :]
        assert np.abs(half).max() == 0


def test_cardiomegaly_has_a_cardiothoracic_ratio_above_one_half_and_health_below() -> None:
    for patient in PATIENTS:
        for grade in ("small", "moderate", "large"):
            assert cardiothoracic_ratio(PhantomFinding("cardiomegaly", grade=grade), patient=patient) > 0.5
        assert cardiothoracic_ratio(patient=patient) < 0.5


@pytest.mark.parametrize("diameter_mm", [10, 25])
def test_a_nodule_is_a_round_opacity_of_its_diameter(diameter_mm: int) -> None:
    change = dicom_image(PhantomFinding("nodule", "right", diameter_mm=diameter_mm, zone="mid")) - dicom_image()
    rows, columns = np.nonzero(change > change.max() / 2)
    spacing = pixel_spacing_mm(ROWS, COLUMNS)
    assert columns.max() < COLUMNS / 2  # the patient's right is on the left of the image
    for extent in (np.ptp(rows), np.ptp(columns)):
        assert (extent + 1) * spacing == pytest.approx(0.85 * diameter_mm, rel=0.25)


@pytest.mark.parametrize("device", ["pacemaker", "central line", "endotracheal tube"])
@pytest.mark.parametrize("view", ["AP", "LATERAL"])
def test_a_device_is_brighter_than_what_it_covers(device: Kind, view: View) -> None:
    change = dicom_image(PhantomFinding(device), view=view) - dicom_image(view=view)
    assert change.max() > 250
    assert 0 < (change > 60).mean() < 0.05


@pytest.mark.parametrize("kind", ["effusion", "cardiomegaly", "nodule"])
def test_a_lateral_image_shows_it_too(kind: Kind) -> None:
    change = dicom_image(PhantomFinding(kind, "left", "moderate"), view="LATERAL") - dicom_image(view="LATERAL")
    assert change.max() > 300


def test_a_portable_image_shows_a_larger_heart_and_shallower_lungs() -> None:
    def dome_row(pixels: NDArray[np.float64]) -> int:
        column = pixels[200:450, int(0.3 * COLUMNS) : int(0.3 * COLUMNS) + 9].mean(axis=1)
        return 200 + int(np.diff(np.convolve(column, np.ones(9), mode="valid")).argmax())

    for patient in PATIENTS:
        assert cardiothoracic_ratio(patient=patient) < cardiothoracic_ratio(view="AP", patient=patient)
        assert dome_row(dicom_image(view="AP", patient=patient)) < dome_row(dicom_image(patient=patient)) - 20
