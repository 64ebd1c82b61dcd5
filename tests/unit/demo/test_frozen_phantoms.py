"""The phantoms stay as the demonstration encoder saw them when it was trained."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_cxr.demo import draw_phantom
from mcp_cxr.demo._plan import plan_studies

if TYPE_CHECKING:
    from collections.abc import Iterator

DIGESTS = Path(__file__).with_name("phantom_digests.txt")
PHANTOMS = 50


def test_fifty_phantoms_are_drawn_as_when_the_encoder_was_trained() -> None:
    drawn = list(_digests())
    if "REFRESH_SNAPSHOTS" in os.environ:
        DIGESTS.write_text("\n".join(drawn) + "\n")
    frozen = DIGESTS.read_text().splitlines()
    assert drawn == frozen, "These phantoms changed: train the demonstration encoder again, then refresh the digests."


def _digests() -> Iterator[str]:
    """Yield view, findings and digest of the first phantoms of a plan, at a quarter of their size."""
    planned = [(study, image) for study in plan_studies(PHANTOMS, 0) for image in study.images]
    for study, image in planned[:PHANTOMS]:
        rows, columns = image.shape
        pixels = draw_phantom(
            image.view,
            study.findings,
            patient=study.patient,
            exposure=image.exposure,
            rows=rows // 4,
            columns=columns // 4,
        )
        shown = ", ".join(finding.kind for finding in study.findings) or "nothing"
        yield f"{image.view:<8}{hashlib.sha256(pixels.tobytes()).hexdigest()[:16]}  {shown}"
