"""A collection is made, claimed, dropped and made again."""

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

NEEDS_A_COLLECTION: dict[str, Callable[[Store], Awaitable[object]]] = {
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


@pytest.mark.parametrize("method", NEEDS_A_COLLECTION)
async def test_where_nothing_was_made_a_method_says_what_to_run(bare: Store, method: str) -> None:
    with pytest.raises(StoreMissing, match="mcp-cxr ingest"):
        await NEEDS_A_COLLECTION[method](bare)


async def test_create_twice_makes_the_tables_once_and_loses_nothing(bare: Store) -> None:
    assert await bare.create(FINGERPRINT) is True
    await bare.put([image("a")], vectors(1))
    assert await bare.create(FINGERPRINT) is False
    assert (await bare.totals()).images == 1


async def test_a_new_collection_knows_no_embedder_root_or_key(bare: Store) -> None:
    await bare.create()
    info = await bare.info()
    assert (info.fingerprint, info.roots, info.key_check) == (None, (), None)
    assert info.schema_version >= 1


async def test_what_create_is_given_is_entered_where_there_is_none(bare: Store) -> None:
    await bare.create()
    await bare.create(FINGERPRINT, root="/films", key_check="3f")
    info = await bare.info()
    assert (info.fingerprint, info.roots, info.key_check) == (FINGERPRINT, ("/films",), "3f")


async def test_roots_are_added_once_each_in_order(store: Store) -> None:
    for root in ("/z", "/a", "/z"):
        await store.create(root=root)
    assert (await store.info()).roots == ("/z", "/a")


@pytest.mark.parametrize("change", [{"model": "other"}, {"dimension": 16}, {"preprocessing": "prep-2"}])
async def test_an_embedder_of_another_space_is_refused_and_changes_nothing(store: Store, change: dict) -> None:
    with pytest.raises(FingerprintMismatch, match="drop"):
        await store.create(replace(FINGERPRINT, **change), root="/films")
    info = await store.info()
    assert (info.fingerprint, info.roots) == (FINGERPRINT, ())


async def test_another_service_version_of_the_same_space_is_let_in_and_the_first_stays(store: Store) -> None:
    await store.create(replace(FINGERPRINT, service="2.0", dialect="vllm"))
    assert (await store.info()).fingerprint == FINGERPRINT


async def test_another_key_is_refused_and_the_same_one_is_not(store: Store) -> None:
    await store.create(key_check="3f")
    await store.create(key_check="3f")
    with pytest.raises(ConfigError, match="MCP_CXR_ID_KEY_FILE"):
        await store.create(key_check="40", root="/films")
    info = await store.info()
    assert (info.key_check, info.roots) == ("3f", ())


async def test_vectors_are_refused_until_the_embedder_is_known(bare: Store) -> None:
    await bare.create()
    with pytest.raises(FingerprintMismatch):
        await bare.put([image("a")], vectors(1))
    assert (await bare.totals()).images == 0
    assert await bare.nearest(axis(), Filter(), limit=3) == []
    assert (await bare.reference_sample()).ids == ()


async def test_drop_removes_everything_and_is_harmless_where_there_is_nothing(store: Store) -> None:
    await store.put([image("a")], vectors(1))
    await store.drop()
    await store.drop()
    with pytest.raises(StoreMissing):
        await store.info()


async def test_drop_is_harmless_where_nothing_was_made(bare: Store) -> None:
    await bare.drop()
    with pytest.raises(StoreMissing):
        await bare.info()


async def test_a_dropped_collection_is_made_again_for_another_embedder(store: Store) -> None:
    await store.create(root="/films", key_check="3f")
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


async def test_two_stores_of_one_place_see_what_the_other_writes(store: Store, backend: Backend) -> None:
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


async def test_what_was_written_is_there_after_closing(store: Store, backend: Backend) -> None:
    await store.put([image("a")], vectors(1))
    await store.__aexit__(None, None, None)
    async with backend.store() as again:
        assert await again.known_ids([ImageId("a")]) == {"a"}


async def test_leaving_does_not_hide_the_error(backend: Backend) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with backend.store():
            raise KeyError("mine")
