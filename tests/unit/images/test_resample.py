"""The last step to the embedder's size is Pillow's, only faster.

Imports a private module: a rendering has no counterpart by Pillow to compare with.
"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mcp_cxr.images.render._resample import bicubic
from tests.unit.images.oracle import difference


@pytest.mark.parametrize(
    ("rows", "columns", "size"),
    [(612, 636, 224), (611, 700, 224), (448, 460, 224), (100, 130, 224), (224, 224, 224), (1, 9, 5)],
)
@pytest.mark.parametrize("missing", [0.0, 0.8])
def test_it_is_pillows(rows: int, columns: int, size: int, missing: float) -> None:
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(0, 2, (rows // 5 + 1, columns // 5 + 1)) * 255, np.ones((5, 5)))[:rows, :columns]
    pixels = (pixels * rng.random(pixels.shape)).astype(np.uint8)  # edges as sharp as they come, and noise
    width, height = columns - missing, rows - missing
    theirs = Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC, (0, 0, width, height))
    largest, mean = difference(bicubic(pixels, size, width=width, height=height), np.asarray(theirs))
    assert largest <= 2
    assert mean < 0.005
