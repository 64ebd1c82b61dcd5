"""Batches, replies and retries of the client, with a function in place of the network.

Imports private modules: pace and packing are checked for sizes and times that no test can wait for.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import anyio
import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_cxr.embeddings._check_vectors import BadReply, check_distinct
from mcp_cxr.embeddings.nvclip import NvclipConfig, NvclipEmbedder, RequestPolicy
from mcp_cxr.embeddings.nvclip._dialects import (
    Nim,
    read_vectors,
    read_version,
    self_check_images,
    text_key,
)
from mcp_cxr.embeddings.nvclip._embedder import pack
from mcp_cxr.embeddings.nvclip._service import AdaptiveLimiter
from mcp_cxr.errors import EmbeddingRejected, EmbeddingUnavailable
from mcp_cxr.records import Rejection, Rendering
from tests.standins.nvclip._state import State
from tests.standins.nvclip._vectors import vector

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_cxr.records import Vectors

CONFIG = NvclipConfig(
    base_url="http://localhost:8002/v1", model="nvidia/nvclip", dialect="nim", image_size=8, preprocessing="1"
)
STATE = State(models=(), dimension=16)


def rendering_of(jpeg: bytes) -> Rendering:
    return Rendering(np.zeros((8, 8, 3), np.uint8), jpeg)


def service(sizes: list[int], accepts: Callable[[str], bool] = lambda _: True) -> httpx.MockTransport:
    """Return a service of 16 dimensions that accepts batches of accepted items, and records the sizes of batches."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(404)
        inputs: list[str] = json.loads(request.content)["input"]
        sizes.append(len(inputs))
        if not all(map(accepts, inputs)):
            return httpx.Response(422, json={"detail": [{"msg": "no", "input": inputs}]})
        rows = [vector(item.encode(), is_image=False, state=STATE) for item in inputs]
        data = [{"index": n, "embedding": base64.b64encode(row.tobytes()).decode()} for n, row in enumerate(rows)]
        return httpx.Response(200, json={"data": data})

    return httpx.MockTransport(answer)


@given(sizes=st.lists(st.integers(0, 50), max_size=100), max_items=st.integers(1, 10), max_bytes=st.integers(1, 120))
def test_packing_keeps_order_and_both_limits(sizes: list[int], max_items: int, max_bytes: int) -> None:
    items = [b"x" * size for size in sizes]
    batches = pack(items, max_items=max_items, max_bytes=max_bytes)
    assert [item for batch in batches for item in batch] == items
    for batch in batches:
        assert 1 <= len(batch) <= max_items
        assert len(batch) == 1 or sum(map(len, batch)) <= max_bytes


async def test_large_images_go_in_smaller_batches() -> None:
    sizes: list[int] = []
    async with NvclipEmbedder(CONFIG, transport=service(sizes)) as embedder:
        await embedder.embed_images([rendering_of(bytes([n]) * 1_000_000) for n in range(7)])
    assert sorted(sizes[2:]) == [1, 3, 3]


@pytest.mark.parametrize("bad", [{0}, {63}, {5, 6}, {0, 20, 63}])
async def test_splitting_a_batch_rejects_exactly_the_refused_images(bad: set[int]) -> None:
    refused = {"data:image/jpeg;base64," + base64.b64encode(f"image {n}".encode()).decode() for n in bad}
    sizes: list[int] = []
    async with NvclipEmbedder(CONFIG, transport=service(sizes, lambda item: item not in refused)) as embedder:
        found = await embedder.embed_images([rendering_of(f"image {n}".encode()) for n in range(64)])
    assert {number for number, row in enumerate(found) if isinstance(row, Rejection)} == bad
    assert len(sizes) <= 5 + 12 * len(bad)  # the self-check twice, the batch, two halves six times each


async def test_fingerprint_has_no_version_if_the_service_states_none() -> None:
    async with NvclipEmbedder(CONFIG, transport=service([])) as embedder:
        fingerprint = await embedder.fingerprint()
    assert (fingerprint.model, fingerprint.dimension, fingerprint.service) == ("nvidia/nvclip-vit-h-14", 16, None)


@pytest.mark.parametrize("text", ["", " \n", "data:image/png;base64,AAAA", "  Data:Image/jpeg"])
async def test_an_empty_text_or_data_uri_is_not_sent(text: str) -> None:
    sizes: list[int] = []
    async with NvclipEmbedder(CONFIG, transport=service(sizes)) as embedder:
        with pytest.raises(EmbeddingRejected):
            await embedder.embed_texts(["effusion", text])
    assert len(sizes) <= 2  # the self-check


async def test_texts_that_a_tokenizer_reads_alike_may_share_a_vector() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(404)
        inputs: list[str] = json.loads(request.content)["input"]
        rows = [vector(item.lower().encode(), is_image=False, state=STATE).tolist() for item in inputs]
        return httpx.Response(200, json={"data": [{"index": n, "embedding": row} for n, row in enumerate(rows)]})

    async with NvclipEmbedder(CONFIG, transport=httpx.MockTransport(answer)) as embedder:
        one, other = await embedder.embed_texts(["Edema", "EDEMA"])
    np.testing.assert_array_equal(one, other)


async def test_a_rendering_without_jpeg_raises_value_error() -> None:
    async with NvclipEmbedder(CONFIG, transport=service([])) as embedder:
        with pytest.raises(ValueError, match="image_spec"):
            await embedder.embed_images([Rendering(np.zeros((8, 8, 3), np.uint8))])


async def test_backoff_range_doubles_with_each_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    ranges: list[float] = []
    monkeypatch.setattr("random.uniform", lambda low, high: ranges.append(high) or low)
    transport = httpx.MockTransport(lambda _: httpx.Response(503))
    async with NvclipEmbedder(CONFIG, policy=RequestPolicy(backoff_s=0.5), transport=transport) as embedder:
        with pytest.raises(Exception, match="503"):
            await embedder.fingerprint()
    assert ranges[:4] == [0.5, 1, 2, 4]


@pytest.mark.parametrize(
    "reply",
    ["", "[]", "7", "null", '{"data": 7}', '{"data": [{"index": 0}]}', '{"data": [{"index": 0, "embedding": "?"}]}',
     '{"data": [{"index": 0, "embedding": "AAA="}]}', '{"data": [{"index": 0, "embedding": [1, "x"]}]}',
     '{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]}',
     '{"data": [{"index": 2, "embedding": [1]}]}', "[" * 100_000],
    ids=range(12),
)  # fmt: skip
def test_a_malformed_reply_raises_bad_reply(reply: str) -> None:
    with pytest.raises(BadReply):
        read_vectors(Nim("http://localhost/v1", "m"), reply.encode())


@pytest.mark.parametrize("reply", ["", "[]", "7", "{}", '{"version": ""}', '{"version": "2", "modelInfo": [7]}'])
def test_a_malformed_version_is_none(reply: str) -> None:
    assert read_version(Nim("http://localhost/v1", "m"), reply.encode()) is None


def test_texts_that_differ_beyond_the_token_limit_share_a_key() -> None:
    assert text_key("word " * 60 + "a", 45) == text_key("Wörd " * 60 + "b", 45)
    assert text_key("word " * 60 + "a", 61) != text_key("word " * 60 + "b", 61)
    assert text_key("left effusion", 45) != text_key("right effusion", 45)


def test_self_check_images_begin_alike_and_differ() -> None:
    one, other = self_check_images()
    assert one[:600] == other[:600]
    assert one != other


async def test_limiter_grows_by_one_after_sixteen_successes_up_to_sixteen() -> None:
    limiter = AdaptiveLimiter()
    for _ in range(16):
        limiter.record_success()
    assert limiter.limit == 5
    for _ in range(1000):
        limiter.record_success()
    assert limiter.limit == 16


async def test_limiter_is_halved_once_per_round_and_never_below_one() -> None:
    limiter = AdaptiveLimiter()
    async with limiter.slot() as begun:
        limiter.record_overload(begun)
        limiter.record_overload(begun)
    assert limiter.limit == 2
    for _ in range(5):
        async with limiter.slot() as begun:
            limiter.record_overload(begun)
    assert limiter.limit == 1


def units(*rows: list[float]) -> Vectors:
    vectors = np.array(rows, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_self_check_requires_one_dimension_for_images_and_texts() -> None:
    with pytest.raises(BadReply, match="2 dimensions for an image and 3 for a text"):
        check_distinct(units([1, 0], [0, 1]), units([1, 0, 0], [0, 1, 0]))


def test_self_check_detects_vectors_that_hardly_differ() -> None:
    with pytest.raises(BadReply, match="same vector"):
        check_distinct(units([1, 0, 0], [1, 0.001, 0]), units([0, 0, 1], [0, 1, 1]))


async def hang(_: httpx.Request) -> httpx.Response:
    await anyio.sleep_forever()
    raise AssertionError


def break_off(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("canary", request=request)


def time_out(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectTimeout("canary", request=request)


@pytest.mark.parametrize("network", [hang, break_off, time_out])
async def test_check_of_a_service_that_does_not_answer_raises_unavailable(
    network: Callable[..., httpx.Response],
) -> None:
    policy = RequestPolicy(texts_deadline_s=0.05)
    async with NvclipEmbedder(CONFIG, policy=policy, transport=httpx.MockTransport(network)) as embedder:
        with anyio.fail_after(2), pytest.raises(EmbeddingUnavailable, match="NVCLIP_BASE_URL") as caught:
            await embedder.check()
    assert "canary" not in str(caught.value)
