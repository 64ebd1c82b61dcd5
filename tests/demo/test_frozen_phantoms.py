"""The phantoms stay as the demonstration encoder saw them when it was trained.

Another processor may compute a pixel one level off. So a digest is that of the means of blocks in steps of 16 levels,
with an offset that leaves every mean far from the edge of its step.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.demo import draw_phantom
from mcp_cxr.demo._plan import plan_studies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

DIGESTS = Path(__file__).with_name("phantom_digests.txt")
PHANTOMS = 50
BLOCK, STEP = 8, 16


def test_fifty_phantoms_are_drawn_as_when_the_encoder_was_trained() -> None:
    drawn = list(drawn_phantoms())
    if "REFRESH_SNAPSHOTS" in os.environ:
        DIGESTS.write_text("".join(line(name, means, safest_offset(means)) for name, means in drawn))
    frozen = DIGESTS.read_text().splitlines(keepends=True)
    offsets = [int(each.split()[1]) for each in frozen]
    now = [line(name, means, offset) for (name, means), offset in zip(drawn, offsets, strict=True)]
    assert now == frozen, "These phantoms changed: train the demonstration encoder again, then refresh the digests."


def drawn_phantoms() -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield view and findings of the first phantoms of a plan, a quarter as large, and the means of their blocks."""
    planned = [(study, image) for study in plan_studies(PHANTOMS, 0) for image in study.images]
    for study, image in planned[:PHANTOMS]:
        rows, columns = (side // 4 // BLOCK * BLOCK for side in image.shape)
        pixels = draw_phantom(
            image.view, study.findings, patient=study.patient, exposure=image.exposure, rows=rows, columns=columns
        )
        shown = ", ".join(finding.kind for finding in study.findings) or "nothing"
        blocks = pixels.reshape(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK)
        yield f"{image.view} of {shown}", blocks.mean(axis=(1, 3))


def safest_offset(means: NDArray[np.float64]) -> int:
    return max(range(STEP), key=lambda offset: np.abs((means + offset + STEP / 2) % STEP - STEP / 2).min())


def line(name: str, means: NDArray[np.float64], offset: int) -> str:
    steps = ((means + offset) // STEP).astype("<i2")
    return f"{hashlib.sha256(steps.tobytes()).hexdigest()[:16]} {offset:>2}  {name}\n"
