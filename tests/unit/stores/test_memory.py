"""The in-memory store behind a whole archive, as fast tests use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.records import Filter
from tests.support.archives import copy_memory_archive, ingested, ingested_in_memory, opened, opened_in_memory

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.demo import DemoDataSet

SEARCHES: tuple[dict[str, Any], ...] = ({"query": "pleural effusion"}, {"query": "no effusion"}, {"view": ["LATERAL"]})


@pytest.fixture
async def data(demo: DemoDataSet, tmp_path: Path) -> Path:
    summary = await ingested_in_memory(tmp_path / "data", demo.folder)
    assert summary.added > 20
    return tmp_path / "data"


async def test_a_search_on_the_memory_store_returns_what_the_embedded_store_returns(
    data: Path, demo: DemoDataSet, tmp_path: Path
) -> None:
    await ingested(tmp_path / "embedded", demo.folder)
    async with opened_in_memory(data) as memory, opened(tmp_path / "embedded") as embedded:
        for how in SEARCHES:
            found, expected = await memory.search(**how), await embedded.search(**how)
            assert found.images == expected.images
            assert (found.total_results, found.search_mode) == (expected.total_results, expected.search_mode)
        assert (await memory.verify()).problems == (await embedded.verify()).problems


async def test_a_repeated_ingest_adds_nothing(data: Path, demo: DemoDataSet) -> None:
    again = await ingested_in_memory(data, demo.folder)
    assert (again.added, again.skipped) == (0, again.found)


async def test_a_copy_of_an_archive_in_memory_is_independent(data: Path, tmp_path: Path) -> None:
    copied = copy_memory_archive(data, tmp_path / "copy")
    async with opened_in_memory(copied) as archive, opened_in_memory(data) as original:
        first = (await archive.store.browse(Filter(), limit=1))[0].image_id
        await archive.store.forget(Filter(image_id=first))
        assert not await archive.store.known_ids([first])
        assert await original.store.known_ids([first]) == {first}


async def test_roots_without_images_are_counted_and_removed(data: Path, demo: DemoDataSet) -> None:
    async with opened_in_memory(data) as archive:
        await archive.store.create(root="/unused")
        roots = (await archive.store.info()).roots
        assert await archive.store.count_unused_roots(roots, remove=True) == 1
        assert (await archive.store.info()).roots == roots[:-1]
