"""The vectors of a whole archive, and near duplicates: exactly those that a comparison of all pairs finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_cxr.errors import UnreadableFile
from mcp_cxr.images import mirrored
from mcp_cxr.records import ImageSpec, Rendering
from mcp_cxr.research.vectors import _near_duplicates as module
from mcp_cxr.research.vectors import archive_mean, mirrored_vectors, near_duplicates, read_vectors
from mcp_cxr.search import centered
from mcp_cxr.stores import EmbeddedStore, MemoryStore
from tests.support.toy import ToyEmbedder
from tests.unit.evaluate.archives import SyntheticImage, fill, random_vectors

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.records import StoredImage, Vectors

pytestmark = pytest.mark.anyio
LEAST = 0.99


def made_up(seed: int, rows: int, copies: int, *, noise: float = 0.02) -> Vectors:
    """Return vectors that share a direction, as those of chest X-rays do, of which the last ones repeat others."""
    draw = np.random.default_rng(seed)
    own = draw.normal(size=(rows, 48)) * np.geomspace(1, 0.1, 48) + 2
    repeated = own[draw.integers(0, rows, copies)] + noise * draw.normal(size=(copies, 48))
    both = np.vstack([own, repeated])
    return (both / np.linalg.norm(both, axis=1, keepdims=True)).astype(np.float32)


def test_images_that_are_all_the_same_are_near_duplicates():
    vectors = np.repeat(made_up(1, 1, 0), 5, axis=0)
    found = near_duplicates(vectors, mean=vectors.mean(axis=0), least=LEAST, sets=np.array([0, 0, 0, 1, 1]))
    assert list(zip(found.first, found.second, strict=True)) == [(0, 3), (0, 4), (1, 3), (1, 4), (2, 3), (2, 4)]


def is_near(left: Vectors, right: Vectors, mean: np.ndarray) -> np.ndarray:
    """Compare every pair as a whole."""
    return np.asarray(centered(left, mean) @ centered(right, mean).T >= LEAST)


@given(seed=st.integers(0, 10**6), rows=st.integers(1, 60), copies=st.integers(0, 20), block=st.sampled_from([4, 2048]))
@settings(max_examples=40, deadline=None)
def test_pairs_within_a_set_are_those_of_a_comparison_of_all(seed: int, rows: int, copies: int, block: int):
    vectors = made_up(seed, rows, copies)
    mean = vectors.mean(axis=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        found = near_duplicates(vectors, mean=mean, least=LEAST)
    expected = np.argwhere(np.triu(is_near(vectors, vectors, mean), 1))
    assert np.array_equal(np.column_stack([found.first, found.second]), expected)
    assert found.total == len(expected)


@given(seed=st.integers(0, 10**6), rows=st.integers(2, 60), copies=st.integers(1, 20), block=st.sampled_from([4, 2048]))
@settings(max_examples=40, deadline=None)
def test_pairs_over_a_border_are_those_of_different_sets(seed: int, rows: int, copies: int, block: int):
    vectors = made_up(seed, rows, copies)
    mean = vectors.mean(axis=0)
    sets = np.random.default_rng(seed).integers(0, 3, len(vectors))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        found = near_duplicates(vectors, mean=mean, least=LEAST, sets=sets)
        both = near_duplicates(
            vectors[:rows], mean=mean, least=LEAST, sets=sets[:rows], others=vectors[rows:], other_sets=sets[rows:]
        )
    border = is_near(vectors, vectors, mean) & (sets[:, None] != sets)
    assert np.array_equal(np.column_stack([found.first, found.second]), np.argwhere(np.triu(border, 1)))
    assert np.array_equal(np.column_stack([both.first, both.second]), np.argwhere(border[:rows, rows:]))


def test_equal_vectors_are_all_pairs_and_the_nearest_are_returned(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_PAIRS", 100)
    vectors = np.vstack([made_up(1, 40, 0), np.repeat(made_up(2, 1, 0), 30, axis=0)])
    found = near_duplicates(vectors, mean=vectors.mean(axis=0), least=LEAST)
    assert found.total == 30 * 29 // 2
    assert len(found.first) == 100
    assert found.first.min() >= 40


def test_no_vectors_have_no_pairs():
    nothing = np.empty((0, 4), np.float32)
    assert near_duplicates(nothing, mean=np.zeros(4, np.float32), least=LEAST).total == 0


@pytest.mark.parametrize("kind", ["memory", "embedded"])
async def test_vectors_are_read_with_the_ids_that_the_caller_keeps(kind: str, tmp_path: Path):
    images = [
        SyntheticImage(f"i{n:04}", f"s{n}", f"p{n}", vector, split="test" if n % 2 else "train")
        for n, vector in enumerate(random_vectors(1100, seed=3))
    ]
    async with MemoryStore() if kind == "memory" else EmbeddedStore(tmp_path / "archive.db") as store:
        await fill(store, images)
        read = await read_vectors(store)
        tests = await read_vectors(store, lambda stored: stored.study.split == "test")
        mean = await archive_mean(store)
    assert list(read.image_ids) == [image.image for image in images]
    assert np.allclose(read.vectors, np.stack([image.vector for image in images]), atol=1e-6)
    assert list(tests.image_ids) == [image.image for image in images[1::2]]
    assert np.array_equal(tests.vectors, read.vectors[1::2])
    assert mean is not None
    assert np.allclose(mean, read.vectors.mean(axis=0), atol=1e-5)


async def test_an_empty_archive_has_no_vectors_and_no_mean():
    async with MemoryStore() as store:
        await fill_nothing(store)
        read = await read_vectors(store)
        assert (len(read.image_ids), read.vectors.shape, await archive_mean(store)) == (0, (0, 0), None)


async def fill_nothing(store: MemoryStore) -> None:
    await store.create()


async def test_a_mirrored_image_is_near_its_mirror_image_and_unreadable_ones_are_counted():
    grays = np.random.default_rng(4).integers(0, 255, (3, 32, 32)).astype(np.uint8)
    embedder = ToyEmbedder()

    async def render(stored: StoredImage) -> Rendering:
        number = int(stored.image.image_id[1:])
        if number == 2:
            raise UnreadableFile("gone")
        return Rendering(grays[number])

    async with MemoryStore() as store:
        await fill(
            store, [SyntheticImage(f"i{n}", f"s{n}", "p", vector) for n, vector in enumerate(random_vectors(3, seed=3))]
        )
        ids = [stored.image.image_id for stored in await store.images_after(None, limit=9)]
        found = await mirrored_vectors(store, ids, render=render, embedder=embedder)
    assert (list(found.image_ids), found.left_out) == (ids[:2], 1)
    flipped = await embedder.embed_images([Rendering(np.ascontiguousarray(grays[n, :, ::-1])) for n in range(2)])
    assert np.array_equal(found.vectors, np.stack([one for one in flipped if isinstance(one, np.ndarray)]))


@pytest.mark.parametrize(("mode", "shape"), [("L", (8, 8)), ("RGB", (8, 8, 3))])
def test_a_mirrored_rendering_has_a_mirrored_jpeg(mode: str, shape: tuple[int, ...]):
    pixels = np.zeros(shape, np.uint8)
    pixels[:, :4] = 200
    spec = ImageSpec(size=8, mode="RGB" if mode == "RGB" else "L", jpeg_quality=95)
    once = mirrored(Rendering(pixels, b"of the original"), spec)
    assert once.pixels[:, 4:].min() == 200
    assert once.pixels[:, :4].max() == 0
    assert once.jpeg is not None
    assert once.jpeg.startswith(b"\xff\xd8")
    assert np.array_equal(mirrored(once, spec).pixels, pixels)
