"""An archive moves from one store to another, in either direction, whatever comes between."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest

from mcp_cxr.errors import ConfigError, FingerprintMismatch, StoreMissing, StoreUnavailable
from mcp_cxr.records import Filter, ImageId, Study, StudyId, SubjectId
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.stores.iris import IrisStore
from mcp_cxr.upkeep import Copied, copy
from tests.contract.stores.making import FINGERPRINT, axis, ids, image, outcome, vectors
from tests.faults.iris_stores import config
from tests.support.iris import plain_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mcp_cxr.stores import Store
    from tests.standins.iris import StandIn

COUNT = 600  # three pages


class Pair(NamedTuple):
    """Where an archive is, where it goes, and the server that one of them is on."""

    source: Store
    target: Store
    server: StandIn


@pytest.fixture(params=["to iris", "to embedded"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    server = plain_server()
    async with AsyncExitStack() as opened:
        here = await opened.enter_async_context(EmbeddedStore(tmp_path))
        there = await opened.enter_async_context(IrisStore(config(server)))
        yield Pair(here, there, server) if request.param == "to iris" else Pair(there, here, server)


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
    """Return what a store holds, and how it ranks it."""
    page = await store.images_after(None, limit=2 * COUNT)
    assert all(one.vector is not None for one in page)
    rows = [(one.image, one.study, one.external, one.vector.tobytes()) for one in page if one.vector is not None]
    paths = [f"/archive/files/i{n:05d}.dcm" for n in range(COUNT)]
    collection = await store.info()
    return [
        rows,
        await store.outcomes(paths),
        (collection.fingerprint, collection.key_check),
        ids(await store.nearest(axis(), Filter(), limit=50)),
        ids(await store.match(["edema", "upright"], Filter(), limit=50)),
        (await store.reference_sample()).ids,
        await store.totals(),
    ]


async def test_everything_arrives_as_it_was_and_a_second_copy_finds_nothing_to_do(pair: Pair) -> None:
    await fill(pair.source)
    assert await copy(pair.source, pair.target) == Copied(COUNT, 0, 0)
    assert await everything(pair.target) == await everything(pair.source)
    assert await copy(pair.source, pair.target) == Copied(0, COUNT, 0)


async def test_a_copy_that_was_cut_off_goes_on_where_it_was(pair: Pair) -> None:
    await fill(pair.source)

    class Killed(Exception):
        pass

    async def kill(looked_at: int) -> None:
        if looked_at > COUNT // 2:
            raise Killed

    with pytest.raises(Killed):
        await copy(pair.source, pair.target, on_progress=kill)
    assert await copy(pair.source, pair.target) == Copied(COUNT - 500, 500, 0)
    assert await everything(pair.target) == await everything(pair.source)


async def test_a_server_that_goes_away_meanwhile_leaves_nothing_half_written(pair: Pair) -> None:
    await fill(pair.source)
    pair.server.fail("rst", times=2, skip=3, matching="SELECT")
    with pytest.raises(StoreUnavailable):
        await copy(pair.source, pair.target)
    pair.server.heal()
    done = await copy(pair.source, pair.target)
    assert done.copied + done.skipped == COUNT
    assert await everything(pair.target) == await everything(pair.source)


async def test_what_changed_since_is_brought_up_to_date_and_what_is_only_there_stays(pair: Pair) -> None:
    await fill(pair.source, 10)
    await copy(pair.source, pair.target)
    await pair.source.put([image("i00003", "s1", "p0", view_position="AP")], vectors(1, seed=1))
    await pair.target.put([image("only-there")], vectors(1))
    assert await copy(pair.source, pair.target) == Copied(1, 9, 0)
    assert (await pair.target.get([ImageId("i00003")]))[ImageId("i00003")].image.view_position == "AP"
    assert (await pair.target.totals()).images == 11


async def test_vectors_of_another_embedder_and_ids_of_another_key_are_not_mixed(pair: Pair) -> None:
    await fill(pair.source, 10)
    await pair.target.create(replace(FINGERPRINT, model="other"))
    with pytest.raises(FingerprintMismatch):
        await copy(pair.source, pair.target)
    await pair.target.drop()
    await pair.target.create(FINGERPRINT, key_check="another key")
    with pytest.raises(ConfigError, match="MCP_CXR_ID_KEY_FILE"):
        await copy(pair.source, pair.target)
    assert (await pair.target.totals()).images == 0


async def test_there_is_nothing_to_copy_from_an_archive_without_vectors(pair: Pair) -> None:
    with pytest.raises(StoreMissing):
        await copy(pair.source, pair.target)
    await pair.source.create()
    with pytest.raises(StoreMissing, match="no vectors yet"):
        await copy(pair.source, pair.target)
    with pytest.raises(StoreMissing):
        await pair.target.info()


async def test_roots_come_only_to_a_store_of_this_machine(pair: Pair) -> None:
    await fill(pair.source, 4)
    await copy(pair.source, pair.target)
    assert (await pair.target.info()).roots == (("/archive",) if pair.target.is_private else ())
