"""Tests that need a real server. Measurements are printed: run with `-s`."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from anyio import create_task_group, move_on_after

from mcp_cxr.errors import ConfigError
from mcp_cxr.records import Filter, ImageId
from mcp_cxr.stores.iris import IrisStore
from mcp_cxr.stores.iris.driver import to_vector_cell
from tests.contract.stores.making import FINGERPRINT, ids, image
from tests.support.iris import pool_state

if TYPE_CHECKING:
    from mcp_cxr.records import Vectors
    from mcp_cxr.stores import Store
    from tests.live_iris.conftest import LiveBackend

pytestmark = pytest.mark.iris_live

COUNT = 5000
WIDE = replace(FINGERPRINT, dimension=256)
EVERY, LATERAL = Filter(), Filter(view=("LATERAL",))
HAS_HNSW = "SELECT EntryText FROM {}Collection WHERE EntryName = 'hnsw'"
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


async def test_the_index_finds_what_the_scan_finds(
    bare: Store, backend: LiveBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    await fill(bare)
    ((has_hnsw,),) = backend.execute(HAS_HNSW.format(backend.config.table))
    everything = Filter(exclude_images=(ImageId("none"),))  # a filter that all pass, so that the store scans
    shares: list[float] = []
    seconds = [0.0, 0.0]
    for query in query_vectors():
        started = time.monotonic()
        approximate = set(ids(await bare.nearest(query, EVERY, limit=10)))
        middle = time.monotonic()
        exact = set(ids(await bare.nearest(query, everything, limit=10)))
        seconds = [seconds[0] + middle - started, seconds[1] + time.monotonic() - middle]
        shares.append(len(approximate & exact) / 10)
    with capsys.disabled():
        print(  # noqa: T201  # to be read
            f"\nHNSW index {'exists' if str(has_hnsw) == '1' else 'does NOT exist'};"
            f" share of the exact ten found {np.mean(shares):.3f} (worst {min(shares):.1f});"
            f" {1000 * seconds[0] / 20:.1f} ms, the scan {1000 * seconds[1] / 20:.1f} ms,"
            f" of {COUNT} vectors of {WIDE.dimension}"
        )
    assert np.mean(shares) >= 0.9


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
