"""Filters as arrays: which studies are let through, by their number.

What a filter says of studies is asked of SQLite one fact at a time, each answer a list of numbers from an index, and
the answers are joined here: of 227,835 studies that takes tens of milliseconds, where one statement that joins them
took a second, and some took minutes. What a filter says of images stays with the statements that read them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from mcp_cxr.stores.embedded.database import OURS, compose
from mcp_cxr.stores.embedded.fulltext._bm25 import room, scores

if TYPE_CHECKING:
    from collections.abc import Iterator
    from sqlite3 import Connection

    from numpy.typing import NDArray

    from mcp_cxr.records import Filter

    Mask: TypeAlias = NDArray[np.bool_]

# json_group_array, because a number that is handed over alone costs ten times as much.
_OF_SPLIT = "SELECT json_group_array(number) FROM studies WHERE split = ?"
_FROM = "SELECT json_group_array(number) FROM studies INDEXED BY studies_by_date WHERE study_date >= ?"
_TO = "SELECT json_group_array(number) FROM studies INDEXED BY studies_by_date WHERE study_date <= ?"
_WITH_REPORT = "SELECT json_group_array(number) FROM studies INDEXED BY studies_with_report WHERE report IS NOT NULL"
_WITH_LABEL = "SELECT json_group_array(study) FROM labels WHERE label = ? AND value = 1"
_LABELLED = "SELECT json_group_array(study) FROM (SELECT DISTINCT study FROM labels)"
_NOT_WITHOUT = "SELECT json_group_array(study) FROM labels WHERE label = ? AND value <> 0"
_OF_IMAGES = """
SELECT json_group_array(coalesce((SELECT number FROM studies WHERE studies.study_id = i.study_id), 0))
FROM images AS i"""


def is_narrow(where: Filter) -> bool:
    """Whether it names images, a study or a subject: then SQLite finds these few, whatever else is asked of them."""
    return bool(where.image_id or where.study_id or where.subject_id or where.only_images)


def of_images(where: Filter) -> Filter:
    """Return what it says of images."""
    return replace(
        where,
        labels=(),
        labels_absent=(),
        terms_absent=(),
        split=None,
        date_from=None,
        date_to=None,
        has_report=None,
    )


def of_studies(where: Filter) -> Filter:
    """Return what it says of studies."""
    return replace(where, view=(), exclude_subject=None, exclude_images=())


def studies(connection: Connection, where: Filter) -> Mask:
    """Return which studies are let through, by number; the last place stands for all that are no more.

    Args:
        where: `of_studies`, or narrow: then a study is let through if one of its images is.
    """
    size = room(connection)
    if is_narrow(where):
        return _mask(connection.execute(*compose(_OF_IMAGES, where, OURS)).fetchone()[0], size)
    masks = list(_facts(connection, where, size))
    passing = np.logical_and.reduce(masks) if masks else np.ones(size, np.bool_)
    passing[[0, -1]] = False
    return passing


def _facts(connection: Connection, where: Filter, size: int) -> Iterator[Mask]:
    """Yield for each thing that is asked of studies those that have it."""

    def ask(statement: str, *values: str) -> Mask:
        return _mask(connection.execute(statement, values).fetchone()[0], size)

    for label in where.labels:
        yield ask(_WITH_LABEL, label)
    if where.labels_absent:
        yield ask(_LABELLED)
        for label in where.labels_absent:
            yield ~ask(_NOT_WITHOUT, label)
    if where.terms_absent:
        yield scores(connection, where.terms_absent) == 0
    if where.split is not None:
        yield ask(_OF_SPLIT, where.split)
    if where.date_from is not None:
        yield ask(_FROM, where.date_from)
    if where.date_to is not None:
        yield ask(_TO, where.date_to)
    if where.has_report is not None:
        yield ask(_WITH_REPORT) == where.has_report


def _mask(numbers: str, size: int) -> Mask:
    """Return true at the numbers of a JSON array."""
    mask = np.zeros(size, np.bool_)
    mask[np.fromstring(numbers[1:-1], np.int64, sep=",")] = True
    return mask
