"""DICOM files changed by their structure: each is an image or has a typed reason, within time and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fuzz.headers import KIB, read_changed

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = range(40)
"""`make soak` reads 2,000 more, with other seeds each time."""


async def test_headers_changed_by_their_structure_end_in_an_image_or_a_reason(tmp_path: Path) -> None:
    found = await read_changed(SEEDS, tmp_path)
    assert found.faults == []
    assert sum(found.reasons.values()) == len(SEEDS)
    assert found.reasons["read"] > 5
    assert len(found.reasons) > 5
    assert found.grown_kib < KIB
