"""Tests that need a real server: privileges, tables of other programs, locks, and forms of what is returned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pytest
from anyio import create_task_group

from mcp_cxr.errors import StoreError, StoreMissing, StoreUnavailable
from mcp_cxr.records import Filter, ImageId, Study, StudyId, SubjectId
from mcp_cxr.stores.iris import IrisStore
from mcp_cxr.stores.iris.driver import StatementRefused
from mcp_cxr.stores.iris.tables import _result_facts
from tests.contract.stores.making import FINGERPRINT, axis, image, vectors
from tests.faults.iris_stores import fill
from tests.iris.test_iris_writes import NOLOCK, do_everything
from tests.support.iris import documented_grants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_cxr.stores import Store
    from mcp_cxr.stores.iris import IrisConfig
    from tests.live_iris.conftest import LiveBackend

pytestmark = pytest.mark.iris_live

EVERY = Filter()
ORIGINAL = """
CREATE TABLE {} (ImageID VARCHAR(255) PRIMARY KEY, StudyID VARCHAR(255), SubjectID VARCHAR(255),
    ViewPosition VARCHAR(50), ImagePath VARCHAR(1000), Vector VECTOR(DOUBLE, 8), Metadata VARCHAR(4000),
    CreatedAt TIMESTAMP DEFAULT CURRENT_TIMESTAMP, UpdatedAt TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"""
OTHER_COLUMNS = "CREATE TABLE {} (ImageID VARCHAR(255), PatientID VARCHAR(255), Embedding VECTOR(DOUBLE, 8))"
LOCK = "UPDATE {}Studies SET DataSplit = 'test' WHERE StudyID = 's00001'"
REPORT = " ".join(f"Small effusion in zone{n}." for n in range(40))


@pytest.fixture(params=[True, False], ids=["with all grants", "without %NOLOCK"])
def user(backend: LiveBackend, request: pytest.FixtureRequest) -> Iterator[IrisConfig]:
    """Return the login of a new user with the grants of docs/iris.md; IRIS_USERNAME must be allowed to create users."""
    name, password = f"McpCxr{uuid4().hex[:12]}", f"P-{uuid4().hex}"
    backend.execute(f"CREATE USER {name} IDENTIFY BY '{password}'")
    try:
        for granted in documented_grants():
            if request.param or granted != NOLOCK:
                backend.execute(f"GRANT {granted} TO {name}")
        yield replace(backend.config, username=name, password=password)
    finally:
        backend.execute(f"DROP USER {name}")


async def test_a_user_with_the_documented_grants_does_everything(
    user: IrisConfig, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    async with IrisStore(user) as store:
        await do_everything(store)
        assert (await store.totals()).images == 39
        await store.drop()
    assert ("lacks %NOLOCK" in caplog.text) == ("without" in request.node.name)


async def test_a_table_with_other_columns_is_another_programs(bare: Store, backend: LiveBackend) -> None:
    backend.execute(OTHER_COLUMNS.format(backend.config.table))
    try:
        with pytest.raises(StoreError, match="another program made it"):
            await bare.create(FINGERPRINT)
        with pytest.raises(StoreError, match="another program made it"):
            await bare.totals()
    finally:
        backend.execute(f"DROP TABLE {backend.config.table}")


async def test_rows_of_another_program_are_counted_before_there_is_an_archive(
    bare: Store, backend: LiveBackend
) -> None:
    backend.execute(ORIGINAL.format(backend.config.table))
    backend.put_external("x")
    with pytest.raises(StoreMissing, match=r"rows of another program \(1\)"):
        await bare.totals()
    await bare.create(FINGERPRINT)  # so that the table is dropped with the archive
    assert await bare.count_external() == 1


async def test_a_table_that_was_found_gets_an_index_or_the_reason_why_not(bare: Store, backend: LiveBackend) -> None:
    backend.execute(ORIGINAL.format(backend.config.table))
    await fill(bare, 20)
    refusal = ""
    try:
        await bare.create_vector_index()
    except StoreError as exc:
        refusal = str(exc)
    await bare.info()
    assert (bare.connection_status or "").startswith("without an HNSW index (refused" if refusal else "with an HNSW")
    assert ("SQLCODE -" in refusal) == bool(refusal)
    assert len(await bare.nearest(axis(), EVERY, limit=10)) == 10


async def test_views_and_counts_are_those_of_the_stored_text(bare: Store, backend: LiveBackend) -> None:
    backend.execute(ORIGINAL.format(backend.config.table))
    await bare.create(FINGERPRINT)
    await bare.put([image("a", "s1", view_position="Pa oblique"), image("b", "S1", view_position="PA")], vectors(2))
    totals = await bare.totals()
    assert totals.by_view == {"PA": 1, "Pa oblique": 1}
    assert (totals.images, totals.studies, await bare.count(EVERY, distinct="study")) == (2, 2, 2)


async def test_facts_read_in_several_statements_equal_those_of_one(
    bare: Store, backend: LiveBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(bare)
    given: Any = [ImageId("i00003"), ImageId("missing")], Filter(view=("PA",))
    further: Any = {"distinct": "study", "also_count": [EVERY, Filter(has_report=True)], "with_vectors": True}
    at_once = await bare.result_facts(*given, **further)

    def refuse(*_: object) -> None:
        raise StatementRefused("refused", 1)

    monkeypatch.setattr(_result_facts, "_read_at_once", refuse)
    async with backend.store() as other:
        assert repr(await other.result_facts(*given, **further)) == repr(at_once)


async def test_vectors_are_returned_bit_by_bit(bare: Store) -> None:
    await bare.create(FINGERPRINT)
    rows = np.random.default_rng(1).normal(size=(200, 8)).astype(np.float32)
    rows[:, 0] *= np.float32(10.0) ** (np.arange(200) % 12 - 9)  # down to a billionth
    await bare.put([image(f"i{n}", f"s{n}") for n in range(200)], rows)
    units = (rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)).astype(
        np.float32
    )
    stored = await bare.get([ImageId(f"i{n}") for n in range(200)], with_vectors=True)
    np.testing.assert_array_equal(np.stack([one.vector for one in stored.values() if one.vector is not None]), units)


async def test_two_writers_of_long_reports_do_not_lock_each_others_tables(bare: Store, backend: LiveBackend) -> None:
    await bare.create(FINGERPRINT)
    async with backend.store() as other, create_task_group() as group:
        for number, store in enumerate((bare, other)):
            names = [f"w{number}x{n}" for n in range(300)]
            studies = [
                Study(StudyId(f"s{name}"), SubjectId("p1"), report=REPORT, labels={f"Label {k}": 1 for k in range(14)})
                for name in names
            ]
            group.start_soon(store.put_studies, studies)
            group.start_soon(store.put, [image(name, f"s{name}") for name in names], vectors(300, seed=number))
    assert (await bare.totals()).images == 600
    assert len(await bare.match(["effus"], EVERY, limit=1000)) == 600


async def test_a_write_that_was_stopped_waits_for_the_servers_own_answer_when_repeated(
    bare: Store, backend: LiveBackend
) -> None:
    """The server answers -110 after its lock time-out, 10 s by default; the first attempt is stopped after 2 s."""
    await fill(bare, 4)
    study = Study(StudyId("s00001"), SubjectId("p0"), report="Edema.")
    with backend.connect(auto_commit=False) as connection:
        connection.cursor().execute(LOCK.format(backend.config.table))
        async with IrisStore(replace(backend.config, call_timeout_s=2)) as store:
            with pytest.raises(StoreUnavailable, match="did not answer within 2 s"):
                await store.put_studies([study])
            with pytest.raises(StoreUnavailable, match="has locked rows"):
                await store.put_studies([study])
        connection.rollback()
    assert await bare.put_studies([study]) == 1
