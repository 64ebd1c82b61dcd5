"""Every embedder as one parameter; add a new one here."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from mcp_cxr.demo import ENCODER_FOLDER
from mcp_cxr.embeddings import LocalConfig, LocalEmbedder, OfflineEmbedder
from mcp_cxr.embeddings.nvclip import NvclipConfig, NvclipEmbedder
from mcp_cxr.records import Rendering
from tests.standins.nvclip import StandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from mcp_cxr.embeddings import Embedder

PREPROCESSING = "test-1"
MODELS = Path(__file__).parents[2] / "reference_models"


@pytest.fixture(scope="session")
def standins() -> Iterator[dict[str, StandIn]]:
    """One process for each dialect; vLLM's model has the 1152 dimensions of MedSigLIP."""
    with StandIn("nim") as nim, StandIn("infinity") as infinity, StandIn("vllm", dimension=1152) as vllm:
        yield {"nim": nim, "infinity": infinity, "vllm": vllm}


@pytest.fixture(params=["offline", "local", "demo", "nim", "infinity", "vllm"])
def new_embedder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Embedder]:
    """Return a function that makes the embedder under test, not yet opened."""
    if request.param == "offline":
        return lambda: OfflineEmbedder(preprocessing=PREPROCESSING)
    if request.param in ("local", "demo"):
        folder = MODELS / "clip" if request.param == "local" else ENCODER_FOLDER
        known = tmp_path_factory.getbasetemp() / "encoders.json"  # one first load for all tests
        return lambda: LocalEmbedder(LocalConfig(folder, PREPROCESSING, known, allows_demo_encoder=True))
    standin: StandIn = request.getfixturevalue("standins")[request.param]
    config = NvclipConfig(
        base_url=standin.base_url,
        model=standin.model,
        dialect=request.param,
        image_size=64,
        preprocessing=PREPROCESSING,
    )
    return lambda: NvclipEmbedder(config)


@pytest.fixture
async def embedder(new_embedder: Callable[[], Embedder]) -> AsyncIterator[Embedder]:
    async with new_embedder() as opened:
        yield opened


@pytest.fixture
def new_rendering(new_embedder: Callable[[], Embedder]) -> Callable[[int], Rendering]:
    """Return a function that makes renderings as `image_spec` asks, a different one for each number."""
    spec = new_embedder().image_spec

    def make(number: int) -> Rendering:
        gray = np.random.default_rng(number).integers(0, 256, (8, 8), np.uint8)
        image = Image.fromarray(gray).resize((spec.size, spec.size)).convert(spec.mode)
        if spec.jpeg_quality is None:
            return Rendering(np.asarray(image))
        encoded = io.BytesIO()
        image.save(encoded, "JPEG", quality=spec.jpeg_quality)
        return Rendering(np.asarray(image), encoded.getvalue())

    return make
