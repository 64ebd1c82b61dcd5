"""Documents that an older version of the reader derived are derived again, all at once and without vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_cxr.errors import ReaderMismatch
from mcp_cxr.language import READER_VERSION
from mcp_cxr.records import Filter, Study, StudyId, SubjectId, TermClause
from tests.contract.stores.backends import RANKING_BACKENDS, older_reader
from tests.contract.stores.making import FINGERPRINT, ids, image, vectors

if TYPE_CHECKING:
    from mcp_cxr.stores import Store
    from tests.contract.stores.backends import Backend

pytestmark = pytest.mark.parametrize("backend", RANKING_BACKENDS, indirect=True)

P1 = SubjectId("p1")
COUNT = 11
EFFUSION = Filter(clauses=(TermClause(any_of=("0ispleuraleffusion",)),))


@pytest.fixture
async def old(bare: Store, backend: Backend) -> Store:
    """An archive of an older reader; one study has no image, one only an external one."""
    with older_reader():
        await bare.create(FINGERPRINT)
        await bare.put_studies([Study(StudyId(f"s{n:02}"), P1, report="Effusion.") for n in range(COUNT + 2)])
        await bare.put([image(f"i{n:02}", f"s{n:02}") for n in range(COUNT)], vectors(COUNT))
        backend.put_external("f1", f"s{COUNT}", "p1")
    return bare


async def test_a_new_archive_has_the_current_reader(store: Store) -> None:
    assert (await store.info()).reader_version == READER_VERSION
    await store.require_current_reader()
    assert await store.rebuild_documents_if_older() is None


async def test_an_older_archive_is_told_from_a_current_one(old: Store) -> None:
    await old.create(FINGERPRINT, root="/more")
    assert (await old.info()).reader_version == 1
    with pytest.raises(ReaderMismatch, match="older version"):
        await old.require_current_reader()


async def test_an_older_archive_takes_no_documents_of_this_reader(old: Store) -> None:
    with pytest.raises(ReaderMismatch):
        await old.put([image("new")], vectors(1))
    with pytest.raises(ReaderMismatch):
        await old.put_studies([Study(StudyId("s01"), P1, report="Clear.")])
    assert await old.count(Filter()) == COUNT
    assert await old.term_counts(["old", "effus"]) == {"old": COUNT}


async def test_reread_derives_every_document_again(old: Store) -> None:
    before = await old.images_after(None, limit=99)
    assert await old.count(EFFUSION) == 0
    assert await old.rebuild_documents() == COUNT
    assert (await old.info()).reader_version == READER_VERSION
    await old.require_current_reader()
    assert await old.term_counts(["old", "effus"]) == {"effus": COUNT}
    assert await old.count(EFFUSION) == COUNT
    assert await old.match(["old"], Filter(), limit=9) == []
    assert ids(await old.match(["effus"], EFFUSION, limit=2)) == ["i00", "i01"]
    assert [str(one) for one in await old.images_after(None, limit=99)] == [str(one) for one in before]
    await old.put([image("i11", "s11")], vectors(1))
    assert await old.count(EFFUSION) == COUNT + 1


async def test_reread_twice_changes_nothing(old: Store) -> None:
    assert [await old.rebuild_documents(), await old.rebuild_documents()] == [COUNT, COUNT]
    assert await old.term_counts(["effus"]) == {"effus": COUNT}


async def test_another_store_of_the_archive_sees_that_it_was_read_again(old: Store, backend: Backend) -> None:
    async with backend.store() as other:
        assert await other.count(EFFUSION) == 0
        await old.rebuild_documents()
        await other.require_current_reader()
        assert await other.count(EFFUSION) == COUNT
        assert (await other.result_facts([], EFFUSION)).total == COUNT


async def test_forget_removes_images_of_an_older_archive(old: Store) -> None:
    assert await old.forget(Filter(study_id=StudyId("s00"))) == 1
    assert await old.rebuild_documents() == COUNT - 1


async def test_an_archive_of_a_newer_reader_is_refused_and_kept(store: Store) -> None:
    await store.put([image("a")], vectors(1))
    with older_reader():
        assert await store.rebuild_documents_if_older() is None
        with pytest.raises(ReaderMismatch, match="Update mcp-cxr"):
            await store.require_current_reader()
        with pytest.raises(ReaderMismatch):
            await store.put([image("b")], vectors(1))
