"""Tables created, found, recreated after interruptions, and the use of their indexes."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import iris.dbapi
import numpy as np
import pytest

from mcp_cxr.errors import FingerprintMismatch, SchemaMismatch, StoreError, StoreMissing
from mcp_cxr.records import Filter, ImageId
from mcp_cxr.stores.iris import IrisStore
from tests.contract.stores.making import FINGERPRINT, at_cosine, axis, ids, image, outcome, vectors
from tests.faults.iris_stores import config, fill
from tests.support.iris import plain_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.standins.iris import StandIn

TABLE = "VectorSearch.MIMICCXRImages"
EVERY = Filter()
ORIGINAL = f"""
CREATE TABLE {TABLE} (ImageID VARCHAR(255) PRIMARY KEY, StudyID VARCHAR(255), SubjectID VARCHAR(255),
    ViewPosition VARCHAR(50), ImagePath VARCHAR(1000), Vector VECTOR(DOUBLE, 8), Metadata VARCHAR(4000),
    CreatedAt TIMESTAMP DEFAULT CURRENT_TIMESTAMP, UpdatedAt TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"""


@pytest.fixture
def server() -> StandIn:
    return plain_server()


@pytest.fixture
async def store(server: StandIn) -> AsyncIterator[IrisStore]:
    async with IrisStore(config(server)) as opened:
        yield opened


def execute(server: StandIn, *statements: str) -> None:
    with closing(iris.dbapi.connect(**server.connection)) as connection:
        for statement in statements:
            connection.cursor().execute(statement)
        connection.commit()


def plant_original(server: StandIn, count: int = 3) -> None:
    execute(server, ORIGINAL)
    for n in range(count):
        execute(
            server,
            f"INSERT INTO {TABLE} (ImageID, StudyID, SubjectID, ViewPosition, ImagePath, Vector, Metadata)"  # noqa: S608  # a table of the test's own
            f" VALUES ('i{n:05d}', 's1', 'p1', 'PA', 'a.dcm', TO_VECTOR('1,0,0,0,0,0,0,0', DOUBLE), '{{}}')",
        )


def made(server: StandIn) -> list[str]:
    return [statement for statement in server.counters["statements"] if statement.startswith("CREATE")]


# Made


async def test_the_table_has_the_original_columns_and_indexes(server: StandIn, store: IrisStore) -> None:
    await store.create(FINGERPRINT)
    assert {tuple(index["columns"]) for index in server.tables[TABLE]} == {
        ("ImageID",),
        ("StudyID",),
        ("SubjectID",),
        ("ViewPosition",),
    }
    assert set(server.tables) == {
        TABLE + side for side in ("", "Studies", "Labels", "Terms", "Sample", "Files", "Collection")
    }


async def test_creating_tables_twice_changes_nothing(server: StandIn, store: IrisStore) -> None:
    await store.create(FINGERPRINT)
    server.reset_counters()
    assert await store.create(FINGERPRINT, root="/films") is False
    assert made(server) == []


@pytest.mark.parametrize("code", [-99, -400])
async def test_an_interrupted_creation_can_be_repeated(server: StandIn, code: int) -> None:
    async with IrisStore(config(server)) as store:
        await store.create(FINGERPRINT)
    steps = len(made(server))
    assert steps > 12
    for step in range(steps):
        async with IrisStore(config(server, table=f"Broken.T{-code}x{step}")) as store:
            server.inject_fault("error", code=code, text="no", skip=step, matching="CREATE")
            try:
                await store.create(FINGERPRINT)
            except StoreError:
                with pytest.raises(StoreMissing):
                    await store.totals()
            server.clear_faults()
            await store.create(FINGERPRINT)
            await store.put([image("a")], vectors(1))
            assert (await store.totals()).images == 1


async def test_an_interrupted_drop_is_completed_by_the_next_creation(server: StandIn) -> None:
    for step in range(7):
        async with IrisStore(config(server, table=f"Broken.T{step}")) as store:
            await fill(store, 4)
            await store.record_outcomes([outcome("/a", "i00000")])
            server.inject_fault("error", code=-400, text="no", skip=step, matching="DROP TABLE")
            with pytest.raises(StoreError):
                await store.drop()
            server.clear_faults()
            with pytest.raises(StoreMissing):
                await store.info()
            assert await store.create(replace(FINGERPRINT, dimension=3)) is True
            await store.put([image("a")], np.ones((1, 3), np.float32))
            assert (await store.totals()).images == 1
            assert await store.match(["effus"], EVERY, limit=9) == []
            assert await store.outcomes(["/a"]) == {}


async def test_drop_leaves_other_tables_alone(server: StandIn, store: IrisStore) -> None:
    plant_original(server)
    execute(server, "CREATE TABLE VectorSearch.Other (A INTEGER)")
    await store.drop()
    assert set(server.tables) == {TABLE, "VectorSearch.Other"}, "where no collection was made, nothing is ours to drop"
    await store.create(FINGERPRINT)
    await store.drop()
    assert set(server.tables) == {"VectorSearch.Other"}


async def test_a_table_created_without_an_embedder_takes_its_dimension_later(server: StandIn, store: IrisStore) -> None:
    assert await store.create() is True
    await store.create(FINGERPRINT)
    await store.put([image("a")], vectors(1))
    assert ids(await store.nearest(axis(), EVERY, limit=1)) == ["a"]


async def test_another_schema_version_is_refused(server: StandIn, store: IrisStore) -> None:
    await store.create(FINGERPRINT)
    execute(server, f"UPDATE {TABLE}Collection SET EntryText = '99' WHERE EntryName = 'schema'")  # noqa: S608  # a table of the test's own
    with pytest.raises(SchemaMismatch, match="version 99"):
        await store.info()


async def test_creation_and_update_times_are_kept(server: StandIn, store: IrisStore) -> None:
    await store.create(FINGERPRINT)
    await store.put([image("a")], vectors(1))
    long_ago = "'2001-01-01 00:00:00'"
    execute(server, f"UPDATE {TABLE} SET CreatedAt = {long_ago}, UpdatedAt = {long_ago}")  # noqa: S608  # a table of the test's own
    await store.put([image("a")], vectors(1))
    (row,) = server.rows(TABLE)
    assert row["CreatedAt"].startswith("2001")
    assert not row["UpdatedAt"].startswith("2001")


# Found


async def test_rows_of_the_original_program_are_external(server: StandIn, store: IrisStore) -> None:
    plant_original(server)
    before = server.tables[TABLE]
    await store.create(FINGERPRINT)
    assert server.tables[TABLE] == before
    totals = await store.totals()
    assert (totals.images, totals.external) == (3, 3)
    assert (await store.get([ImageId("i00000")]))[ImageId("i00000")].external
    assert await store.nearest(axis(), EVERY, limit=9) == []


async def test_a_row_of_the_original_program_is_replaced_in_place(server: StandIn, store: IrisStore) -> None:
    plant_original(server)
    await store.create(FINGERPRINT)
    await store.put([image("i00001")], at_cosine(0.5))
    totals = await store.totals()
    assert (totals.images, totals.external) == (3, 2)
    assert ids(await store.nearest(axis(), EVERY, limit=9)) == ["i00001"]


async def test_ids_of_the_original_table_are_compared_exactly(server: StandIn, store: IrisStore) -> None:
    plant_original(server)
    await store.create(FINGERPRINT)
    await store.put([image("abc")], vectors(1))
    assert await store.known_ids([ImageId("ABC"), ImageId("abc")]) == {"abc"}
    assert set(await store.get([ImageId("ABC"), ImageId("abc")])) == {"abc"}


async def test_an_original_table_with_vectors_of_another_length_is_refused(server: StandIn, store: IrisStore) -> None:
    plant_original(server)
    with pytest.raises(FingerprintMismatch, match="IRIS_TABLE"):
        await store.create(replace(FINGERPRINT, dimension=16))
    assert (await store.info()).fingerprint is None


# Asked


def asked_by_vector(server: StandIn) -> list[str]:
    return [statement for statement in server.counters["statements"] if "VECTOR_COSINE" in statement]


async def asked(server: StandIn, store: IrisStore, **more: Any) -> list[str]:
    server.reset_counters()
    await store.nearest(axis(), Filter(**more), limit=5)
    return asked_by_vector(server)


async def test_the_index_is_built_on_demand_and_used_only_without_a_filter(server: StandIn, store: IrisStore) -> None:
    await fill(store)
    (exact,) = await asked(server, store)
    assert "WHERE" in exact
    assert await store.create_vector_index() is True
    assert await store.create_vector_index() is True
    await store.info()
    assert store.connection_status.startswith("with an HNSW index; ")
    (by_index,) = await asked(server, store)
    assert "WHERE" not in by_index
    assert by_index.rstrip().endswith("ORDER BY Score DESC")
    (exact,) = await asked(server, store, view=("PA",))
    assert "WHERE" in exact


async def test_a_pool_of_a_thousand_images_is_asked_of_the_index(server: StandIn, store: IrisStore) -> None:
    await fill(store, 1001)
    await store.create_vector_index()
    server.reset_counters()
    assert len(await store.nearest(axis(), EVERY, limit=1000)) == 1000
    (by_index,) = asked_by_vector(server)
    assert "WHERE" not in by_index


async def test_a_table_that_was_found_gets_an_index_too(server: StandIn, store: IrisStore) -> None:
    plant_original(server)
    await store.create(FINGERPRINT)
    await store.create_vector_index()
    assert [index["columns"] for index in server.tables[TABLE] if index["hnsw"]] == [["Vector"]]


async def test_a_server_that_refuses_the_index_is_scanned_and_why_is_kept(server: StandIn, store: IrisStore) -> None:
    server.configure(hnsw=False)
    await fill(store)
    why = r"SQLCODE -1: AS is not understood after the columns of an index"
    with pytest.raises(StoreError, match=why):
        await store.create_vector_index()
    (exact,) = await asked(server, store)
    assert "WHERE" in exact
    async with IrisStore(config(server)) as other:
        await other.info()
        assert other.connection_status.startswith(f"without an HNSW index (refused, {why}); of 4 connections")
    server.configure(hnsw=True)
    await store.create_vector_index()
    assert len(await asked(server, store)) == 1


async def test_external_rows_among_the_index_results_are_left_out(server: StandIn, store: IrisStore) -> None:
    await fill(store)
    await store.create_vector_index()
    right = await store.nearest(axis(), EVERY, limit=5)
    execute(
        server,
        f"INSERT INTO {TABLE} (ImageID, Metadata, Vector) VALUES ('f', 'x', TO_VECTOR('1,0,0,0,0,0,0,0', DOUBLE))",  # noqa: S608  # a table of the test's own
    )
    server.reset_counters()
    assert await store.nearest(axis(), EVERY, limit=5) == right
    assert len(asked_by_vector(server)) == 2


async def test_a_tie_at_the_end_of_the_index_results_is_resolved_by_a_scan(server: StandIn, store: IrisStore) -> None:
    await store.create(FINGERPRINT)
    await store.put([image(name) for name in "dbeac"], at_cosine(0.9, 0.5, 0.5, 0.5, 0.5))
    await store.create_vector_index()
    assert ids(await store.nearest(axis(), EVERY, limit=3)) == ["d", "a", "b"]


async def test_statements_contain_no_values(server: StandIn, store: IrisStore) -> None:
    await fill(store)
    server.reset_counters()
    await store.browse(Filter(labels=("Edema",), split="test", exclude_images=(ImageId("i00007"),)), limit=5)
    statement = server.counters["statements"][-1]
    assert "Labels" in statement
    assert not {"Edema", "'test'", "i00007"} & set(statement.replace(",", " ").split())
