"""Numbers of round trips to the server, and of bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mcp_cxr.archive import Archive
from mcp_cxr.errors import FingerprintMismatch, StoreMissing
from mcp_cxr.images import ImageReader
from mcp_cxr.records import Filter, Fingerprint, ImageId, Study, StudyId, SubjectId, TermClause
from mcp_cxr.settings import Settings
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.stores.iris import IrisStore
from tests.contract.stores.making import FINGERPRINT, axis, image, vectors
from tests.faults.iris_stores import config, fill
from tests.support.image_files import mimic_place, plain
from tests.support.iris import plain_server
from tests.support.toy import DIMENSION, ToyEmbedder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path
    from typing import Any

    from mcp_cxr.stores import Store
    from tests.standins.iris import StandIn

EVERY = Filter()
WIDE = replace(FINGERPRINT, dimension=1024)
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
        await opened.create_vector_index()
        yield opened


@pytest.fixture
async def studies(server: StandIn, tmp_path: Path) -> AsyncIterator[Archive]:
    """An archive of ninety studies whose reports all mention an effusion."""
    settings = Settings(MCP_CXR_DATA_DIR=str(tmp_path), MCP_CXR_EMBEDDER="offline")  # pyright: ignore[reportCallIssue]  # by the variables' names
    async with IrisStore(config(server, pool_size=1)) as store, ToyEmbedder() as embedder, ImageReader() as reader:
        await store.drop()
        await fill_studies(store, await embedder.fingerprint(), count=90)
        yield Archive(settings, store, embedder, reader)


async def fill_studies(store: Store, made_with: Fingerprint, *, count: int) -> None:
    await store.create(made_with)
    rows = np.random.default_rng(3).normal(size=(count, made_with.dimension)).astype(np.float32)
    await store.put([image(f"i{n}", f"s{n}") for n in range(count)], rows)
    await store.put_studies([Study(StudyId(f"s{n}"), SubjectId("p1"), report="Effusion.") for n in range(count)])


async def trips(server: StandIn, ask: Callable[[], Awaitable[Any]]) -> int:
    """Return the round trips of a question that was asked before: each text is prepared once a connection."""
    await ask()
    server.reset_counters()
    await ask()
    return server.counters["round_trips"]


def statements(server: StandIn, part: str) -> int:
    return sum(part in statement for statement in server.counters["statements"])


async def test_a_search_by_vector_is_one_round_trip(server: StandIn, store: IrisStore) -> None:
    assert await trips(server, lambda: store.nearest(axis(), EVERY, limit=5)) == 1
    assert await trips(server, lambda: store.nearest(axis(), FRONTAL, limit=5)) == 1


async def test_a_search_by_vector_among_external_rows_is_two_round_trips(server: StandIn, store: IrisStore) -> None:
    assert await trips(server, lambda: store.nearest(axis(), EVERY, limit=40)) == 2  # the index cannot give 41


async def test_a_search_by_words_is_one_round_trip(server: StandIn, store: IrisStore) -> None:
    assert await trips(server, lambda: store.match(["effus", "clear"], FRONTAL, limit=5)) == 1


async def test_further_counts_add_no_round_trip(server: StandIn, store: IrisStore) -> None:
    clause = TermClause(any_of=("effus",), or_lacks=("clear",))
    further = [Filter(clauses=(clause,)), Filter(clauses=(clause, clause), view=("PA",)), EVERY]
    ids = [ImageId("i00001")]
    assert await trips(server, lambda: store.result_facts(ids, FRONTAL, also_count=further)) == 1
    assert await trips(server, lambda: store.term_counts(["effus", "clear"])) == 1


async def test_the_reference_sample_is_read_again_only_if_it_changed(server: StandIn, store: IrisStore) -> None:
    first = await store.reference_sample()
    server.reset_counters()
    assert await store.reference_sample() is first
    assert (server.counters["round_trips"], server.counters["bytes_out"] < 200) == (1, True)
    async with IrisStore(config(server)) as other:
        await other.put([image("i00000", "s00000", "p0")], vectors(1, seed=9))
        replaced = await store.reference_sample()
        assert replaced.ids == first.ids
        assert (replaced.vectors != first.vectors).any()
        await other.forget(Filter(image_id=ImageId("i00001")))
    assert set((await store.reference_sample()).ids) == set(first.ids) - {"i00001"}


async def test_a_restart_queries_500_files_at_once(server: StandIn, store: IrisStore) -> None:
    files = {f"/films/{number}.dcm": (1, 2) for number in range(1000)}
    assert await trips(server, lambda: store.unchanged_files(files)) == 2


async def test_totals_are_one_round_trip(server: StandIn, store: IrisStore) -> None:
    assert await trips(server, store.totals) == 1


async def test_a_search_is_two_round_trips_and_three_in_hybrid_mode(server: StandIn, studies: Archive) -> None:
    """A ranking for each tier that is needed and not empty, or several; then, at once, everything shown with it."""
    asked: dict[str, dict[str, Any]] = {
        "words": {"query": "effusion", "mode": "words"},
        "vector": {"query": "effusion", "mode": "vector"},
        "with filters": {"query": "effusion", "mode": "vector", "view": ["PA"], "labels_absent": ["Edema"]},
        "both": {"query": "effusion"},
        "facts": {"view": ["PA"]},
        "the next page": {"query": "effusion", "mode": "words", "offset": 5},
        "by example": {"like": ["i7"]},
        "words and example": {"query": "left effusion", "like": ["i7"]},
    }
    counted = {what: await trips(server, lambda how=how: studies.search(**how)) for what, how in asked.items()}
    assert counted == {
        "words": 2,
        "vector": 2,
        "with filters": 3,  # none has the label: what no image of the archive meets, too
        "both": 3,
        "facts": 2,
        "the next page": 2,
        "by example": 3,
        "words and example": 10,  # the example, the mean, three rankings for each of two tiers, and which are empty
    }


async def test_cached_entries_of_a_recreated_archive_are_not_used(server: StandIn, studies: Archive) -> None:
    """The archive is made again by another process, then with another embedder, whose vectors are as long."""
    before = await studies.search("effusion", mode="vector")
    async with ToyEmbedder() as embedder, IrisStore(config(server)) as other:
        await other.drop()
        with pytest.raises(StoreMissing):
            await studies.search("effusion", mode="vector")
        await fill_studies(other, await embedder.fingerprint(), count=20)
        assert (before.total_results, (await studies.search("effusion", mode="vector")).total_results) == (90, 20)
        await other.drop()
        await fill_studies(other, Fingerprint("another", DIMENSION, "test"), count=20)
        with pytest.raises(FingerprintMismatch):
            await studies.search("effusion", mode="vector")


async def test_queries_of_one_form_share_few_statements(server: StandIn, studies: Archive) -> None:
    """The driver keeps each text it ever met: a value, a list's length or a page makes no new one."""
    for words in ("edema", "left edema and effusion", "lower lobe"):  # one finding, two, and none
        await studies.search(words, view=["PA"])
    server.reset_counters()
    for words in ("effusion", "left effusion and edema", "upper lobe"):
        for view in (("PA", "AP"), ("PA",)):
            for offset in (0, 5):
                await studies.search(words, view=view, limit=3 + offset, offset=offset)
    assert set(server.counters["messages"]) == {"PQ"}
    assert server.counters["messages"]["PQ"] > 36


async def test_an_ingest_queries_500_ids_and_writes_250_rows_at_a_time(server: StandIn, tmp_path: Path) -> None:
    """Whatever the embedder's batches are: each id is asked for before its image is read, and before it is written."""
    image = plain(tmp_path / "film.png", 1).read_bytes()
    for number in range(1000):
        place = mimic_place(tmp_path / "films", number, study=number // 2).with_suffix(".png")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(image)
    settings = Settings(MCP_CXR_DATA_DIR=str(tmp_path), MCP_CXR_EMBEDDER="offline")  # pyright: ignore[reportCallIssue]  # by the variables' names
    async with IrisStore(config(server)) as store, ToyEmbedder() as embedder, ImageReader() as reader:
        await store.create(await embedder.fingerprint())
        server.reset_counters()
        assert (await Archive(settings, store, embedder, reader).ingest(tmp_path / "films")).added == 1000
    assert len(embedder.batches) > 15
    counted = {part: statements(server, part) for part in (EXISTENCE, UPSERT, OUTCOMES)}
    assert counted == {EXISTENCE: 2, UPSERT: 4, OUTCOMES: 4}


async def test_500_new_images_take_few_round_trips_and_bytes(server: StandIn) -> None:
    """A study, its labels and its words are committed together, 36,500 rows here, but not a transaction for each.

    Version 583ae2a took 33 round trips, 8,972,857 bytes to the server and 2,100,006 back, with 62 terms a study for 73.
    """
    async with IrisStore(config(server, pool_size=1)) as store:
        await store.create(WIDE)
        await cost(server, store, first=0)  # prepares the statements
        new = await cost(server, store, first=1000)
        again = await cost(server, store, first=1000)
    assert new["round_trips"] <= 31
    assert new["bytes_in"] <= 8_600_000
    assert new["bytes_out"] <= 1_300_000
    assert again["round_trips"] <= 18  # the images are written, no study is
    assert again["bytes_in"] <= 500 * 13_600


async def cost(server: StandIn, store: IrisStore, *, first: int) -> dict[str, Any]:
    """Write 500 images of as many studies, and return what it took: the driver's messages are counted by the server."""
    sentences = [f"Small left effusion in zone{n}, no edema." for n in range(500)]
    studies = [
        Study(
            StudyId(f"s{n:08d}"),
            SubjectId(f"p{n // 2}"),
            report="FINDINGS: " + " ".join(sentences[(n + 7 * k) % 500] for k in range(40)),
            labels={f"Label {k}": 1 for k in range(14)},
        )
        for n in range(first, first + 500)
    ]
    images = [image(f"i{study.study_id}", study.study_id, study.subject_id) for study in studies]
    rows = np.random.default_rng(first).normal(size=(500, WIDE.dimension)).astype(np.float32)
    server.reset_counters()
    await store.put_studies(studies)
    await store.put(images, rows)
    return server.counters


async def test_a_message_is_four_megabytes_at_most(server: StandIn) -> None:
    async with IrisStore(config(server, table="Wide.Images")) as store:
        await store.create(FINGERPRINT)
        server.reset_counters()
        big = {"StudyDescription": "x" * 30_000}
        await store.put([image(f"n{n}", f"s{n}", tags=big) for n in range(200)], vectors(200))
        assert statements(server, "TO_VECTOR") == 2


async def test_the_bytes_of_a_search_by_words_do_not_grow_with_matching_reports(server: StandIn) -> None:
    sizes: list[int] = []
    for count in (50, 1000):
        async with IrisStore(config(server, table=f"Grown.T{count}")) as store:
            await fill(store, count)
            await store.match(["effus"], EVERY, limit=10)
            server.reset_counters()
            assert len(await store.match(["effus"], EVERY, limit=10)) == 10
            sizes.append(server.counters["bytes_out"])
    assert sizes[1] <= sizes[0] * 1.2


async def test_results_equal_those_of_the_embedded_store(server: StandIn, store: IrisStore, tmp_path: Path) -> None:
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
        assert (await store.reference_sample()).ids == (await embedded.reference_sample()).ids
