"""`mcp-cxr doctor --deep --write` on a real server, small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_cxr.server_check import CheckRecord, Parts, expectations
from mcp_cxr.server_check.iris import WriteSize, check_iris, check_iris_by_writing

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live_iris.conftest import LiveBackend

pytestmark = pytest.mark.iris_live


async def test_every_part_is_finished(backend: LiveBackend, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = Parts()
    facts = await check_iris(backend.config, parts)
    facts = await check_iris_by_writing(backend.config, facts, WriteSize(2000, 256, 200), tmp_path, parts)
    found = expectations(CheckRecord(mcp_cxr="0.1.0", python="3.11.0", iris=facts))
    with capsys.disabled():
        for one in found:
            if not one.holds:
                print(f"\n{one.name}: {one.meaning}")  # noqa: T201  # to be read
    assert [one.name for one in found if one.name.startswith("part ") and not one.holds] == []
