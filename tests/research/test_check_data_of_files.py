"""The check of the data on drawn images as files: inverted, turned and other images among upright phantoms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import anyio
import numpy as np
import pytest
from PIL import Image, ImageDraw

from mcp_cxr.demo.phantom import draw_phantom
from mcp_cxr.embeddings import OfflineEmbedder
from mcp_cxr.images import PREPROCESSING
from mcp_cxr.research.data_check import CheckPlan
from tests.support.archives import copy_memory_archive, ingested_in_memory, opened_in_memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp_cxr.research.data_check import CheckList

SIDE = 128
TURNED = {
    "turned left by 90 degrees": 1,
    "turned by 180 degrees": 2,
    "turned right by 90 degrees": -1,
}


def phantom(number: int) -> np.ndarray:
    """Return an upright chest, frontal or, every third one, lateral."""
    view = "LATERAL" if number % 3 == 2 else "PA"
    drawn = draw_phantom(view, (), patient=number, exposure=number, rows=SIDE, columns=SIDE).astype(np.float32)
    drawn = 255 * (drawn - drawn.min()) / (drawn.max() - drawn.min())
    return drawn.astype(np.uint8)


def drawing(draw: Callable[[ImageDraw.ImageDraw], None]) -> np.ndarray:
    picture = Image.new("L", (SIDE, SIDE), 10)
    draw(ImageDraw.Draw(picture))
    return np.array(picture)


def hand(pen: ImageDraw.ImageDraw) -> None:
    pen.ellipse((38, 64, 90, 122), fill=140)
    for finger in range(5):
        pen.rounded_rectangle((28 + 15 * finger, 12 + 10 * abs(finger - 2), 37 + 15 * finger, 84), 4, fill=170)


def page(pen: ImageDraw.ImageDraw) -> None:
    pen.rectangle((0, 0, SIDE, SIDE), fill=250)
    for line in range(10):
        pen.rectangle((12, 10 + 11 * line, 60 + 5 * line, 14 + 11 * line), fill=20)


def knee(pen: ImageDraw.ImageDraw) -> None:
    pen.rectangle((51, 0, 77, SIDE), fill=180)
    pen.ellipse((45, 51, 83, 77), fill=200)


OTHERS = {"hand": hand, "page": page, "knee": knee}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    for number in range(60):
        write(folder / f"upright{number}.png", phantom(number))
    for number in range(3):
        write(folder / f"inverted{number}.png", 255 - phantom(100 + number))
        for kind, turns in TURNED.items():
            write(folder / f"{kind} {number}.png", np.rot90(phantom(200 + number), turns))
    for name, draw in OTHERS.items():
        write(folder / f"other {name}.png", drawing(draw))
    return folder


@pytest.fixture(scope="module")
def planted(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data folder of an archive of these files; must not be changed."""
    data = tmp_path_factory.mktemp("data")
    anyio.run(ingested_in_memory, data, folder, OfflineEmbedder(preprocessing=PREPROCESSING))
    return data


def write(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)


async def checked(data: Path, name: str) -> tuple[CheckList, dict[str, str]]:
    """Return a list, and its entries' reasons by the name of their file."""
    async with opened_in_memory(data, OfflineEmbedder(preprocessing=PREPROCESSING)) as archive:
        check = await archive.check_data(CheckPlan(lists=(name,)))  # pyright: ignore[reportArgumentType]  # a list's name
        (found,) = check.lists
        stored = await archive.store.get([entry.images[0] for entry in found.entries])
    return found, {stored[one.images[0]].image.file.stem: one.reason for one in found.entries}


async def test_inverted_and_turned_images_are_found_with_what_was_done_to_them(planted: Path, tmp_path: Path):
    found, reasons = await checked(copy_memory_archive(planted, tmp_path / "own"), "orientation")
    expected = {f"inverted{number}": "inverted" for number in range(3)}
    expected |= {f"{kind} {number}": kind for kind in TURNED for number in range(3)}
    assert {
        name: re.sub(r"It looks (.*); with.*", r"\1", said) for name, said in reasons.items() if name in expected
    } == (expected)
    assert len([name for name in reasons if name.startswith("upright")]) <= 1
    assert found.notes[0] == "Mirror images are not looked for."


async def test_images_that_are_no_chest_are_found(planted: Path, tmp_path: Path):
    _, reasons = await checked(copy_memory_archive(planted, tmp_path / "own"), "outliers")
    assert {f"other {name}" for name in OTHERS} <= set(reasons)
    assert len([name for name in reasons if name.startswith("upright")]) <= 2


async def test_files_that_are_gone_leave_the_list_of_inverted_images_out(folder: Path, tmp_path: Path):
    own = tmp_path / "images"
    own.mkdir()
    for number in range(22):
        (own / f"{number}.png").write_bytes((folder / f"upright{number}.png").read_bytes())
    data = tmp_path / "data"
    await ingested_in_memory(data, own, OfflineEmbedder(preprocessing=PREPROCESSING))
    for number in range(5):
        (own / f"{number}.png").unlink()
    found, _ = await checked(data, "orientation")
    assert found.not_made == "Fewer than 20 image files of the archive can be read: too few to learn from."
