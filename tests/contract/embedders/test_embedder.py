"""The contract in the docstrings of `Embedder`, tested with every embedder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import numpy as np
import pytest

from mcp_cxr.errors import EmbeddingRejected
from mcp_cxr.records import Rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.records import Rendering, Vectors

    MakeRendering = Callable[[int], Rendering]


async def vectors_of(embedder: Embedder, renderings: Sequence[Rendering]) -> Vectors:
    rows = await embedder.embed_images(renderings)
    assert not any(isinstance(row, Rejection) for row in rows)
    return np.stack([row for row in rows if not isinstance(row, Rejection)])


def skip_unless_it_reads_text(embedder: Embedder) -> None:
    if not embedder.embeds_text:
        pytest.skip("this embedder cannot embed text")


def test_name_and_image_spec_are_known_before_opening(new_embedder: Callable[[], Embedder]) -> None:
    embedder = new_embedder()
    assert embedder.name
    assert embedder.image_spec.size > 0
    assert isinstance(embedder.embeds_text, bool)


async def test_the_fingerprint_names_model_dimension_and_preprocessing(
    embedder: Embedder, new_rendering: MakeRendering
) -> None:
    fingerprint = await embedder.fingerprint()
    assert fingerprint.model == embedder.name
    assert fingerprint.preprocessing.partition("/")[0] == "test-1"  # some add their own steps
    assert (await vectors_of(embedder, [new_rendering(1)])).shape == (1, fingerprint.dimension)
    assert await embedder.fingerprint() == fingerprint


async def test_each_image_gets_a_unit_vector_of_float32(embedder: Embedder, new_rendering: MakeRendering) -> None:
    for row in await embedder.embed_images([new_rendering(n) for n in range(3)]):
        assert not isinstance(row, Rejection)
        assert row.dtype == np.float32
        assert row.ndim == 1
        assert np.linalg.norm(row) == pytest.approx(1, abs=1e-5)


async def test_different_images_get_different_vectors(embedder: Embedder, new_rendering: MakeRendering) -> None:
    vectors = await vectors_of(embedder, [new_rendering(n) for n in range(5)])
    assert (vectors @ vectors.T)[np.triu_indices(5, k=1)].max() < 0.999


async def test_the_order_of_many_images_is_kept(embedder: Embedder, new_rendering: MakeRendering) -> None:
    renderings = [new_rendering(n) for n in range(150)]
    together = await vectors_of(embedder, renderings)
    for number in (0, 31, 32, 63, 64, 149):
        alone = await vectors_of(embedder, [renderings[number]])
        np.testing.assert_allclose(together[number], alone[0], atol=1e-6)


async def test_an_image_gets_the_same_vector_from_a_new_embedder(
    new_embedder: Callable[[], Embedder], new_rendering: MakeRendering
) -> None:
    async with new_embedder() as one:
        first = await vectors_of(one, [new_rendering(1)])
    async with new_embedder() as other:
        np.testing.assert_allclose(await vectors_of(other, [new_rendering(1)]), first, atol=1e-6)


async def test_no_images_give_no_vectors(embedder: Embedder) -> None:
    assert await embedder.embed_images([]) == []


async def test_concurrent_calls_get_their_own_vectors(embedder: Embedder, new_rendering: MakeRendering) -> None:
    expected = await vectors_of(embedder, [new_rendering(n) for n in range(12)])
    found: dict[int, Vectors] = {}

    async def embed(number: int) -> None:
        found[number] = await vectors_of(embedder, [new_rendering(number)])

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            for number in range(12):
                group.start_soon(embed, number)
    np.testing.assert_allclose(np.concatenate([found[n] for n in range(12)]), expected, atol=1e-6)


async def test_a_cancelled_call_leaves_the_embedder_usable(embedder: Embedder, new_rendering: MakeRendering) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await embedder.embed_images([new_rendering(n) for n in range(100)])
    with anyio.fail_after(10):
        assert len(await vectors_of(embedder, [new_rendering(1)])) == 1


async def test_texts_are_refused_if_the_embedder_reads_none(embedder: Embedder) -> None:
    if embedder.embeds_text:
        pytest.skip("this embedder reads text")
    with pytest.raises(EmbeddingRejected):
        await embedder.embed_texts(["effusion"])


async def test_each_text_gets_a_unit_vector_of_the_images_dimension(
    embedder: Embedder, new_rendering: MakeRendering
) -> None:
    skip_unless_it_reads_text(embedder)
    texts = await embedder.embed_texts(["left pleural effusion", "no finding"])
    assert texts.dtype == np.float32
    assert texts.shape == (2, (await embedder.fingerprint()).dimension)
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)
    assert not np.allclose(texts[0], texts[1])


async def test_the_order_of_many_texts_is_kept(embedder: Embedder) -> None:
    skip_unless_it_reads_text(embedder)
    texts = [f"finding number {n}" for n in range(70)]
    together = await embedder.embed_texts(texts)
    for number in (0, 31, 32, 63, 64, 69):
        np.testing.assert_allclose(together[number], (await embedder.embed_texts([texts[number]]))[0], atol=1e-6)


async def test_no_texts_give_an_empty_array_of_the_right_dimension(embedder: Embedder) -> None:
    skip_unless_it_reads_text(embedder)
    assert (await embedder.embed_texts([])).shape == (0, (await embedder.fingerprint()).dimension)
