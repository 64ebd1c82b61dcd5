"""verify walks every row and says what is wrong with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from tests.support.archives import ingested, opened, rows
from tests.support.films import mimic

if TYPE_CHECKING:
    from pathlib import Path

SPOIL = "UPDATE vectors SET vector = ? WHERE slot = (SELECT slot FROM images WHERE image_id = ?)"


async def test_each_kind_of_damage_is_counted(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "films"
    films = [mimic(folder, number) for number in range(6)]
    await ingested(data, folder)
    (vector,) = rows(data, "SELECT vector FROM vectors v JOIN images USING (slot) WHERE image_id = ?", films[0].stem)[0]
    length = len(vector) // 4
    rows(data, SPOIL, np.zeros(length, "<f4").tobytes(), films[1].stem)
    rows(data, SPOIL, np.full(length, np.nan, "<f4").tobytes(), films[2].stem)
    rows(data, SPOIL, vector, films[3].stem)
    os.utime(films[4], ns=(0, 0))
    films[5].unlink()  # a test may wait
    rows(data, "UPDATE images SET made_by = NULL WHERE image_id = ?", films[5].stem)
    async with opened(data) as archive:
        found = await archive.verify()
    assert found.images == 6
    assert found.problems == {
        "zero": 1,
        "not finite": 1,
        "duplicate vector": 1,
        "file changed": 1,
        "file gone": 0,  # the row of the file that went is foreign, and is not looked at further
        "foreign": 1,
    }


async def test_a_file_that_went_is_counted(tmp_path: Path) -> None:
    film = mimic(tmp_path / "films", 1)
    await ingested(tmp_path / "data", tmp_path / "films")
    film.unlink()  # a test may wait
    async with opened(tmp_path / "data") as archive:
        assert (await archive.verify()).problems["file gone"] == 1
