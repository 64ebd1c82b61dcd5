"""What only a real server can show. Figures are printed: run with `-s`."""

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
from mcp_cxr.stores.iris.driver._cells import to_vector_cell
from tests.contract.stores.making import FINGERPRINT, ids, image

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


def questions() -> Vectors:
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
    everything = Filter(exclude_images=(ImageId("nobody"),))  # a filter, so the scan, that lets all through
    shares: list[float] = []
    seconds = [0.0, 0.0]
    for question in questions():
        started = time.monotonic()
        quick = set(ids(await bare.nearest(question, EVERY, limit=10)))
        middle = time.monotonic()
        exact = set(ids(await bare.nearest(question, everything, limit=10)))
        seconds = [seconds[0] + middle - started, seconds[1] + time.monotonic() - middle]
        shares.append(len(quick & exact) / 10)
    with capsys.disabled():
        print(  # noqa: T201  # the figures are the point
            f"\nHNSW {'there' if str(has_hnsw) == '1' else 'NOT there'};"
            f" of the exact ten it finds {np.mean(shares):.3f} (worst {min(shares):.1f});"
            f" {1000 * seconds[0] / 20:.1f} ms, the scan {1000 * seconds[1] / 20:.1f} ms,"
            f" of {COUNT} vectors of {WIDE.dimension}"
        )
    assert np.mean(shares) >= 0.9


async def test_whether_the_index_could_serve_questions_with_a_filter(
    bare: Store, backend: LiveBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measures, and asserts nothing of the index: the store does not use it so."""
    await fill(bare)
    counts: list[int] = []
    shares: list[float] = []
    for question in questions():
        exact = set(ids(await bare.nearest(question, LATERAL, limit=10)))
        text = to_vector_cell(question)
        rows = backend.execute(FILTERED.format(backend.config.table), [10, text])
        counts.append(len(rows))
        shares.append(len({str(row[0]) for row in rows} & exact) / 10)
        assert len(exact) == 10
    with capsys.disabled():
        print(  # noqa: T201  # the figures are the point
            f"\nTOP 10 with a filter that lets 1 % through, ordered by the score alone: {min(counts)} to {max(counts)}"
            f" rows came back; of the exact ten it finds {np.mean(shares):.3f}"
        )


async def test_a_stopped_call_leaves_the_pool_whole(bare: Store, backend: LiveBackend) -> None:
    await fill(bare)
    assert isinstance(bare, IrisStore)
    store, question = bare, questions()[0]
    for _ in range(10):
        with move_on_after(0.002):
            await store.nearest(question, LATERAL, limit=10)
    async with create_task_group() as group:
        for _ in range(20):
            group.start_soon(store.totals)
    assert store.pool_stats.busy == 0
    assert store.pool_stats.idle <= backend.config.pool_size


async def test_a_wrong_password_is_told_as_one(backend: LiveBackend) -> None:
    async with IrisStore(replace(backend.config, password="wrong")) as store:  # noqa: S106  # on purpose
        with pytest.raises(ConfigError, match="IRIS_PASSWORD"):
            await store.info()
