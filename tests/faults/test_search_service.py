"""Queries while the embedding service is down, hung, replaced or back."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np
import pytest

from mcp_cxr.errors import EmbeddingUnavailable, FingerprintMismatch
from tests.standins.nvclip import StandIn
from tests.support.archives import ingested, opened, opened_in_memory
from tests.support.nvclip_clients import embedder_for
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence
    from pathlib import Path
    from subprocess import CompletedProcess

    from mcp_cxr.archive import Archive
    from mcp_cxr.demo import DemoDataSet
    from mcp_cxr.records import SearchResult, Vectors

QUERY = "pleural effusion"
SAID_BY_SERVICE = "check that it runs, your SSH tunnel if you use one, and NVCLIP_BASE_URL"
ADDED = "The query was matched by words in reports, labels and tags."


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as started:
        yield started


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, demo: DemoDataSet) -> Path:
    """Return an archive of the demo's images and reports with the simulated server's vectors; read-only."""
    made = tmp_path_factory.mktemp("made")
    with StandIn() as standin:
        anyio.run(ingested, made, demo.folder, embedder_for(standin))
    return made


@asynccontextmanager
async def opened_archive(standin: StandIn, data: Path, **policy: Any) -> AsyncGenerator[Archive]:
    async with opened(data, embedder_for(standin, **policy)) as archive:
        yield archive


def ids(page: SearchResult) -> list[str]:
    return [hit.image_id for hit in page.images]


def assert_words_alone(page: SearchResult, alone: SearchResult) -> None:
    """Check that a result comes from words and says why."""
    assert page.search_mode == "keyword"
    assert page.fallback_reason
    assert SAID_BY_SERVICE in page.fallback_reason
    assert page.fallback_reason.endswith(ADDED)
    assert (ids(page), page.total_results) == (ids(alone), alone.total_results)
    assert page.total_results > 0
    assert not page.cache_hit
    assert {hit.similarity_score for hit in page.images} == {None}


async def test_queries_use_words_at_once_if_there_is_no_service(standin: StandIn, data: Path) -> None:
    standin.stop()
    async with opened_archive(standin, data) as archive:
        alone = await archive.search(QUERY, mode="words")
        assert (alone.search_mode, alone.fallback_reason) == ("keyword", None)
        with anyio.fail_after(1):
            assert_words_alone(await archive.search(QUERY), alone)
        with pytest.raises(EmbeddingUnavailable, match=re.escape(SAID_BY_SERVICE)):
            await archive.search(QUERY, mode="vector")


async def test_only_the_first_query_waits_for_a_hung_service(standin: StandIn, data: Path) -> None:
    async with opened_archive(standin, data, texts_deadline_s=0.8) as archive:
        alone = await archive.search(QUERY, mode="words")
        standin.fail("hang", times=1000)
        with anyio.fail_after(2):
            assert_words_alone(await archive.search(QUERY), alone)
        standin.configure()
        with anyio.fail_after(0.5):
            assert_words_alone(await archive.search(QUERY), alone)
        assert standin.requests == []


async def test_the_service_is_used_again_once_it_is_back(standin: StandIn, data: Path) -> None:
    async with opened_archive(standin, data, down_s=0) as archive:
        before = await archive.search(QUERY, mode="vector")
        standin.stop()
        assert (await archive.search("edema")).search_mode == "keyword"
        standin.start()
        assert (await archive.search("edema")).search_mode == "hybrid"
        assert ids(await archive.search(QUERY, mode="vector")) == ids(before)


async def test_no_second_host_is_contacted(standin: StandIn, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn() as other:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{other.port}")
        monkeypatch.setenv("OPENAI_BASE_URL", other.base_url)
        standin.stop()
        async with opened_archive(standin, data) as archive:
            assert (await archive.search(QUERY)).search_mode == "keyword"
        assert other.requests == []


async def test_a_repeated_query_uses_its_cached_vector_while_the_service_is_down(standin: StandIn, data: Path) -> None:
    """The cached vector is from the service that made the archive, so it may be used."""
    async with opened_archive(standin, data) as archive:
        before = await archive.search(QUERY)
        assert not before.cache_hit
        standin.stop()
        assert (await archive.search("edema")).search_mode == "keyword"  # from now on the service is known to be down
        again = await archive.search(QUERY)
        assert again.cache_hit
        assert again.fallback_reason is None
        same = {"cache_hit": False, "execution_time_ms": 0}
        assert again.model_copy(update=same) == before.model_copy(update=same)


async def test_later_pages_use_the_first_page_s_ranking_after_the_service_died(standin: StandIn, data: Path) -> None:
    async with opened_archive(standin, data) as archive:
        whole = ids(await archive.search(QUERY, limit=10))
    async with opened_archive(standin, data) as archive:
        paged = ids(await archive.search(QUERY, limit=5))
        standin.stop()
        await archive.search("edema")
        paged += ids(await archive.search(QUERY, limit=5, offset=5))
    assert paged == whole


async def test_a_cached_vector_is_not_compared_with_vectors_of_another_service(
    standin: StandIn, data: Path, demo: DemoDataSet, tmp_path: Path
) -> None:
    own = shutil.copytree(data, tmp_path / "own")
    async with opened_archive(standin, own, down_s=0) as archive:
        await archive.search(QUERY)
        assert (await archive.search(QUERY)).cache_hit
        standin.restart(version="3.0.0", vectors="labels", labels={}, noise=-1.0)
        await archive.store.drop()
        await ingested(own, demo.folder, embedder_for(standin), limit=4)
        assert not (await archive.search(QUERY)).cache_hit
        page = await archive.search(QUERY, mode="vector")
        assert page.counts
        assert page.total_results == (await archive.overview()).studies - page.counts["denied"]
    assert page.search_mode == "semantic"


async def test_a_query_vector_of_a_service_that_was_not_confirmed_is_not_used(toy_data: Path) -> None:
    """The time between the two is short, and another task may notice the change."""

    class Replaced(ToyEmbedder):
        """From the first text on, another service with other vectors."""

        def __init__(self) -> None:
            super().__init__()
            self._sign = 1

        async def embed_texts(self, texts: Sequence[str]) -> Vectors:
            self._sign = -1
            self._fingerprint = replace(self._fingerprint, service="another")
            return -(await super().embed_texts(texts))

        async def embed_images(self, pictures: Sequence[Any]) -> list[Any]:
            return [self._sign * np.asarray(row) for row in await super().embed_images(pictures)]

    async with opened_in_memory(toy_data, Replaced()) as archive:
        with pytest.raises(FingerprintMismatch, match="its vectors changed"):
            await archive.search("left effusion")


async def test_a_long_query_brings_a_warning_only_if_it_was_embedded(standin: StandIn, data: Path) -> None:
    long = " ".join(f"word{number}" for number in range(60))
    async with opened_archive(standin, data) as archive:
        for _ in range(2):  # embedded, then cached
            assert any("first 45 words" in warning for warning in (await archive.search(long)).warnings)
        assert not any("first 45 words" in warning for warning in (await archive.search(QUERY)).warnings)
        assert not any("first 45 words" in warning for warning in (await archive.search(long, mode="words")).warnings)
    standin.configure(tokens=20)  # as infinity
    async with opened_archive(standin, data) as archive:
        shorter = " ".join(long.split()[:11])
        assert any("first 10 words" in warning for warning in (await archive.search(shorter)).warnings)


async def test_no_log_line_contains_the_query(standin: StandIn, data: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "canaryword of mrs example"  # no finding: then the sentence itself is embedded
    faults: list[dict[str, Any]] = [{"kind": "status", "status": 503}, {"kind": "drop"}, {"kind": "nan"}]
    async with opened_archive(standin, data, down_s=0) as archive:
        await archive.search(f"{canary} effusion")
        for number, fault in enumerate(faults):
            standin.configure(fault={**fault, "times": 1000})
            assert (await archive.search(f"{canary} {number}")).search_mode == "keyword"
        standin.stop()
        await archive.search(f"{canary} again")
    messages = [record.getMessage() for record in caplog.records]
    assert any("retrying in" in line for line in messages)
    assert not any("canaryword" in line or "mrs example" in line for line in messages)


async def test_the_command_falls_back_to_words_with_a_note_and_succeeds(standin: StandIn, data: Path) -> None:
    standin.stop()
    done = await command(standin, data, "search", QUERY)
    assert done.returncode == 0
    assert b"  -   - " not in done.stdout
    note = done.stderr.decode().splitlines()[0]
    assert note.startswith(f"Note: The embedding service at {standin.base_url} cannot be reached")
    assert SAID_BY_SERVICE in note
    done = await command(standin, data, "search", QUERY, "--mode", "vector")
    assert (done.returncode, done.stdout) == (1, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("Error: ")
    assert SAID_BY_SERVICE in line


async def command(standin: StandIn, data: Path, *argv: str) -> CompletedProcess[bytes]:
    known = {"MCP_CXR_DATA_DIR": str(data), "NVCLIP_BASE_URL": standin.base_url, "NVCLIP_IMAGE_SIZE": "32"}
    return await anyio.run_process([sys.executable, "-m", "mcp_cxr", *argv], env={**os.environ, **known}, check=False)
