"""The service stops, returns, or is replaced by another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import numpy as np
import pytest

from mcp_cxr.errors import EmbeddingUnavailable
from tests.standins.nvclip import StandIn
from tests.support.nvclip_clients import embedder_for, renderings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_cxr.embeddings.nvclip import NvclipEmbedder
    from mcp_cxr.records import Rejection, Vector


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as started:
        yield started


async def test_opening_needs_no_service(standin: StandIn) -> None:
    standin.stop()
    async with embedder_for(standin) as embedder:
        assert embedder.name == "nvidia/nvclip-vit-h-14"


async def test_a_query_fails_at_once_if_the_service_is_down(standin: StandIn) -> None:
    standin.stop()
    async with embedder_for(standin) as embedder:
        with anyio.fail_after(1), pytest.raises(EmbeddingUnavailable, match="refused"):
            await embedder.embed_texts(["effusion"])


async def test_after_a_failed_connect_none_is_tried_for_a_while(standin: StandIn) -> None:
    standin.stop()
    async with embedder_for(standin) as embedder:
        with pytest.raises(EmbeddingUnavailable):
            await embedder.embed_texts(["effusion"])
        standin.start()
        for call in (embedder.embed_texts(["effusion"]), embedder.embed_images(renderings(1)), embedder.fingerprint()):
            with pytest.raises(EmbeddingUnavailable, match="a moment ago"):
                await call
        assert standin.requests == []


async def test_a_service_that_returned_is_used_again(standin: StandIn) -> None:
    async with embedder_for(standin, down_s=0) as embedder:
        before = await embedder.embed_texts(["effusion"])
        standin.stop()
        with pytest.raises(EmbeddingUnavailable):
            await embedder.embed_texts(["effusion"])
        standin.start()
        np.testing.assert_allclose(await embedder.embed_texts(["effusion"]), before, atol=1e-6)


async def test_a_new_version_is_noticed_when_the_service_returns(standin: StandIn) -> None:
    async with embedder_for(standin, down_s=0) as embedder:
        before = await embedder.fingerprint()
        standin.stop()
        with pytest.raises(EmbeddingUnavailable):
            await embedder.embed_images(renderings(1))
        standin.start(version="2.1.0")
        after = await embedder.fingerprint()
    assert (before.service, after.service) == ("2.0.0 nvclip-vit-h-14:fp16", "2.1.0 nvclip-vit-h-14:fp16")
    assert before.is_comparable_with(after)


async def test_images_wait_for_a_restart(standin: StandIn) -> None:
    async with embedder_for(standin, backoff_s=1, images_deadline_s=20) as embedder:
        expected = await embedder.embed_images(renderings(3))
        standin.stop()
        found: list[Vector | Rejection] = []

        async def embed() -> None:
            found.extend(await embedder.embed_images(renderings(3)))

        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(embed)
                await anyio.to_thread.run_sync(standin.start)
    np.testing.assert_allclose(np.array(found), np.array(expected), atol=1e-6)


async def test_vectors_of_two_services_are_never_mixed(standin: StandIn) -> None:
    async with embedder_for(standin) as embedder:
        await embedder.fingerprint()
        standin.configure(version="3.0.0", fault={"kind": "drop", "times": 1})
        with pytest.raises(EmbeddingUnavailable, match="restarted"):
            await embedder.embed_images(renderings(3))
        assert len(await embedder.embed_images(renderings(3))) == 3


async def test_concurrent_calls_request_the_identity_once(standin: StandIn) -> None:
    async with embedder_for(standin) as embedder, anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(embedder.fingerprint)
    assert [path for _, path, _ in standin.requests] == ["/v1/metadata", "/v1/embeddings", "/v1/embeddings"]


async def test_a_connection_the_service_closed_while_idle_is_opened_again(standin: StandIn) -> None:
    async with embedder_for(standin) as embedder:
        before = await embedder.embed_images(renderings(2))
        standin.restart()
        np.testing.assert_allclose(np.array(await embedder.embed_images(renderings(2))), np.array(before), atol=1e-6)


async def test_check_returns_times(standin: StandIn) -> None:
    async with embedder_for(standin) as embedder:
        checked = await embedder.check()
    assert checked.image_ms > 0
    assert checked.text_ms > 0


async def test_check_does_not_wait_until_the_service_counts_as_up(standin: StandIn) -> None:
    standin.stop()
    async with embedder_for(standin) as embedder:
        with pytest.raises(EmbeddingUnavailable):
            await embedder.fingerprint()
        standin.start()
        await embedder.check()
        assert (await embedder.fingerprint()).dimension == 1024


async def test_check_of_a_loading_service_raises_not_ready(standin: StandIn) -> None:
    standin.configure(ready=False)
    async with embedder_for(standin) as embedder:
        with pytest.raises(EmbeddingUnavailable, match="not ready"):
            await embedder.check()


async def test_check_of_a_service_that_is_down_advises_what_to_check(standin: StandIn) -> None:
    standin.stop()
    async with embedder_for(standin) as embedder:
        with pytest.raises(EmbeddingUnavailable, match=r"tunnel.*NVCLIP_BASE_URL"):
            await embedder.check()


async def test_a_cancelled_call_frees_its_slot(standin: StandIn) -> None:
    async def embed(embedder: NvclipEmbedder) -> None:
        await embedder.embed_texts(["effusion"])

    async with embedder_for(standin, texts_deadline_s=60, attempt_s=60) as embedder:
        await embedder.fingerprint()
        standin.fail("hang", times=20)
        with anyio.move_on_after(0.2):
            async with anyio.create_task_group() as group:
                for _ in range(20):
                    group.start_soon(embed, embedder)
        standin.clear_fault()
        with anyio.fail_after(2):
            await embed(embedder)
