"""A writer is killed again and again, a reader runs, the copy is deleted: nothing is lost, doubled or wrong.

`python -m tests.bench kills` does thirty rounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from tests.support.kills import kill_rounds

if TYPE_CHECKING:
    from pathlib import Path


async def test_nothing_is_lost_doubled_or_wrong_whenever_a_writer_is_killed(tmp_path: Path) -> None:
    with anyio.fail_after(100):
        done = await kill_rounds(tmp_path, rounds=3, dimension=64, seed=6)
    assert done["steps"] >= 3
    assert done["asked"] >= 1
