"""The local encoder beside transformers: what `tests/reference_models/write.py` wrote of CLIP and SigLIP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mcp_cxr.embeddings.local._encoder import Encoder, describe_encoder
from mcp_cxr.embeddings.local._onnx_sessions import SessionOptions
from mcp_cxr.images.render import to_rendering
from mcp_cxr.images.render._render_gray import GrayImage
from tests.reference_models.drawn import TEXTS, drawn_images

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODELS = Path(__file__).parents[1] / "reference_models"


@pytest.fixture(params=["clip", "siglip"])
def folder(request: pytest.FixtureRequest) -> Path:
    return MODELS / request.param


@pytest.fixture
def encoder(folder: Path) -> Encoder:
    return Encoder(describe_encoder(folder), SessionOptions())


@pytest.fixture
def expected(folder: Path) -> dict[str, NDArray[np.float32]]:
    with np.load(folder / "expected.npz") as arrays:
        return dict(arrays)


def renderings(encoder: Encoder) -> list[NDArray[np.uint8]]:
    spec = encoder.description.image_recipe.spec
    return [
        to_rendering(GrayImage(pixels, pixels.shape[1], pixels.shape[0], {}), spec).pixels for pixels in drawn_images()
    ]


def test_images_get_the_vectors_of_transformers(encoder: Encoder, expected: dict[str, NDArray[np.float32]]):
    vectors = encoder.embed_images(renderings(encoder))
    assert len(vectors) == 24
    assert (vectors * expected["image_vectors"]).sum(axis=1).min() >= 0.999999


def test_texts_get_the_vectors_of_transformers(encoder: Encoder, expected: dict[str, NDArray[np.float32]]):
    vectors = encoder.embed_texts(TEXTS)
    assert len(vectors) == 20
    assert (vectors * expected["text_vectors"]).sum(axis=1).min() >= 0.999999


def test_a_text_alone_gets_the_vector_it_gets_in_a_batch(encoder: Encoder, expected: dict[str, NDArray[np.float32]]):
    for text, vector in zip(TEXTS, expected["text_vectors"], strict=True):
        assert float(encoder.embed_texts([text])[0] @ vector) >= 0.999999


def test_pixels_are_those_of_transformers(encoder: Encoder, expected: dict[str, NDArray[np.float32]]):
    pixels = expected["pixel_values"]
    found = encoder.description.image_recipe.tensor(renderings(encoder)[: len(pixels)], "float32")
    np.testing.assert_allclose(found, pixels, atol=1e-5)


def test_tokens_are_those_of_transformers(encoder: Encoder, expected: dict[str, NDArray[np.int64]]):
    found = np.array(encoder.tokenizer.tokens(TEXTS))
    np.testing.assert_array_equal(found, expected["tokens"])
