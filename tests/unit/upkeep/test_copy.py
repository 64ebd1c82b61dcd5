"""`copy` between the embedded store and IRIS, in both directions, also after interruptions."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest

from mcp_cxr.errors import ConfigError, FingerprintMismatch, StoreMissing, StoreUnavailable
from mcp_cxr.records import Filter, ImageId, Study, StudyId, SubjectId
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.stores.iris import IrisStore
from mcp_cxr.upkeep import CopySummary, copy
from tests.contract.stores.making import FINGERPRINT, axis, ids, image, outcome, vectors
from tests.faults.iris_stores import config
from tests.support.iris import plain_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mcp_cxr.stores import Store
    from tests.standins.iris import StandIn

COUNT = 600  # three batches


class Pair(NamedTuple):
    """The two stores, and the server of the one on IRIS."""

    source: Store
    target: Store
    server: StandIn


@pytest.fixture(params=["to iris", "to embedded"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    server = plain_server()
    async with AsyncExitStack() as stack:
        embedded = await stack.enter_async_context(EmbeddedStore(tmp_path))
        iris = await stack.enter_async_context(IrisStore(config(server)))
        yield Pair(embedded, iris, server) if request.param == "to iris" else Pair(iris, embedded, server)


async def fill(store: Store, count: int = COUNT) -> None:
    await store.create(FINGERPRINT, root="/archive", key_check="key")
    names = [(f"i{n:05d}", f"s{n // 2}", f"p{n // 4}") for n in range(count)]
    await store.put([image(*name, tags={"SeriesDescription": "upright"}) for name in names], vectors(count))
    await store.put_studies([study(n) for n in range(count // 2)])
    await store.record_outcomes([outcome(f"/archive/files/{name}.dcm", name) for name, *_ in names])


def study(n: int) -> Study:
    date = f"2180-01-{n % 28 + 1:02d}"
    return Study(StudyId(f"s{n}"), SubjectId(f"p{n // 2}"), date, "train", {"Edema": 1}, report="Clear.")


async def everything(store: Store) -> list[object]:
    """Return what a store holds, and how it ranks."""
    batch = await store.images_after(None, limit=2 * COUNT)
    assert all(one.vector is not None for one in batch)
    rows = [(one.image, one.study, one.external, one.vector.tobytes()) for one in batch if one.vector is not None]
    paths = [f"/archive/files/i{n:05d}.dcm" for n in range(COUNT)]
    info = await store.info()
    return [
        rows,
        await store.outcomes(paths),
        (info.fingerprint, info.key_check),
        ids(await store.nearest(axis(), Filter(), limit=50)),
        ids(await store.match(["edema", "upright"], Filter(), limit=50)),
        (await store.reference_sample()).ids,
        await store.totals(),
    ]


async def test_copy_preserves_everything_and_a_second_copy_writes_nothing(pair: Pair) -> None:
    await fill(pair.source)
    assert await copy(pair.source, pair.target) == CopySummary(COUNT, 0, 0)
    assert await everything(pair.target) == await everything(pair.source)
    assert await copy(pair.source, pair.target) == CopySummary(0, COUNT, 0)


async def test_an_interrupted_copy_continues_where_it_stopped(pair: Pair) -> None:
    await fill(pair.source)

    class Killed(Exception):
        pass

    async def kill(compared: int) -> None:
        if compared > COUNT // 2:
            raise Killed

    with pytest.raises(Killed):
        await copy(pair.source, pair.target, on_progress=kill)
    assert await copy(pair.source, pair.target) == CopySummary(COUNT - 500, 500, 0)
    assert await everything(pair.target) == await everything(pair.source)


async def test_copy_can_be_repeated_after_the_server_was_lost(pair: Pair) -> None:
    await fill(pair.source)
    pair.server.inject_fault("rst", times=2, skip=3, matching="SELECT")
    with pytest.raises(StoreUnavailable):
        await copy(pair.source, pair.target)
    pair.server.clear_faults()
    done = await copy(pair.source, pair.target)
    assert done.copied + done.skipped == COUNT
    assert await everything(pair.target) == await everything(pair.source)


async def test_copy_updates_changed_images_and_keeps_those_only_in_the_target(pair: Pair) -> None:
    await fill(pair.source, 10)
    await copy(pair.source, pair.target)
    await pair.source.put([image("i00003", "s1", "p0", view_position="AP")], vectors(1, seed=1))
    await pair.target.put([image("only-in-target")], vectors(1))
    assert await copy(pair.source, pair.target) == CopySummary(1, 9, 0)
    assert (await pair.target.get([ImageId("i00003")]))[ImageId("i00003")].image.view_position == "AP"
    assert (await pair.target.totals()).images == 11


async def test_copy_refuses_a_target_of_another_embedder_or_another_id_key(pair: Pair) -> None:
    await fill(pair.source, 10)
    await pair.target.create(replace(FINGERPRINT, model="other"))
    with pytest.raises(FingerprintMismatch):
        await copy(pair.source, pair.target)
    await pair.target.drop()
    await pair.target.create(FINGERPRINT, key_check="another key")
    with pytest.raises(ConfigError, match="MCP_CXR_ID_KEY_FILE"):
        await copy(pair.source, pair.target)
    assert (await pair.target.totals()).images == 0


async def test_copy_refuses_a_source_without_vectors(pair: Pair) -> None:
    with pytest.raises(StoreMissing):
        await copy(pair.source, pair.target)
    await pair.source.create()
    with pytest.raises(StoreMissing, match="no vectors yet"):
        await copy(pair.source, pair.target)
    with pytest.raises(StoreMissing):
        await pair.target.info()


async def test_copy_copies_roots_only_to_a_private_store(pair: Pair) -> None:
    await fill(pair.source, 4)
    await copy(pair.source, pair.target)
    assert (await pair.target.info()).roots == (("/archive",) if pair.target.is_private else ())
