"""How often the server is asked, and how much it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from mcp_cxr.archive import Archive
from mcp_cxr.images import Reader
from mcp_cxr.records import Filter, ImageId, Study, StudyId, SubjectId
from mcp_cxr.search import Searcher, ask
from mcp_cxr.settings import Settings
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.stores.iris import IrisStore
from mcp_cxr.upkeep import ServiceWatch
from tests.contract.stores.making import FINGERPRINT, axis, image, vectors
from tests.faults.iris_stores import config, fill
from tests.support.films import mimic_place, plain
from tests.support.iris import plain_server
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path
    from typing import Any

    from mcp_cxr.records import Picture, Stored
    from mcp_cxr.stores import Store
    from tests.standins.iris import StandIn

EVERY = Filter()
FRONTAL = Filter(view=("PA",))
EXISTENCE = "SELECT i . ImageID FROM VectorSearch . MIMICCXRImages AS i WHERE i . ImageID %INLIST"
UPSERT = "TO_VECTOR"
OUTCOMES = "FROM VectorSearch . MIMICCXRImagesFiles"


@pytest.fixture
def server() -> StandIn:
    return plain_server()


@pytest.fixture
async def store(server: StandIn) -> AsyncIterator[IrisStore]:
    async with IrisStore(config(server)) as opened:
        await opened.drop()
        await fill(opened)
        yield opened


async def trips(server: StandIn, ask: Callable[[], Awaitable[Any]]) -> int:
    """Return the round trips of a question that was asked before: each text is prepared once a connection."""
    await ask()
    server.forget()
    await ask()
    return server.seen["round_trips"]


def statements(server: StandIn, part: str) -> int:
    return sum(part in statement for statement in server.seen["statements"])


async def test_a_search_by_vector_is_one_round_trip(server: StandIn, store: IrisStore) -> None:
    assert await trips(server, lambda: store.nearest(axis(), EVERY, limit=5)) == 1
    assert await trips(server, lambda: store.nearest(axis(), FRONTAL, limit=5)) == 1


async def test_a_search_by_vector_among_foreign_rows_is_two_at_most(server: StandIn, store: IrisStore) -> None:
    assert await trips(server, lambda: store.nearest(axis(), EVERY, limit=40)) == 2  # the index cannot give 41


async def test_a_search_by_words_is_one_round_trip(server: StandIn, store: IrisStore) -> None:
    assert await trips(server, lambda: store.match(["effus", "clear"], FRONTAL, limit=5)) == 1


async def test_a_search_by_both_with_its_total_and_its_facts_is_five_at_most(server: StandIn, store: IrisStore) -> None:
    async def hybrid() -> None:
        await store.info()
        await store.count(EVERY, distinct="study")
        near = await store.nearest(axis(), EVERY, limit=5)
        held = await store.match(["effus"], EVERY, limit=5)
        await store.get([hit.image_id for hit in [*near, *held]], vectors=True)

    assert await trips(server, hybrid) == 5


async def test_the_reference_sample_is_read_again_only_when_it_is_another_one(
    server: StandIn, store: IrisStore
) -> None:
    first = await store.sample()
    server.forget()
    assert await store.sample() is first
    assert (server.seen["round_trips"], server.seen["bytes_out"] < 200) == (1, True)
    async with IrisStore(config(server)) as other:
        await other.put([image("i00000", "s00000", "p0")], vectors(1, seed=9))
        replaced = await store.sample()
        assert replaced.ids == first.ids
        assert (replaced.vectors != first.vectors).any()
        await other.forget(Filter(image_id=ImageId("i00001")))
    assert set((await store.sample()).ids) == set(first.ids) - {"i00001"}


async def test_totals_are_one_round_trip(server: StandIn, store: IrisStore) -> None:
    assert await trips(server, store.totals) == 1


async def test_a_whole_answer_is_fifteen_round_trips_at_most(server: StandIn, store: IrisStore) -> None:
    """Beside the ranking: whose the collection is, the total, reports and labels, facts, standing, foreign rows."""
    async with ToyEmbedder() as embedder:
        own = await embedder.fingerprint()
        await store.drop()
        await store.create(own)
        await store.put([image(f"i{n}", f"s{n}") for n in range(50)], np.eye(50, own.dimension, dtype=np.float32) + 0.1)
        await store.put_studies([Study(StudyId(f"s{n}"), SubjectId("p1"), report="Effusion.") for n in range(50)])
        searcher = Searcher(store, embedder, confirm=ServiceWatch(store, embedder, nothing_to_show).confirm)
        counted = {
            mode: await trips(server, lambda mode=mode: searcher.search(ask("effusion", mode=mode), develop=no_film))
            for mode in ("words", "vector", "auto")
        }
    assert (counted["words"], counted["vector"]) == (5, 8)
    assert counted["auto"] <= 15  # two of them open a connection more, where both legs are asked at the same moment


async def nothing_to_show(_: Stored) -> Picture:
    raise AssertionError("the service is the same")


async def no_film(_: str) -> Picture:
    raise AssertionError("no file is named")


async def test_an_ingest_of_a_thousand_images_asks_for_500_ids_at_a_time_and_writes_250_rows(
    server: StandIn, tmp_path: Path
) -> None:
    """Whatever the embedder's batches are: each id is asked for before its film is read, and before it is written."""
    film = plain(tmp_path / "film.png", 1).read_bytes()
    for number in range(1000):
        place = mimic_place(tmp_path / "films", number, study=number // 2).with_suffix(".png")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(film)
    settings = Settings(MCP_CXR_DATA_DIR=str(tmp_path), MCP_CXR_EMBEDDER="offline")  # pyright: ignore[reportCallIssue]
    async with IrisStore(config(server)) as store, ToyEmbedder() as embedder, Reader() as reader:
        await store.create(await embedder.fingerprint())
        server.forget()
        assert (await Archive(settings, store, embedder, reader).ingest(tmp_path / "films")).added == 1000
    assert len(embedder.batches) > 15
    counted = {part: statements(server, part) for part in (EXISTENCE, UPSERT, OUTCOMES)}
    assert counted == {EXISTENCE: 4, UPSERT: 4, OUTCOMES: 4}


async def test_a_message_is_four_megabytes_at_most(server: StandIn) -> None:
    async with IrisStore(config(server, table="Wide.Images")) as store:
        await store.create(FINGERPRINT)
        server.forget()
        big = {"StudyDescription": "x" * 30_000}
        await store.put([image(f"n{n}", f"s{n}", tags=big) for n in range(200)], vectors(200))
        assert statements(server, "TO_VECTOR") == 2


async def test_the_bytes_of_a_search_by_words_do_not_grow_with_the_reports_that_match(server: StandIn) -> None:
    sizes: list[int] = []
    for count in (50, 1000):
        async with IrisStore(config(server, table=f"Grown.T{count}")) as store:
            await fill(store, count)
            await store.match(["effus"], EVERY, limit=10)
            server.forget()
            assert len(await store.match(["effus"], EVERY, limit=10)) == 10
            sizes.append(server.seen["bytes_out"])
    assert sizes[1] <= sizes[0] * 1.2


async def test_answers_are_those_of_the_embedded_store(server: StandIn, store: IrisStore, tmp_path: Path) -> None:
    def answers(of: Store) -> list[Awaitable[list[Any]]]:
        return [
            ask
            for where in (EVERY, FRONTAL, Filter(has_report=True), Filter(exclude_images=(ImageId("i00001"),)))
            for ask in (
                of.nearest(axis(), where, limit=17),
                of.match(["effus", "clear", "lung"], where, limit=17),
                of.browse(where, limit=17),
            )
        ]

    async with EmbeddedStore(tmp_path) as embedded:
        await fill(embedded)
        for ours, theirs in zip(answers(store), answers(embedded), strict=True):
            here, there = await ours, await theirs
            assert [hit.image_id for hit in here] == [hit.image_id for hit in there]
            assert [hit.score for hit in here] == pytest.approx([hit.score for hit in there], abs=1e-6)
        assert (await store.sample()).ids == (await embedded.sample()).ids
