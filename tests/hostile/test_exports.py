"""An exported selection holds no formula and no path that leads out of a folder, whatever ids the archive keeps."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, cast

import pytest

from mcp_cxr.chat.backend import Origin, to_csv, write_zip
from mcp_cxr.records import Hit

if TYPE_CHECKING:
    from mcp_cxr.chat.backend import Backend

HOSTILE_IDS = (
    "../../evil",
    "..",
    "/etc/passwd",
    "C:\\Windows\\evil",
    "a/b",
    "nul\0byte",
    ".hidden",
    "=1+1",
    "con:stream",
    "x" * 400,
    "\u202egnp.exe",
    "",
)


class Renderings:
    """A backend whose every image is three bytes."""

    async def rendering(self, image_id: str, max_px: int) -> tuple[bytes, str]:
        return b"png", "image/png"


ORIGIN: Origin = {"question": "=1+1", "filters": {}, "fingerprint": "m", "searched_at": "2026-01-01"}


def hits(*image_ids: str, rank: int | None = None) -> list[Hit]:
    return [
        Hit(
            rank=rank or number,
            image_id=image_id,
            study_id="=s",
            subject_id="@p",
            view_position="PA",
            path=f"/data/{number}",
            why=[],
        )
        for number, image_id in enumerate(image_ids, start=1)
    ]


async def names_of(selected: list[Hit]) -> list[str]:
    file = io.BytesIO()
    await write_zip(file, cast("Backend", Renderings()), selected, ORIGIN, originals=False)
    with zipfile.ZipFile(file) as packed:
        table, *names = packed.namelist()
    assert table == "results.csv"
    return names


@pytest.mark.parametrize("image_id", HOSTILE_IDS)
async def test_a_zip_entry_is_a_plain_file_name_that_begins_with_the_rank(image_id: str):
    (name,) = await names_of(hits(image_id))
    assert name.startswith("001_")
    assert name.endswith(".png")
    assert PurePosixPath(name).name == PureWindowsPath(name).name == name
    assert name.isascii()
    assert set(name) <= set("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.")
    assert ".." not in name
    assert len(name) < 80


async def test_zip_entries_keep_the_order_and_a_plain_id():
    ids = ("02aa804e-bde0afdd-112c0b34-7bc16630-4e384014", "1.2.840.1")
    assert await names_of(hits(*ids)) == [f"001_{ids[0]}.png", f"002_{ids[1]}.png"]


async def test_images_of_one_rank_whose_cleaned_ids_are_equal_are_all_in_the_zip():
    found = await names_of(hits("a/b", "a_b", "A:B", rank=7))
    assert found == ["007_a_b.png", "007_a_b_2.png", "007_A_B_3.png"]


def test_the_csv_of_a_selection_holds_no_formula():
    (row,) = csv.DictReader(io.StringIO(to_csv(hits("=cmd|' /C calc'!A0"), ORIGIN).decode(), newline=""))
    assert (row["image_id"], row["study_id"], row["subject_id"]) == ("'=cmd|' /C calc'!A0", "'=s", "'@p")
    assert (row["rank"], row["path"]) == ("1", "/data/1")
    assert row["question"] == "'=1+1"
