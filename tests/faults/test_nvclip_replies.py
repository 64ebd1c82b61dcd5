"""What the service answers when it is unwell: each ends in the right vectors or in one typed error, in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import numpy as np
import pytest

from mcp_cxr.errors import EmbeddingRejected, EmbeddingUnavailable
from mcp_cxr.records import Rejected
from tests.standins.nvclip import StandIn, digest, impatient_embedder, rendering, renderings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from mcp_cxr.embeddings.nvclip import NvclipEmbedder
    from mcp_cxr.records import Vector

FOREVER = 10**6
PASSING = [408, 429, 500, 502, 503, 504]
LOST = ["cut", "drop", "hang"]
UNUSABLE = ["prose", "nan", "infinite", "zero", "constant", "long", "dimension", "count", "repeated"]


@pytest.fixture(scope="module")
def process() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def standin(process: StandIn) -> StandIn:
    process.tell(fault=None, version="2.0.0", bad=[], max_body=1 << 30, vectors="hash", latency=(0, 0), not_finite=[])
    return process


@pytest.fixture
async def embedder(standin: StandIn) -> AsyncIterator[NvclipEmbedder]:
    """Opened, and past its first look at the service."""
    async with impatient_embedder(standin) as opened:
        await opened.fingerprint()
        standin.heal()
        with anyio.fail_after(10):
            yield opened


def same(found: list[Vector | Rejected], expected: list[Vector | Rejected]) -> bool:
    return np.allclose(np.array(found), np.array(expected), atol=1e-6)


@pytest.mark.parametrize("kind", [*LOST, *UNUSABLE, "floats", "shuffled", "from_one"])
async def test_a_strange_reply_ends_in_the_right_vectors(embedder: NvclipEmbedder, standin: StandIn, kind: str) -> None:
    expected = await embedder.embed_images(renderings(5))
    standin.fail(kind)
    assert same(await embedder.embed_images(renderings(5)), expected)


@pytest.mark.parametrize("status", PASSING)
async def test_a_passing_status_is_waited_out(embedder: NvclipEmbedder, standin: StandIn, status: int) -> None:
    expected = await embedder.embed_images(renderings(5))
    standin.fail("status", status=status, times=3)
    assert same(await embedder.embed_images(renderings(5)), expected)
    assert len(standin.requests) == 4


@pytest.mark.parametrize("kind", LOST)
async def test_a_service_that_never_answers_whole_is_unavailable(
    embedder: NvclipEmbedder, standin: StandIn, kind: str
) -> None:
    standin.fail(kind, times=FOREVER)
    with pytest.raises(EmbeddingUnavailable):
        await embedder.embed_images(renderings(5))


@pytest.mark.parametrize("kind", UNUSABLE)
async def test_a_service_that_answers_nonsense_is_rejected_and_blames_no_picture(
    embedder: NvclipEmbedder, standin: StandIn, kind: str
) -> None:
    standin.fail(kind, times=FOREVER)
    with pytest.raises((EmbeddingRejected, EmbeddingUnavailable), match=r"self-check|replaced"):
        await embedder.embed_images(renderings(5))


async def test_one_picture_without_a_usable_vector_is_found_and_the_rest_succeed(
    embedder: NvclipEmbedder, standin: StandIn
) -> None:
    expected = await embedder.embed_images(renderings(64))
    standin.tell(not_finite=[digest(rendering(41).jpeg or b"")])
    found = await embedder.embed_images(renderings(64))
    assert found[41] == Rejected("without a usable vector from the embedding service")
    del found[41], expected[41]
    assert same(found, expected)


@pytest.mark.parametrize("status", PASSING)
async def test_a_status_that_does_not_pass_is_unavailable(
    embedder: NvclipEmbedder, standin: StandIn, status: int
) -> None:
    standin.fail("status", status=status, times=FOREVER)
    with pytest.raises(EmbeddingUnavailable, match=str(status)):
        await embedder.embed_texts(["effusion"])
    assert len(standin.requests) == 5


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 409, 410])
async def test_a_permanent_status_is_told_at_once_with_the_way_out(
    embedder: NvclipEmbedder, standin: StandIn, status: int
) -> None:
    standin.fail("status", status=status, times=FOREVER)
    with pytest.raises(EmbeddingRejected, match=rf"{status}.*(NVIDIA_API_KEY|NVCLIP_BASE_URL)"):
        await embedder.embed_images(renderings(3))
    assert len(standin.requests) == 1


async def test_a_time_the_service_asks_for_is_kept(embedder: NvclipEmbedder, standin: StandIn) -> None:
    standin.fail("status", status=429, headers={"Retry-After": "0.4"})
    start = anyio.current_time()
    await embedder.embed_texts(["effusion"])
    assert anyio.current_time() - start >= 0.4


async def test_a_time_beyond_the_deadline_is_not_waited_for(embedder: NvclipEmbedder, standin: StandIn) -> None:
    standin.fail("status", status=503, headers={"Retry-After": "3600"}, times=FOREVER)
    with pytest.raises(EmbeddingUnavailable, match="503"):
        await embedder.embed_texts(["effusion"])
    assert len(standin.requests) == 1


async def test_a_retry_after_that_is_no_number_of_seconds_is_ignored(
    embedder: NvclipEmbedder, standin: StandIn
) -> None:
    standin.fail("status", status=503, headers={"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"})
    assert (await embedder.embed_texts(["effusion"])).shape == (1, 1024)


@pytest.mark.parametrize("kind", ["hang", "trickle"])
async def test_a_reply_that_never_ends_is_given_up_at_the_deadline(standin: StandIn, kind: str) -> None:
    async with impatient_embedder(standin, texts_deadline_s=0.5, attempt_s=60) as embedder:
        await embedder.fingerprint()
        standin.fail(kind, times=FOREVER)
        start = anyio.current_time()
        with anyio.fail_after(5), pytest.raises(EmbeddingUnavailable, match="no answer within"):
            await embedder.embed_texts(["effusion"])
        assert 0.5 <= anyio.current_time() - start < 1.5


async def test_what_waits_behind_a_hung_request_fails_with_it(standin: StandIn) -> None:
    async with impatient_embedder(standin, texts_deadline_s=0.5, attempt_s=60) as embedder:
        await embedder.fingerprint()
        standin.fail("hang", times=FOREVER)
        failed: list[EmbeddingUnavailable] = []

        async def ask(number: int) -> None:
            try:
                await embedder.embed_texts([f"question {number}"])
            except EmbeddingUnavailable as exc:
                failed.append(exc)

        with anyio.fail_after(2):
            async with anyio.create_task_group() as group:
                for number in range(40):
                    group.start_soon(ask, number)
        assert len(failed) == 40
        assert len(standin.requests) <= 4


async def test_one_bad_picture_is_found_and_the_rest_succeed(embedder: NvclipEmbedder, standin: StandIn) -> None:
    expected = await embedder.embed_images(renderings(64))
    standin.tell(bad=[digest(rendering(41).jpeg or b"")])
    found = await embedder.embed_images(renderings(64))
    assert found[41] == Rejected("not accepted by the embedding service (422)")
    del found[41], expected[41]
    assert same(found, expected)
    assert len(standin.requests) <= 1 + 2 + 2 * 6  # the batch, what is known to be good, and two halves six times


async def test_a_service_that_refuses_everything_blames_no_picture(embedder: NvclipEmbedder, standin: StandIn) -> None:
    standin.fail("status", status=422, times=FOREVER)
    with pytest.raises(EmbeddingRejected, match="self-check"):
        await embedder.embed_images(renderings(64))
    assert len(standin.requests) == 2


async def test_a_text_that_is_refused_is_named_by_its_place(embedder: NvclipEmbedder, standin: StandIn) -> None:
    standin.tell(bad=[digest(b"second")], bad_status=400)
    with pytest.raises(EmbeddingRejected, match=r"Text 2 of 3.*400"):
        await embedder.embed_texts(["first", "second", "third"])


async def test_a_batch_that_is_too_large_is_halved(embedder: NvclipEmbedder, standin: StandIn) -> None:
    expected = await embedder.embed_images(renderings(64))
    standin.tell(max_body=40_000)
    assert same(await embedder.embed_images(renderings(64)), expected)


async def test_a_picture_that_is_too_large_by_itself_is_rejected(standin: StandIn) -> None:
    big = rendering(1).jpeg or b""
    standin.tell(bad=[digest(big)], bad_status=413)
    async with impatient_embedder(standin) as embedder:
        found = await embedder.embed_images(renderings(3))
    assert [isinstance(row, Rejected) for row in found] == [False, True, False]
    assert found[1] == Rejected("too large for the embedding service (413)")


@pytest.mark.parametrize("kind", ["nan", "zero", "constant", "long", "count"])
async def test_the_self_check_refuses_a_service_whose_vectors_mean_nothing(standin: StandIn, kind: str) -> None:
    standin.fail(kind, times=FOREVER)
    async with impatient_embedder(standin) as embedder:
        with pytest.raises(EmbeddingRejected, match="self-check"):
            await embedder.embed_texts(["effusion"])


async def test_the_self_check_finds_a_service_that_reads_pictures_as_text(standin: StandIn) -> None:
    standin.tell(vectors="blind")
    async with impatient_embedder(standin) as embedder:
        with pytest.raises(EmbeddingRejected, match="same vector for different inputs"):
            await embedder.embed_images(renderings(2))


async def test_the_pace_falls_with_refusals_and_returns_afterwards(embedder: NvclipEmbedder, standin: StandIn) -> None:
    async def ask_many(count: int) -> None:
        async with anyio.create_task_group() as group:
            for number in range(count):
                group.start_soon(embedder.embed_texts, [f"finding {number}"])

    standin.fail("status", status=429, times=3)
    await embedder.embed_texts(["effusion"])
    standin.tell(latency=(0.01, 0))
    await ask_many(10)
    assert standin.most_under_way == 1
    standin.tell(latency=(0, 0))
    await ask_many(120)
    standin.tell(latency=(0.01, 0))
    await ask_many(20)
    assert standin.most_under_way > 4
