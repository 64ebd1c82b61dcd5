"""The real client, and renderings to send."""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mcp_cxr.embeddings.nvclip import NvclipConfig, NvclipEmbedder, RequestPolicy
from mcp_cxr.records import Rendering

if TYPE_CHECKING:
    from tests.standins.nvclip._process import StandIn

_POLICY: dict[str, Any] = {"backoff_s": 0.01, "down_s": 60.0}
HURRY: dict[str, Any] = {"attempt_s": 0.3, "images_deadline_s": 1.0, "texts_deadline_s": 1.0}
"""For a service that hangs. Otherwise a slow machine would have requests repeated, which tests count."""


def config_for(standin: StandIn, **more: Any) -> NvclipConfig:
    """Return the configuration of a client of `standin`; `more` replaces any field."""
    known: dict[str, Any] = {"image_size": 32, "preprocessing": "test-1", "dialect": standin.dialect}
    known |= {"base_url": standin.base_url, "model": standin.model}
    return NvclipConfig(**(known | more))


def embedder_for(standin: StandIn, *, config: dict[str, Any] | None = None, **policy: Any) -> NvclipEmbedder:
    """Return a client of `standin` that retries at once and waits as long as a user's; `policy` replaces any time."""
    return NvclipEmbedder(config_for(standin, **(config or {})), policy=RequestPolicy(**(_POLICY | policy)))


@functools.cache
def rendering(number: int) -> Rendering:
    """Return a rendering of 32 x 32, a different one for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", quality=95)
    return Rendering(pixels, encoded.getvalue())


def renderings(count: int) -> list[Rendering]:
    return [rendering(number) for number in range(count)]
