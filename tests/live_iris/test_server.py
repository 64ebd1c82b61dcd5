"""Tests that need a real server. Measurements are printed: run with `-s`."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from anyio import create_task_group, move_on_after

from mcp_cxr.errors import ConfigError, StoreError
from mcp_cxr.records import Filter, ImageId, Study, StudyId, SubjectId
from mcp_cxr.stores.iris import IrisStore
from mcp_cxr.stores.iris.driver import to_vector_cell
from tests.contract.stores.making import FINGERPRINT, ids, image
from tests.support.iris import pool_state

if TYPE_CHECKING:
    from mcp_cxr.records import Vectors
    from mcp_cxr.stores import Store
    from tests.live_iris.conftest import LiveBackend

pytestmark = pytest.mark.iris_live

COUNT = 20_000  # at a thousand, IRIS was seen to scan although there was an index
WIDE = replace(FINGERPRINT, dimension=256)
EVERY, LATERAL = Filter(), Filter(view=("LATERAL",))
HAS_HNSW = "SELECT EntryText FROM {}Collection WHERE EntryName = 'hnsw'"
POSTING = "INSERT INTO {}Terms (Term, StudyID, Occurrences) VALUES ('edema', 's1', 1)"
ORIGINAL = """
CREATE TABLE {} (ImageID VARCHAR(255) PRIMARY KEY, StudyID VARCHAR(255), SubjectID VARCHAR(255),
    ViewPosition VARCHAR(50), ImagePath VARCHAR(1000), Vector VECTOR(DOUBLE, 256), Metadata VARCHAR(4000),
    CreatedAt TIMESTAMP DEFAULT CURRENT_TIMESTAMP, UpdatedAt TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"""
FILTERED = """
SELECT TOP ? ImageID, VECTOR_COSINE(Vector, TO_VECTOR(?, DOUBLE)) AS Score FROM {}
WHERE ViewPosition = 'LATERAL' ORDER BY Score DESC"""


async def fill(store: Store) -> None:
    """Every hundredth image is a lateral."""
    await store.create(WIDE)
    images = [image(f"i{n:05d}", f"s{n}", view_position="LATERAL" if n % 100 == 0 else "PA") for n in range(COUNT)]
    await store.put(images, wide(COUNT))


def wide(count: int, *, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).normal(size=(count, WIDE.dimension)).astype(np.float32)


def query_vectors() -> Vectors:
    return wide(20, seed=1)


async def test_create_twice_and_drop_twice_on_the_server(bare: Store) -> None:
    assert await bare.create(FINGERPRINT) is True
    assert await bare.create(FINGERPRINT) is False
    await bare.drop()
    await bare.drop()


@pytest.mark.parametrize("limit", [10, 200, 1000])
async def test_the_index_finds_what_the_scan_finds(
    bare: Store, backend: LiveBackend, capsys: pytest.CaptureFixture[str], limit: int
) -> None:
    await fill(bare)
    started = time.monotonic()
    with suppress(StoreError):  # printed below
        await bare.create_vector_index()
    built_s = time.monotonic() - started
    stored = backend.execute(HAS_HNSW.format(backend.config.table))
    status = "exists" if stored and str(stored[0][0]) == "1" else f"does NOT exist: {stored}"
    everything = Filter(exclude_images=(ImageId("none"),))  # a filter that all pass, so that the store scans
    shares: list[float] = []
    seconds = [0.0, 0.0]
    for query in query_vectors():
        started = time.monotonic()
        approximate = set(ids(await bare.nearest(query, EVERY, limit=limit)))
        middle = time.monotonic()
        exact = set(ids(await bare.nearest(query, everything, limit=limit)))
        seconds = [seconds[0] + middle - started, seconds[1] + time.monotonic() - middle]
        shares.append(len(approximate & exact) / limit)
    with capsys.disabled():
        print(  # noqa: T201  # to be read
            f"\nHNSW index {status} ({built_s:.1f} s);"
            f" share of the exact {limit} found {np.mean(shares):.3f} (worst {min(shares):.1f});"
            f" {1000 * seconds[0] / 20:.1f} ms, the scan {1000 * seconds[1] / 20:.1f} ms,"
            f" of {COUNT} vectors of {WIDE.dimension}"
        )
    assert np.mean(shares) >= 0.9


async def test_rows_can_be_written_right_after_the_index_was_built(bare: Store) -> None:
    await fill(bare)
    with suppress(StoreError):  # a server before 2025.1
        await bare.create_vector_index()
    await bare.put([image("i00001", "s1")], wide(1, seed=2))
    assert await bare.forget(Filter(image_id=ImageId("i00001"))) == 1


async def test_forgetting_one_image_of_the_original_table_keeps_its_study(bare: Store, backend: LiveBackend) -> None:
    backend.execute(ORIGINAL.format(backend.config.table))
    await bare.create(WIDE)
    await bare.put([image("a", "s1"), image("b", "s1")], wide(2))
    await bare.put_studies([Study(StudyId("s1"), SubjectId("p1"), report="Edema.", labels={"Edema": 1})])
    await bare.forget(Filter(image_id=ImageId("a")))
    assert (await bare.get([ImageId("b")]))[ImageId("b")].study.report == "Edema."
    assert ids(await bare.match(["edema"], EVERY, limit=9)) == ["b"]


async def test_words_in_an_archive_without_documents_are_no_error(bare: Store, backend: LiveBackend) -> None:
    await bare.create(FINGERPRINT)
    backend.execute(POSTING.format(backend.config.table))
    assert await bare.match(["edema"], EVERY, limit=9) == []


async def test_the_facts_of_a_result_are_read_in_one_statement(
    bare: Store, backend: LiveBackend, caplog: pytest.LogCaptureFixture
) -> None:
    await bare.create(FINGERPRINT)
    facts = await bare.result_facts([], EVERY, with_vectors=True, also_count=[LATERAL])
    assert (facts.total, facts.external) == (0, 0)
    assert "refused" not in caplog.text


async def test_two_writers_at_once_wait_for_each_other(bare: Store, backend: LiveBackend) -> None:
    await bare.create(WIDE)
    async with backend.store() as other, create_task_group() as group:
        for number, store in enumerate((bare, other)):
            images = [image(f"w{number}x{n}", f"s{n}") for n in range(1000)]
            group.start_soon(store.put, images, wide(1000, seed=number))
    assert (await bare.totals()).images == 2000


async def test_measure_the_index_with_a_filter(
    bare: Store, backend: LiveBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measures only: the store does not use the index with a filter."""
    await fill(bare)
    counts: list[int] = []
    shares: list[float] = []
    for query in query_vectors():
        exact = set(ids(await bare.nearest(query, LATERAL, limit=10)))
        text = to_vector_cell(query)
        rows = backend.execute(FILTERED.format(backend.config.table), [10, text])
        counts.append(len(rows))
        shares.append(len({str(row[0]) for row in rows} & exact) / 10)
        assert len(exact) == 10
    with capsys.disabled():
        print(  # noqa: T201  # to be read
            f"\nTOP 10 with a filter that 1 % pass, ordered by the score alone: {min(counts)} to {max(counts)}"
            f" rows returned; share of the exact ten found {np.mean(shares):.3f}"
        )


async def test_cancelled_calls_do_not_leak_connections(bare: Store, backend: LiveBackend) -> None:
    await fill(bare)
    assert isinstance(bare, IrisStore)
    store, query = bare, query_vectors()[0]
    for _ in range(10):
        with move_on_after(0.002):
            await store.nearest(query, LATERAL, limit=10)
    async with create_task_group() as group:
        for _ in range(20):
            group.start_soon(store.totals)
    assert pool_state(store).busy == 0
    assert pool_state(store).idle <= backend.config.pool_size


async def test_a_wrong_password_is_reported(backend: LiveBackend) -> None:
    async with IrisStore(replace(backend.config, password="wrong")) as store:  # noqa: S106  # on purpose
        with pytest.raises(ConfigError, match="IRIS_PASSWORD"):
            await store.info()
