"""Writes: by a user with no more than the documented privileges, what they lock, and how long they may take."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from anyio import create_task_group, to_thread

from mcp_cxr.errors import StoreError, StoreUnavailable
from mcp_cxr.records import Filter, ImageId, Study, StudyId, SubjectId
from mcp_cxr.stores.iris import IrisStore
from mcp_cxr.stores.iris.driver._connection import WriteTimes
from tests.contract.stores.making import FINGERPRINT, axis, image, outcome, vectors
from tests.faults.iris_stores import config, fill
from tests.support.iris import documented_grants, plain_server

if TYPE_CHECKING:
    from mcp_cxr.stores import Store
    from tests.standins.iris import StandIn

TABLE = "VectorSearch.MIMICCXRImages"
SIDES = ("", "Studies", "Labels", "Terms", "Sample", "Files", "Collection")
EVERY = Filter()
NOLOCK = "%NOLOCK"
REPORT = " ".join(f"Opacity number{n} in lobe{n} with effusion{n}." for n in range(30))


@pytest.fixture
def server() -> StandIn:
    return plain_server()


async def do_everything(store: Store) -> None:
    await fill(store)
    await store.update_fingerprint(FINGERPRINT)
    await store.put_studies([Study(StudyId("s00001"), SubjectId("p0"), report="Edema.", labels={"Edema": 1})])
    await store.put([image("i00000", "s00000", "p0")], vectors(1, seed=4))
    await store.record_outcomes([outcome("/a", "i00000")])
    await store.nearest(axis(), EVERY, limit=5)
    await store.match(["edema"], EVERY, limit=5)
    await store.browse(EVERY, limit=5)
    await store.result_facts([ImageId("i00001")], EVERY, with_vectors=True)
    await store.totals()
    await store.rebuild_documents()
    await store.forget(Filter(image_id=ImageId("i00001")))
    await store.count_empty_studies(remove=True)


async def test_a_user_with_the_documented_grants_does_everything(server: StandIn) -> None:
    server.configure(grants=documented_grants())
    async with IrisStore(config(server)) as store:
        await do_everything(store)
        assert (await store.totals()).images == 39
        await store.drop()
    assert server.tables == {}


@pytest.mark.parametrize("others", [[NOLOCK], []])
async def test_a_second_user_of_the_tables_needs_four_privileges_on_each(
    server: StandIn, caplog: pytest.LogCaptureFixture, others: list[str]
) -> None:
    """Without %NOLOCK, transactions are small; a warning says so, once."""
    async with IrisStore(config(server)) as store:
        await store.create(FINGERPRINT)
    on_rows = [f"{verb} ON {TABLE}{side}" for verb in ("SELECT", "INSERT", "UPDATE", "DELETE") for side in SIDES]
    server.configure(username="second", grants=[*on_rows, *others])
    async with IrisStore(config(server, username="second")) as store:
        warnings = [warning for warning in await store.location_warnings() if NOLOCK in warning]
        await do_everything(store)
        assert (await store.totals()).images == 39
    assert (len(warnings), caplog.text.count("lacks %NOLOCK")) == ((0, 0) if others else (1, 1))
    server.configure(grants=on_rows[:-1])
    async with IrisStore(config(server, username="second")) as store:
        with pytest.raises(StoreError, match=r"privileges .*docs/iris\.md"):
            await store.drop()


@pytest.mark.parametrize("grants", [None, [grant for grant in documented_grants() if grant != NOLOCK]])
async def test_no_transaction_of_an_ingest_reaches_the_threshold_of_a_table_lock(
    server: StandIn, grants: list[str] | None
) -> None:
    server.configure(grants=grants)
    count = 20 if grants else 600
    studies = [
        Study(
            StudyId(f"s{n}"),
            SubjectId("p"),
            report=REPORT if n < 20 else "Clear.",
            labels={f"Label {k}": 1 for k in range(14)},
        )
        for n in range(count)
    ]
    images = [image(f"i{n}", f"s{n}", "p") for n in range(count)]
    async with IrisStore(config(server)) as store:
        await store.create(FINGERPRINT)
        await store.put_studies(studies)
        await store.put(images, vectors(count))
        await store.put_studies([Study(StudyId(f"s{n}"), SubjectId("p"), report=REPORT + " Edema.") for n in range(20)])
        await store.put_studies([Study(StudyId(f"s{n}"), SubjectId("p"), split="test") for n in range(count)])
        assert len(await store.match(["edema"], EVERY, limit=100)) == 20
    most = server.counters["most_locked_rows"]
    assert {table for table, rows in most.items() if rows > 1000} == set()
    assert most[TABLE + "Studies"] == (count if grants else 900), "a transaction holds as many studies as it can"


async def test_images_written_between_the_reading_and_writing_of_their_new_study_have_its_words(
    server: StandIn,
) -> None:
    async with IrisStore(config(server)) as one, IrisStore(config(server)) as other:
        await one.create(FINGERPRINT)
        server.inject_fault("delay", ms=500, matching="MIMICCXRImagesStudies ( StudyID , SubjectID , StudyDate")
        async with create_task_group() as group:
            group.start_soon(one.put_studies, [Study(StudyId("s1"), SubjectId("p1"), report="Edema.")])
            await to_thread.run_sync(partial(server.wait_until, faults_injected=1))
            await other.put([image("a", "s1", "p1")], vectors(1))
        assert [hit.image_id for hit in await one.match(["edema"], EVERY, limit=9)] == ["a"]


async def test_images_that_change_their_study_are_in_one_transaction_with_both(server: StandIn) -> None:
    async with IrisStore(config(server)) as store:
        await fill(store)
        await store.put([image("i00001", "s00000", "p0")], np.ones((1, 8), np.float32))
        assert [hit.image_id for hit in await store.match(["clear"], Filter(study_id=StudyId("s00000")), limit=9)] == [
            "i00000",
            "i00001",
        ]
        assert await store.count(Filter(study_id=StudyId("s00001"))) == 0


async def test_a_write_may_take_ten_times_as_long_as_the_last_ones(server: StandIn) -> None:
    async with IrisStore(config(server, call_timeout_s=0.4)) as store:
        await fill(store, 4)
        server.inject_fault("delay", ms=250, matching="INTO VectorSearch . MIMICCXRImages (")
        await store.put([image("a")], vectors(1))
        server.inject_fault("delay", ms=700, matching="INTO VectorSearch . MIMICCXRImages (")
        await store.put([image("a")], vectors(1, seed=2))
        server.inject_fault("delay", ms=700, matching="COUNT")
        with pytest.raises(StoreUnavailable, match=r"within 0\.4 s"):
            await store.totals()


async def test_a_write_that_was_stopped_may_take_longer_when_it_is_repeated(server: StandIn) -> None:
    async with IrisStore(config(server, call_timeout_s=0.4)) as store:
        await fill(store, 4)
        for _ in range(2):
            server.inject_fault("delay", ms=900, matching="INTO VectorSearch . MIMICCXRImages (")
            with suppress(StoreUnavailable):
                await store.put([image("a")], vectors(1))
        assert await store.known_ids([ImageId("a")]) == {"a"}


async def test_the_last_of_several_records_of_one_image_is_stored(server: StandIn) -> None:
    async with IrisStore(config(server)) as store:
        await store.create(FINGERPRINT)
        await store.put([image("x", "s2"), image("a", "s1"), image("a", "s2")], vectors(3))
        assert (await store.get([ImageId("a")]))[ImageId("a")].image.study_id == "s2"
        assert (await store.totals()).images == 2


def test_a_write_never_waits_longer_than_ten_minutes() -> None:
    times = WriteTimes(60)
    assert times.limit_s == 60
    for seconds in (60, 600):
        times.record(seconds)
        assert times.limit_s == 600
