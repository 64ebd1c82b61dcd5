"""A writer is killed again and again, a reader runs, the copy is deleted: nothing is lost, doubled or wrong.

`python -m tests.bench kills` does thirty rounds on each store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.iris import plain_server
from tests.support.kills import kill_rounds
from tests.support.places import Folder, Server

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("store", "rounds", "dimension"), [("embedded", 3, 64), ("iris", 2, 16)])
async def test_nothing_is_lost_doubled_or_wrong_whenever_a_writer_is_killed(
    store: str, rounds: int, dimension: int, tmp_path: Path
) -> None:
    place = Folder(tmp_path) if store == "embedded" else Server.on(plain_server())
    with anyio.fail_after(100):
        done = await kill_rounds(place, rounds=rounds, dimension=dimension, seed=6)
    assert done["steps"] >= rounds
    assert done["asked"] >= 1
