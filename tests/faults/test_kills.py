"""Writers are killed while a reader runs and the int8 copy is deleted: nothing is lost, duplicated or wrong.

`python -m tests.bench kills` does thirty rounds on each store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.archive_locations import FolderLocation, ServerLocation
from tests.support.iris import plain_server
from tests.support.kills import kill_rounds

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("store", "rounds", "dimension"), [("embedded", 3, 64), ("iris", 2, 16)])
async def test_a_killed_writer_loses_duplicates_and_damages_nothing(
    store: str, rounds: int, dimension: int, tmp_path: Path
) -> None:
    place = FolderLocation(tmp_path) if store == "embedded" else ServerLocation.on(plain_server())
    with anyio.fail_after(100):
        done = await kill_rounds(place, rounds=rounds, dimension=dimension, seed=6)
    assert done["steps"] >= rounds
    assert done["searches"] >= 1
