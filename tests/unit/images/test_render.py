"""The picture an embedder gets, and the view a person gets."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np
import pytest
from PIL import Image

from mcp_cxr.errors import UnsupportedImage
from mcp_cxr.images import ContactSheetTile, DisplayOptions, ImageReader, contact_sheet, render_view
from mcp_cxr.records import ImageSpec
from tests.unit.images.making import DX, dicom_image, phantom, saved

CT = "1.2.840.10008.5.1.4.1.1.2"

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.images import ImageView


def decoded(view: ImageView) -> Any:
    return np.asarray(Image.open(io.BytesIO(view.data)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return saved(dicom_image(phantom(300, 200), WindowCenter=2000, WindowWidth=3000), tmp_path / "film.dcm")


async def test_a_reader_gives_header_picture_and_view(path: Path) -> None:
    async with ImageReader() as reader:
        header = await reader.read_header(path)
        read = await reader.read_image(path, ImageSpec(224, "RGB", jpeg_quality=95))
        view = await reader.render_view(path, DisplayOptions(max_px=150))
    assert header == read.header == view.header
    assert read.rendering.pixels.shape == (224, 224, 3)
    assert read.rendering.jpeg is not None
    assert Image.open(io.BytesIO(read.rendering.jpeg)).size == (224, 224)
    assert (view.mime_type, view.width, view.height) == ("image/png", 100, 150)


async def test_one_bad_file_among_many_fails_alone(tmp_path: Path) -> None:
    paths = [saved(dicom_image(SOPClassUID=CT if n == 2 else DX), tmp_path / f"{n}.dcm") for n in range(5)]
    outcomes: dict[Path, str] = {}

    async def read(path: Path) -> None:
        try:
            await reader.read_image(path, ImageSpec(64, "L"))
        except UnsupportedImage as error:
            outcomes[path] = error.reason
        else:
            outcomes[path] = "read"

    async with ImageReader(workers=2) as reader, anyio.create_task_group() as tasks:
        for path in paths:
            tasks.start_soon(read, path)
    assert [outcomes[path] for path in paths] == ["read", "read", "not a radiograph (CT)", "read", "read"]


def test_a_view_is_never_enlarged(path: Path) -> None:
    view = render_view(path, DisplayOptions(max_px=4000))
    assert (view.width, view.height) == (200, 300)
    assert decoded(view).shape == (300, 200)


def test_a_region_is_cut_from_the_full_size(path: Path) -> None:
    whole, part = render_view(path, DisplayOptions()), render_view(path, DisplayOptions(region=(0.25, 0.5, 0.75, 1)))
    assert np.array_equal(decoded(part), decoded(whole)[150:300, 50:150])


def test_a_sliver_is_still_a_picture(path: Path) -> None:
    view = render_view(path, DisplayOptions(region=(0.5, 0, 0.5001, 1)))
    assert (view.width, view.height) == (1, 300)


def test_inverting_turns_the_grays_round(path: Path) -> None:
    plain, inverted = render_view(path, DisplayOptions()), render_view(path, DisplayOptions(invert=True))
    apart = decoded(plain).astype(int) + decoded(inverted)
    assert set(np.unique(apart)) <= {254, 255}
    assert (plain.grayscale["inverted"], inverted.grayscale["inverted"]) == (False, True)


def test_a_chosen_window_stands_in_for_the_header_s(path: Path) -> None:
    view = render_view(path, DisplayOptions(window_center=1000, window_width=100))
    assert view.grayscale["center"] == 1000
    stored = phantom(300, 200).astype(float)
    grays = np.clip((stored - 999.5) / 99 + 0.5, 0, 1) * 255
    assert np.abs(decoded(view) - grays).max() <= 1


def test_a_view_stays_small_enough_for_a_tool_s_result(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 4096, (2200, 2200), np.uint16)
    view = render_view(saved(dicom_image(noise), tmp_path / "film.dcm"), DisplayOptions(max_px=2200))
    assert view.mime_type == "image/jpeg"
    assert len(view.data) <= 700_000
    assert decoded(view).shape == (view.height, view.width)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"window_center": 5}, "together"),
        ({"window_width": 5}, "together"),
        ({"window_center": 5, "window_width": 0}, "window_width"),
        ({"window_center": 5, "window_width": float("nan")}, "window_width"),
        ({"window_center": float("inf"), "window_width": 5}, "window_center"),
        ({"region": (0, 0, 0, 1)}, "region"),
        ({"region": (0, 0, 1.5, 1)}, "region"),
        ({"region": (0, 0, 1)}, "region"),
        ({"region": (float("nan"), 0, 1, 1)}, "region"),
        ({"max_px": 0}, "max_px"),
        ({"max_px": 100_000}, "max_px"),
    ],
)
def test_impossible_viewing_is_refused_in_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DisplayOptions(**values)


def test_a_contact_sheet_holds_every_tile() -> None:
    tiles = [ContactSheetTile(np.full((50, 30 + n), 200, np.uint8), (f"film {n}", "a line " * 30)) for n in range(5)]
    sheet = Image.open(io.BytesIO(contact_sheet(tiles, columns=3)))
    assert sheet.format == "PNG"
    assert sheet.width == 3 * 300 + 20
    grays = np.asarray(sheet.convert("L"))
    cells = [(row, column) for row in range(2) for column in range(3)]
    bright = [
        bool((grays[20 + row * (sheet.height // 2) :][:280, 20 + column * 300 :][:, :280] == 200).any())
        for row, column in cells
    ]
    assert bright == [True, True, True, True, True, False]


def test_an_empty_contact_sheet_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([], columns=3)
