"""Exact search by vector: every vector the filter lets through is read, a block at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.records import ImageId, Scored, StudyId, SubjectId
from mcp_cxr.stores._unit_rows import unit_rows
from mcp_cxr.stores.embedded._collection import fingerprint_of
from mcp_cxr.stores.embedded._filter import compose
from mcp_cxr.stores.embedded._vectors import stack

if TYPE_CHECKING:
    from sqlite3 import Connection

    from numpy.typing import NDArray

    from mcp_cxr.records import Filter, Vector, Vectors

_BLOCK = 1024  # vectors held at once: 4 MiB of 1,024 numbers

_SCAN = """
SELECT i.slot, (SELECT vector FROM vectors AS v WHERE v.slot = i.slot)
FROM images AS i"""
_OURS = "+i.made_by IS NOT NULL"  # with the plus no partial index of our rows is used: vectors are read as they lie
_NAMES = """
SELECT slot, image_id, study_id, subject_id FROM images WHERE slot IN (SELECT value FROM json_each(?))"""


def nearest(connection: Connection, vector: Vector, where: Filter, limit: int) -> list[Scored]:
    """Rank images by cosine, best first; ties by image id."""
    fingerprint = fingerprint_of(connection)
    dimension = fingerprint.dimension if fingerprint else vector.size
    query = unit_rows(vector[None, :], dimension)[0]
    cursor = connection.execute(*compose(_SCAN, where, _OURS))
    slots, scores = np.empty(0, np.int64), np.empty(0, np.float32)
    while rows := cursor.fetchmany(_BLOCK):
        block = stack([blob for _, blob in rows], dimension)
        slots = np.concatenate((slots, np.array([slot for slot, _ in rows], np.int64)))
        scores = np.concatenate((scores, _cosines(block, query)))
        slots, scores = _best(slots, scores, limit)
    return _named(connection, slots, scores)[:limit]


def _cosines(block: Vectors, query: Vector) -> Vector:
    """Return the cosine of each row.

    `vecdot` takes row by row: equal vectors score equal wherever they stand, which a matrix product does not promise.
    """
    return np.clip(np.vecdot(block, query), -1, 1)


def _best(slots: NDArray[np.int64], scores: Vector, limit: int) -> tuple[NDArray[np.int64], Vector]:
    """Keep the best `limit`, and all that tie with the last of them: only their ids can tell these apart."""
    if len(scores) <= limit:
        return slots, scores
    kept = scores >= np.partition(scores, -limit)[-limit]
    return slots[kept], scores[kept]


def _named(connection: Connection, slots: NDArray[np.int64], scores: Vector) -> list[Scored]:
    """Return the hits in their final order."""
    score_of = dict(zip(slots.tolist(), scores.tolist(), strict=True))
    hits = [
        Scored(ImageId(image_id), StudyId(study_id), SubjectId(subject_id), score_of[slot])
        for slot, image_id, study_id, subject_id in connection.execute(_NAMES, (json.dumps(list(score_of)),))
    ]
    return sorted(hits, key=lambda hit: (-hit.score, hit.image_id))
