"""Faulty replies of the service: each ends in the right vectors or in one typed error, in time."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np
import pytest

from mcp_cxr.errors import EmbeddingRejected, EmbeddingUnavailable
from mcp_cxr.records import Rejection
from tests.standins.nvclip import StandIn, digest
from tests.support.nvclip_clients import HURRY, embedder_for, rendering, renderings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from mcp_cxr.embeddings.nvclip import NvclipEmbedder
    from mcp_cxr.records import Vector

FOREVER = 10**6
TRANSIENT = [408, 429, 500, 502, 503, 504]
LOST = ["cut", "drop", "hang"]
UNUSABLE = ["prose", "nan", "infinite", "zero", "constant", "long", "dimension", "count", "repeated"]


@pytest.fixture(scope="module")
def process() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def standin(process: StandIn) -> StandIn:
    process.configure(
        fault=None, version="2.0.0", bad=[], max_body=1 << 30, vectors="hash", latency=(0, 0), not_finite=[]
    )
    return process


@asynccontextmanager
async def identified(standin: StandIn, **policy: Any) -> AsyncGenerator[NvclipEmbedder]:
    """Yield an embedder that has identified the service."""
    async with embedder_for(standin, **policy) as opened:
        await opened.fingerprint()
        standin.clear_fault()
        with anyio.fail_after(60):
            yield opened


@pytest.fixture
async def embedder(standin: StandIn) -> AsyncGenerator[NvclipEmbedder]:
    async with identified(standin) as opened:
        yield opened


def waits(kind: str) -> dict[str, float]:
    """Return the times to wait for a fault: of those, only a hung reply is told by time."""
    return HURRY if kind == "hang" else {}


def same(found: list[Vector | Rejection], expected: list[Vector | Rejection]) -> bool:
    return np.allclose(np.array(found), np.array(expected), atol=1e-6)


@pytest.mark.parametrize("kind", [*LOST, *UNUSABLE, "floats", "shuffled", "from_one"])
async def test_one_faulty_reply_ends_in_the_right_vectors(standin: StandIn, kind: str) -> None:
    async with identified(standin, **waits(kind) | {"images_deadline_s": 60}) as embedder:
        expected = await embedder.embed_images(renderings(5))
        standin.fail(kind)
        assert same(await embedder.embed_images(renderings(5)), expected)


@pytest.mark.parametrize("status", TRANSIENT)
async def test_a_transient_status_is_retried(embedder: NvclipEmbedder, standin: StandIn, status: int) -> None:
    expected = await embedder.embed_images(renderings(5))
    standin.fail("status", status=status, times=3)
    assert same(await embedder.embed_images(renderings(5)), expected)
    assert len(standin.requests) == 4


@pytest.mark.parametrize("kind", LOST)
async def test_a_service_without_complete_replies_is_unavailable(standin: StandIn, kind: str) -> None:
    async with identified(standin, **waits(kind)) as embedder:
        standin.fail(kind, times=FOREVER)
        with pytest.raises(EmbeddingUnavailable):
            await embedder.embed_images(renderings(5))


@pytest.mark.parametrize("kind", UNUSABLE)
async def test_a_service_with_unusable_vectors_is_rejected_and_no_image(
    embedder: NvclipEmbedder, standin: StandIn, kind: str
) -> None:
    standin.fail(kind, times=FOREVER)
    with pytest.raises((EmbeddingRejected, EmbeddingUnavailable), match=r"self-check|restarted"):
        await embedder.embed_images(renderings(5))


async def test_one_image_without_a_usable_vector_is_rejected_and_the_rest_succeed(
    embedder: NvclipEmbedder, standin: StandIn
) -> None:
    expected = await embedder.embed_images(renderings(64))
    standin.configure(not_finite=[digest(rendering(41).jpeg or b"")])
    found = await embedder.embed_images(renderings(64))
    assert found[41] == Rejection("without a usable vector from the embedding service")
    del found[41], expected[41]
    assert same(found, expected)


@pytest.mark.parametrize("status", TRANSIENT)
async def test_a_transient_status_that_persists_is_unavailable(
    embedder: NvclipEmbedder, standin: StandIn, status: int
) -> None:
    standin.fail("status", status=status, times=FOREVER)
    with pytest.raises(EmbeddingUnavailable, match=str(status)):
        await embedder.embed_texts(["effusion"])
    assert len(standin.requests) == 5


@pytest.mark.parametrize("status", [307, 401, 402, 403, 404, 405, 409, 410])
async def test_a_permanent_status_raises_at_once_with_advice(
    embedder: NvclipEmbedder, standin: StandIn, status: int
) -> None:
    standin.fail("status", status=status, times=FOREVER)
    with pytest.raises(EmbeddingRejected, match=rf"{status}.*(NVIDIA_API_KEY|NVCLIP_BASE_URL)"):
        await embedder.embed_images(renderings(3))
    assert len(standin.requests) == 1


async def test_retry_after_is_waited_for(embedder: NvclipEmbedder, standin: StandIn) -> None:
    standin.fail("status", status=429, headers={"Retry-After": "0.4"})
    start = anyio.current_time()
    await embedder.embed_texts(["effusion"])
    assert anyio.current_time() - start >= 0.4


async def test_retry_after_beyond_the_deadline_is_not_waited_for(embedder: NvclipEmbedder, standin: StandIn) -> None:
    standin.fail("status", status=503, headers={"Retry-After": "3600"}, times=FOREVER)
    with pytest.raises(EmbeddingUnavailable, match="503"):
        await embedder.embed_texts(["effusion"])
    assert len(standin.requests) == 1


async def test_retry_after_with_a_date_is_ignored(embedder: NvclipEmbedder, standin: StandIn) -> None:
    standin.fail("status", status=503, headers={"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"})
    assert (await embedder.embed_texts(["effusion"])).shape == (1, 1024)


@pytest.mark.parametrize("kind", ["hang", "trickle"])
async def test_a_reply_that_never_ends_fails_at_the_deadline(standin: StandIn, kind: str) -> None:
    async with embedder_for(standin, texts_deadline_s=0.5, attempt_s=60) as embedder:
        await embedder.fingerprint()
        standin.fail(kind, times=FOREVER)
        start = anyio.current_time()
        with anyio.fail_after(5), pytest.raises(EmbeddingUnavailable, match="no answer within"):
            await embedder.embed_texts(["effusion"])
        assert 0.5 <= anyio.current_time() - start < 1.5


async def test_requests_that_wait_behind_a_hung_one_fail_with_it(standin: StandIn) -> None:
    async with embedder_for(standin, texts_deadline_s=0.5, attempt_s=60) as embedder:
        await embedder.fingerprint()
        standin.fail("hang", times=FOREVER)
        failed: list[EmbeddingUnavailable] = []

        async def embed(number: int) -> None:
            try:
                await embedder.embed_texts([f"query {number}"])
            except EmbeddingUnavailable as exc:
                failed.append(exc)

        with anyio.fail_after(2):
            async with anyio.create_task_group() as group:
                for number in range(40):
                    group.start_soon(embed, number)
        assert len(failed) == 40
        assert len(standin.requests) <= 4


async def test_one_refused_image_is_rejected_and_the_rest_succeed(embedder: NvclipEmbedder, standin: StandIn) -> None:
    expected = await embedder.embed_images(renderings(64))
    standin.configure(bad=[digest(rendering(41).jpeg or b"")])
    found = await embedder.embed_images(renderings(64))
    assert found[41] == Rejection("not accepted by the embedding service (422)")
    del found[41], expected[41]
    assert same(found, expected)
    assert len(standin.requests) <= 1 + 2 + 2 * 6  # the batch, the self-check, and two halves six times


async def test_a_service_that_refuses_everything_rejects_no_image(embedder: NvclipEmbedder, standin: StandIn) -> None:
    standin.fail("status", status=422, times=FOREVER)
    with pytest.raises(EmbeddingRejected, match="self-check"):
        await embedder.embed_images(renderings(64))
    assert len(standin.requests) == 2


async def test_a_refused_text_is_named_by_its_position(embedder: NvclipEmbedder, standin: StandIn) -> None:
    standin.configure(bad=[digest(b"second")], bad_status=400)
    with pytest.raises(EmbeddingRejected, match=r"Text 2 of 3.*400"):
        await embedder.embed_texts(["first", "second", "third"])


async def test_a_batch_that_is_too_large_is_halved(embedder: NvclipEmbedder, standin: StandIn) -> None:
    expected = await embedder.embed_images(renderings(64))
    standin.configure(max_body=40_000)
    assert same(await embedder.embed_images(renderings(64)), expected)


async def test_a_single_image_that_is_too_large_is_rejected(standin: StandIn) -> None:
    standin.configure(bad=[digest(rendering(1).jpeg or b"")], bad_status=413)
    async with embedder_for(standin) as embedder:
        found = await embedder.embed_images(renderings(3))
    assert [isinstance(row, Rejection) for row in found] == [False, True, False]
    assert found[1] == Rejection("too large for the embedding service (413)")


@pytest.mark.parametrize("kind", ["nan", "zero", "constant", "long", "count"])
async def test_self_check_refuses_a_service_with_unusable_vectors(standin: StandIn, kind: str) -> None:
    standin.fail(kind, times=FOREVER)
    async with embedder_for(standin) as embedder:
        with pytest.raises(EmbeddingRejected, match="self-check"):
            await embedder.embed_texts(["effusion"])


async def test_self_check_detects_a_service_that_reads_images_as_text(standin: StandIn) -> None:
    standin.configure(vectors="blind")
    async with embedder_for(standin) as embedder:
        with pytest.raises(EmbeddingRejected, match="same vector for different inputs"):
            await embedder.embed_images(renderings(2))


async def test_concurrency_falls_on_overload_and_recovers(embedder: NvclipEmbedder, standin: StandIn) -> None:
    async def embed_many(count: int) -> None:
        async with anyio.create_task_group() as group:
            for number in range(count):
                group.start_soon(embedder.embed_texts, [f"finding {number}"])

    standin.fail("status", status=429, times=3)
    await embedder.embed_texts(["effusion"])
    standin.configure(latency=(0.01, 0))
    await embed_many(10)
    assert standin.most_concurrent == 1
    standin.configure(latency=(0, 0))
    await embed_many(120)
    standin.configure(latency=(0.01, 0))
    await embed_many(20)
    assert standin.most_concurrent > 4
