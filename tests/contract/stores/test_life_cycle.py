"""An archive is created, used by one embedder, dropped and created again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mcp_cxr.errors import ConfigError, FingerprintMismatch, StoreMissing
from mcp_cxr.records import Filter, ImageId, Study, StudyId, SubjectId
from tests.contract.stores.making import FINGERPRINT, axis, image, outcome, vectors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_cxr.stores import Store
    from tests.contract.stores.backends import Backend

METHODS: dict[str, Callable[[Store], Awaitable[object]]] = {
    "info": lambda store: store.info(),
    "totals": lambda store: store.totals(),
    "known": lambda store: store.known_ids([ImageId("a")]),
    "put": lambda store: store.put([image("a")], vectors(1)),
    "put_studies": lambda store: store.put_studies([Study(StudyId("s1"), SubjectId("p1"))]),
    "get": lambda store: store.get([ImageId("a")]),
    "nearest": lambda store: store.nearest(axis(), Filter(), limit=1),
    "match": lambda store: store.match(["effus"], Filter(), limit=1),
    "browse": lambda store: store.browse(Filter(), limit=1),
    "count": lambda store: store.count(Filter()),
    "sample": lambda store: store.reference_sample(),
    "page": lambda store: store.images_after(None, limit=1),
    "outcomes": lambda store: store.outcomes(["/a.dcm"]),
    "record": lambda store: store.record_outcomes([outcome("/a.dcm", "a")]),
    "forget": lambda store: store.forget(Filter(image_id=ImageId("a"))),
}


@pytest.mark.parametrize("method", METHODS)
async def test_methods_raise_store_missing_before_create(bare: Store, method: str) -> None:
    with pytest.raises(StoreMissing, match="mcp-cxr ingest"):
        await METHODS[method](bare)


async def test_create_twice_creates_the_tables_once_and_keeps_the_rows(bare: Store) -> None:
    assert await bare.create(FINGERPRINT) is True
    await bare.put([image("a")], vectors(1))
    assert await bare.create(FINGERPRINT) is False
    assert (await bare.totals()).images == 1


async def test_a_new_archive_has_no_fingerprint_root_or_key_check(bare: Store) -> None:
    await bare.create()
    info = await bare.info()
    assert (info.fingerprint, info.roots, info.key_check) == (None, (), None)
    assert info.schema_version >= 1


async def test_create_records_what_is_not_recorded_yet(bare: Store) -> None:
    await bare.create()
    await bare.create(FINGERPRINT, root="/images", key_check="3f")
    info = await bare.info()
    assert (info.fingerprint, info.roots, info.key_check) == (FINGERPRINT, ("/images",), "3f")


async def test_roots_are_added_once_each_in_order(store: Store) -> None:
    for root in ("/z", "/a", "/z"):
        await store.create(root=root)
    assert (await store.info()).roots == ("/z", "/a")


@pytest.mark.parametrize("change", [{"model": "other"}, {"dimension": 16}, {"preprocessing": "prep-2"}])
async def test_create_refuses_a_fingerprint_that_cannot_be_compared(store: Store, change: dict) -> None:
    with pytest.raises(FingerprintMismatch, match="This archive was made with") as caught:
        await store.create(replace(FINGERPRINT, **change), root="/images")
    assert "drop" not in str(caught.value)
    info = await store.info()
    assert (info.fingerprint, info.roots) == (FINGERPRINT, ())


async def test_create_accepts_another_service_version_and_keeps_the_first(store: Store) -> None:
    await store.create(replace(FINGERPRINT, service="2.0", dialect="vllm"))
    assert (await store.info()).fingerprint == FINGERPRINT


async def test_create_refuses_another_key_check(store: Store) -> None:
    await store.create(key_check="3f")
    await store.create(key_check="3f")
    with pytest.raises(ConfigError, match="MCP_CXR_ID_KEY_FILE"):
        await store.create(key_check="40", root="/images")
    info = await store.info()
    assert (info.key_check, info.roots) == ("3f", ())


async def test_put_is_refused_without_a_fingerprint(bare: Store) -> None:
    await bare.create()
    with pytest.raises(FingerprintMismatch):
        await bare.put([image("a")], vectors(1))
    assert (await bare.totals()).images == 0
    assert await bare.nearest(axis(), Filter(), limit=3) == []
    assert (await bare.reference_sample()).ids == ()


async def test_drop_removes_everything_and_may_be_repeated(store: Store) -> None:
    await store.put([image("a")], vectors(1))
    await store.drop()
    await store.drop()
    with pytest.raises(StoreMissing):
        await store.info()


async def test_drop_before_create_does_nothing(bare: Store) -> None:
    await bare.drop()
    with pytest.raises(StoreMissing):
        await bare.info()


async def test_a_dropped_archive_can_be_created_with_another_fingerprint(store: Store) -> None:
    await store.create(root="/images", key_check="3f")
    await store.put([image("a")], vectors(1))
    await store.put_studies([Study(StudyId("s1"), SubjectId("p1"), report="Effusion.")])
    await store.record_outcomes([outcome("/a.dcm", "a")])
    await store.drop()
    other = replace(FINGERPRINT, dimension=3)
    assert await store.create(other) is True
    info = await store.info()
    assert (info.fingerprint, info.roots, info.key_check) == (other, (), None)
    assert await store.outcomes(["/a.dcm"]) == {}
    await store.put([image("b")], np.ones((1, 3), np.float32))
    assert await store.match(["effus"], Filter(), limit=5) == []
    assert (await store.totals()).images == 1


async def test_two_stores_of_one_location_see_each_others_writes(store: Store, backend: Backend) -> None:
    async with backend.store() as other:
        await store.put([image("a")], vectors(1))
        assert await other.known_ids([ImageId("a")]) == {"a"}
        await other.put([image("b")], vectors(1))
        assert await store.known_ids([ImageId("a"), ImageId("b")]) == {"a", "b"}
        await other.drop()
        with pytest.raises(StoreMissing):
            await store.totals()
        await store.create(FINGERPRINT)
        assert (await other.totals()).images == 0


async def test_rows_persist_after_closing(store: Store, backend: Backend) -> None:
    await store.put([image("a")], vectors(1))
    await store.__aexit__(None, None, None)
    async with backend.store() as again:
        assert await again.known_ids([ImageId("a")]) == {"a"}


async def test_exit_does_not_suppress_the_error(backend: Backend) -> None:
    with pytest.raises(KeyError, match="own error"):
        async with backend.store():
            raise KeyError("own error")
