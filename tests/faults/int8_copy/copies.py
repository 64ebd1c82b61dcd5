"""Vectors of an embedded store of 1,500 images, and what its answers are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.records import Filter, ImageId, RankedImage, SubjectId
from mcp_cxr.stores.embedded.tables import counts_and_lists
from mcp_cxr.stores.embedded.vectors import Int8Snapshot, nearest
from tests.contract.stores.making import image, vectors

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from mcp_cxr.stores import EmbeddedStore

COUNT = 1500
VIEWS = ("PA", "AP", "LATERAL", "LL")
QUERIES = vectors(2, seed=99)
FILTERS = (
    Filter(),
    Filter(view=("LATERAL", "LL")),
    Filter(view=("PA",), exclude_subject=SubjectId("p7"), exclude_images=(ImageId("i0001"),)),
    Filter(subject_id=SubjectId("p7")),
    Filter(split="test"),
    Filter(split="train"),
    Filter(split="train", view=("AP",)),
    Filter(labels=("Edema",)),
)


def image_facts(number: int) -> tuple:
    """Return an image's ids and view; two of each three images have equal vectors."""
    return f"i{number:04d}", f"s{number // 3}", f"p{number // 30}", VIEWS[number % 4]


async def put(store: EmbeddedStore, numbers: range, *, seed: int = 0) -> None:
    drawn = vectors(len(numbers), seed=seed)
    drawn[1::3] = drawn[::3][: len(drawn[1::3])]
    images = [
        image(name, study, subject, view_position=view) for name, study, subject, view in map(image_facts, numbers)
    ]
    await store.put(images, drawn)


async def plainly(store: EmbeddedStore, query: np.ndarray, where: Filter, limit: int) -> list[RankedImage]:
    """Rank by the vectors in SQLite alone."""
    return await store._read(nearest, query.tobytes(), where, limit=limit)


async def assert_answers_are_right(store: EmbeddedStore) -> None:
    store._rankings.clear()
    for query in QUERIES:
        for where in FILTERS:
            for limit in (10, 9999):
                found = await store.nearest(query, where, limit=limit)
                assert found == await plainly(store, query, where, limit), (where, limit)
    for where in FILTERS:
        for distinct in (None, "study", "subject"):
            counted = await store._read(counts_and_lists.count, where, distinct)
            assert await store.count(where, distinct=distinct) == counted, (where, distinct)


def copied(file: Path) -> int:
    """Return the number of rows of an intact copy."""
    copy = Int8Snapshot.open(file)
    assert copy
    return copy.header.rows
