"""The table of the original program, whose ids ignore case, and cells in other forms than expected."""

from __future__ import annotations

import re
from dataclasses import replace
from traceback import format_exception
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.errors import ConfigError, StoreError, StoreMissing
from mcp_cxr.records import Filter, ImageId, Study, StudyId, SubjectId
from mcp_cxr.stores.iris import IrisStore
from tests.contract.stores.making import FINGERPRINT, axis, ids, image, outcome, vectors
from tests.faults.iris_stores import config, fill
from tests.iris.test_iris_tables import EVERY, TABLE, execute, plant_original
from tests.support.iris import plain_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.standins.iris import StandIn

AGED = Study(StudyId("s"), SubjectId("p1"), labels={"Edema": 1}, positives_only=True, age=61)


@pytest.fixture
def server() -> StandIn:
    return plain_server()


@pytest.fixture
async def store(server: StandIn) -> AsyncIterator[IrisStore]:
    async with IrisStore(config(server)) as opened:
        yield opened


async def test_forgetting_one_image_keeps_the_report_labels_and_words_of_its_study(
    server: StandIn, store: IrisStore
) -> None:
    plant_original(server)
    await store.create(FINGERPRINT)
    await store.put([image("a", "s1"), image("b", "s1")], vectors(2))
    await store.put_studies([Study(StudyId("s1"), SubjectId("p1"), report="Edema.", labels={"Edema": 1})])
    assert await store.forget(Filter(image_id=ImageId("a"))) == 1
    kept = (await store.get([ImageId("b")]))[ImageId("b")].study
    assert (kept.report, kept.labels) == ("Edema.", {"Edema": 1})
    assert ids(await store.match(["edema"], EVERY, limit=9)) == ["b"]


async def test_views_and_counts_are_those_of_the_stored_text(server: StandIn, store: IrisStore) -> None:
    plant_original(server)
    await store.create(FINGERPRINT)
    await store.put([image("a", "s1", view_position="Pa oblique"), image("b", "S1", view_position="PA")], vectors(2))
    totals = await store.totals()
    assert totals.by_view == {"PA": 4, "Pa oblique": 1}
    assert (totals.images, totals.external, totals.studies) == (5, 3, 2)
    assert await store.count(EVERY, distinct="study") == 2


async def test_rows_that_another_program_deleted_are_no_negative_count(server: StandIn, store: IrisStore) -> None:
    await fill(store, 4)
    execute(server, f"DELETE FROM {TABLE} WHERE ImageID = 'i00001'")  # noqa: S608  # a table of the test's own
    assert (await store.count_external(), (await store.totals()).external) == (0, 0)


async def test_counts_read_no_metadata(server: StandIn, store: IrisStore) -> None:
    await fill(store)
    server.reset_counters()
    await store.totals()
    await store.count_external()
    await store.count(EVERY, distinct="study")
    await store.count(Filter(view=("PA",)))
    assert [text for text in server.counters["statements"] if "Metadata" in text] == []
    server.reset_counters()
    await store.result_facts([], EVERY, distinct="study")
    assert [text for text in server.counters["statements"] if "Metadata" in text] == []


@pytest.mark.parametrize(
    ("where", "looked_up"), [(EVERY, 1), (Filter(view=("PA",)), 2), (Filter(study_id=StudyId("s00001")), 2)]
)
async def test_the_facts_of_a_result_scan_no_images(server: StandIn, where: Filter, looked_up: int) -> None:
    """Images are looked up in an index: those that pass the filter, and those that are shown."""
    async with IrisStore(config(server)) as store:
        await fill(store)
    server.reset_counters()
    async with IrisStore(config(server)) as store:
        await store.result_facts([ImageId("i00003")], where, distinct="study", with_vectors=True, also_count=[EVERY])
    (plan,) = [steps for text, steps in server.counters["plans"].items() if "CROSS JOIN" in text]
    of_images = [step for step in plan if re.match(r"(SCAN|SEARCH) (i|VectorSearch.MIMICCXRImages)\b", step)]
    counted = [step for step in of_images if step.startswith("SCAN VectorSearch") and "COVERING INDEX" in step]
    assert len([step for step in of_images if step.startswith("SEARCH i USING INDEX")]) == looked_up
    assert len(of_images) == looked_up + len(counted)


async def test_words_in_an_archive_without_documents_divide_by_nothing(server: StandIn, store: IrisStore) -> None:
    await store.create(FINGERPRINT)
    execute(server, f"INSERT INTO {TABLE}Terms (Term, StudyID, Occurrences) VALUES ('edema', 's1', 1)")  # noqa: S608  # a table of the test's own
    assert await store.match(["edema"], EVERY, limit=9) == []


@pytest.mark.parametrize("whole", ["{}", "{}.0"])
async def test_numbers_may_be_returned_as_text(server: StandIn, store: IrisStore, whole: str) -> None:
    await fill(store)
    await store.put_studies([replace(AGED, study_id=StudyId("s00003"))])
    await store.record_outcomes([outcome("/a", "i00003")])
    where = Filter(view=("PA",))

    async def answers() -> list[object]:
        facts = await store.result_facts([ImageId("i00003")], where, also_count=[EVERY], with_vectors=True)
        return [
            await store.nearest(axis(), EVERY, limit=7),
            await store.nearest(axis(), where, limit=7),
            await store.match(["effus"], EVERY, limit=7),
            await store.browse(where, limit=7),
            await store.totals(),
            await store.term_counts(["effus"]),
            await store.count_study_facts([StudyId("s00003")]),
            await store.outcomes(["/a"]),
            facts.stored[ImageId("i00003")].study,
            (facts.total, facts.external, facts.counts, facts.stored[ImageId("i00003")].external),
        ]

    as_numbers = await answers()
    server.configure(numbers_as_text=True, whole_numbers=whole)
    async with IrisStore(config(server)) as other:
        store = other
        assert await answers() == as_numbers


@pytest.mark.parametrize("cell", ["", "secret", "1,2,secret", "[[1,2],[3,4]]", "1;2"])
async def test_a_vector_of_an_unexpected_form_is_damaged_and_not_shown(
    server: StandIn, store: IrisStore, cell: str
) -> None:
    await fill(store, 3)
    server.configure(vector_cell=cell)
    assert (await store.get([ImageId("i00001")], with_vectors=True))[ImageId("i00001")].vector is None
    with pytest.raises(StoreError, match="damaged") as caught:
        await store.reference_sample()
    assert "secret" not in "".join(format_exception(caught.value))


async def test_a_vector_in_brackets_is_read(server: StandIn, store: IrisStore) -> None:
    await fill(store, 3)
    server.configure(vector_cell="[.5,1,0,0,0,0,0,0]")
    stored = (await store.get([ImageId("i00001")], with_vectors=True))[ImageId("i00001")]
    assert stored.vector is not None
    assert stored.vector.tolist() == [0.5, 1, 0, 0, 0, 0, 0, 0]


async def test_a_table_with_other_columns_is_another_programs(server: StandIn, store: IrisStore) -> None:
    execute(server, f"CREATE TABLE {TABLE} (ImageID VARCHAR(255), PatientID VARCHAR(255), Embedding VECTOR(DOUBLE, 8))")
    with pytest.raises(StoreError, match=r"another program made it\. Set IRIS_TABLE"):
        await store.create(FINGERPRINT)
    with pytest.raises(StoreError, match=r"another program made it\. Set IRIS_TABLE"):
        await store.info()
    assert set(server.tables) == {TABLE}


async def test_rows_without_an_archive_are_counted(server: StandIn, store: IrisStore) -> None:
    with pytest.raises(StoreMissing, match="Nothing has been stored"):
        await store.info()
    plant_original(server)
    with pytest.raises(StoreMissing, match=r"rows of another program \(3\), but no archive\. Run") as caught:
        await store.totals()
    assert caught.value.external == 3


async def test_a_first_password_is_to_be_changed(server: StandIn, store: IrisStore) -> None:
    server.configure(password_expired=True)
    with pytest.raises(ConfigError, match="wants the password of IRIS_USERNAME changed"):
        await store.info()


@pytest.mark.parametrize("code", [-1, -23, -400])
async def test_facts_are_read_in_several_statements_if_one_is_refused(
    server: StandIn, store: IrisStore, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    await fill(store)
    where, further = Filter(view=("PA",)), [EVERY, Filter(has_report=True)]
    given = [ImageId("i00003"), ImageId("missing")]

    async def facts(of: IrisStore, *, with_vectors: bool) -> str:
        found = await of.result_facts(given, where, distinct="study", also_count=further, with_vectors=with_vectors)
        return repr(found)

    at_once = [await facts(store, with_vectors=on) for on in (False, True)]
    async with IrisStore(config(server)) as other:
        await other.info()
        server.inject_fault("error", code=code, text="secret", matching="AS made CROSS JOIN", on=["PP"])
        assert [await facts(other, with_vectors=on) for on in (False, True)] == at_once
        server.reset_counters()
        await facts(other, with_vectors=True)
        assert [text for text in server.counters["statements"] if "CROSS" in text] == []
    assert f"SQLCODE {code}" in caplog.text
    assert "secret" not in caplog.text


async def test_facts_are_an_error_if_each_statement_fails(server: StandIn, store: IrisStore) -> None:
    await fill(store)
    await store.totals()
    server.inject_fault("error", code=-400, text="no", times=99, matching="SELECT", on=["PP"])
    with pytest.raises(StoreError, match="SQLCODE -400"):
        await store.result_facts([], EVERY)
    server.clear_faults()
    await store.result_facts([], EVERY)
    assert [text for text in server.counters["statements"] if "CROSS" in text] != []
