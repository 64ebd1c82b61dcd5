"""Properties of the schema that the embedded store relies on.

Imports a private module: which index a statement uses has no outside but time.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.records import Filter, ImageId
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.stores.embedded.database import NOT_EXTERNAL, compose
from mcp_cxr.stores.embedded.tables import counts_and_lists
from mcp_cxr.stores.embedded.vectors import _nearest
from tests.contract.stores.making import FINGERPRINT, image, vectors

if TYPE_CHECKING:
    from pathlib import Path


def ask(folder: Path, statement: str, values: object = ()) -> list[tuple]:
    with closing(sqlite3.connect(folder / "archive.sqlite3")) as connection:
        return connection.execute(statement, values).fetchall()  # type: ignore[arg-type]  # plain text is fine in a test


@pytest.fixture
async def store(tmp_path: Path) -> EmbeddedStore:
    async with EmbeddedStore(tmp_path) as opened:
        await opened.create(FINGERPRINT)
        await opened.put([image("a"), image("b"), image("c")], vectors(3))
    return opened


async def test_a_slot_is_never_given_twice(store: EmbeddedStore, tmp_path: Path) -> None:
    await store.put([image("b")], vectors(1))
    await store.forget(Filter(image_id=ImageId("b")))
    await store.put([image("d")], vectors(1))
    assert ask(tmp_path, "SELECT image_id, slot FROM images ORDER BY slot") == [("a", 1), ("c", 3), ("d", 5)]
    assert ask(tmp_path, "SELECT slot FROM vectors ORDER BY slot") == [(1,), (3,), (5,)]
    await store.__aexit__(None, None, None)


async def test_a_replaced_image_keeps_its_creation_time(store: EmbeddedStore, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "archive.sqlite3")) as connection, connection:
        connection.execute("UPDATE images SET created_at = '2020', updated_at = '2020'")
    await store.put([image("b")], vectors(1))
    [(created, updated)] = ask(tmp_path, "SELECT created_at, updated_at FROM images WHERE image_id = 'b'")
    assert created == "2020"
    assert updated > "2025"
    await store.__aexit__(None, None, None)


@pytest.mark.parametrize(
    ("select", "where", "index"),
    [
        (counts_and_lists.COUNT_OF["study"], Filter(), "images_by_study"),
        (_nearest._SCAN, Filter(subject_id="p1"), "images_by_subject"),  # type: ignore[arg-type]  # plain text is fine in a test
        (_nearest._SCAN, Filter(view=("PA",)), "images_by_view"),
        (_nearest._SCAN, Filter(labels=("Edema",)), "labels_by_value"),
    ],
)
@pytest.mark.usefixtures("store")
async def test_a_narrow_filter_uses_an_index(tmp_path: Path, select: str, where: Filter, index: str) -> None:
    statement, values = compose(select, where, NOT_EXTERNAL)  # type: ignore[arg-type]  # plain text is fine in a test
    plan = ask(tmp_path, "EXPLAIN QUERY PLAN " + statement, values)
    assert any(index in step for *_, step in plan)


@pytest.mark.usefixtures("store")
async def test_a_full_scan_uses_no_index(tmp_path: Path) -> None:
    statement, values = compose(_nearest._WHOLE_SCAN, Filter(), NOT_EXTERNAL)  # type: ignore[arg-type]  # plain text is fine in a test
    plan = [step for *_, step in ask(tmp_path, "EXPLAIN QUERY PLAN " + statement, values)]
    assert plan[0] == "SCAN i"
