"""Filters as arrays: which studies pass, by study number.

Each condition on studies is one query, whose result is a list of numbers from an index; the results are combined here.
For 227,835 studies that takes tens of milliseconds; one statement that joins them took a second, and some minutes.
Conditions on images stay in the statements that read images. It lies beside the full-text index because clauses
of terms need its postings.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from mcp_cxr.records import Filter
from mcp_cxr.stores.embedded.database import NOT_EXTERNAL, archive_info, compose
from mcp_cxr.stores.embedded.fulltext._postings import Documents, Index, mask_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from sqlite3 import Connection

    from numpy.typing import NDArray

    from mcp_cxr.records import TermClause
    from mcp_cxr.stores.embedded.database import ResultCache

    Mask: TypeAlias = NDArray[np.bool_]

# json_group_array, because fetching each number as a row takes ten times as long.
_OF_SPLIT = "SELECT json_group_array(number) FROM studies WHERE split = ?"
_FROM = "SELECT json_group_array(number) FROM studies INDEXED BY studies_by_date WHERE study_date >= ?"
_TO = "SELECT json_group_array(number) FROM studies INDEXED BY studies_by_date WHERE study_date <= ?"
_WITH_REPORT = "SELECT json_group_array(number) FROM studies INDEXED BY studies_with_report WHERE report IS NOT NULL"
_WITH_LABEL = "SELECT json_group_array(study) FROM labels WHERE label = ? AND value = 1"
_LABELLED = "SELECT json_group_array(study) FROM (SELECT DISTINCT study FROM labels)"
_OF_POSITIVES = "SELECT json_group_array(number) FROM studies INDEXED BY studies_of_positives WHERE positives_only"
_OF_SEX = "SELECT json_group_array(number) FROM studies INDEXED BY studies_by_sex WHERE sex = ?"
_AGED = "SELECT json_group_array(number) FROM studies INDEXED BY studies_by_age WHERE age BETWEEN ? AND ?"
_WITH_SEX = "SELECT json_group_array(number) FROM studies INDEXED BY studies_by_sex WHERE sex IS NOT NULL"
_WITH_AGE = "SELECT json_group_array(number) FROM studies INDEXED BY studies_by_age WHERE age IS NOT NULL"
_OLDEST = 1000  # years; nobody is
_MENTIONING = "SELECT json_group_array(study) FROM labels WHERE label = ?"
_PRESENT_OR_UNCERTAIN = "SELECT json_group_array(study) FROM labels WHERE label = ? AND value <> 0"
_OF_IMAGES = """
SELECT json_group_array(coalesce((SELECT number FROM studies WHERE studies.study_id = i.study_id), 0))
FROM images AS i"""


def selects_few(where: Filter) -> bool:
    """Return whether a filter names images, a study or a subject, whose rows SQLite finds."""
    return bool(where.image_id or where.study_id or where.subject_id or where.only_images)


def image_conditions(where: Filter) -> Filter:
    """Return the conditions of a filter on images."""
    return replace(
        where,
        labels=(),
        labels_absent=(),
        labels_blank=(),
        clauses=(),
        split=None,
        date_from=None,
        date_to=None,
        has_report=None,
        sex=None,
        age_from=None,
        age_to=None,
        lacks_sex=None,
        lacks_age=None,
    )


def study_conditions(where: Filter) -> Filter:
    """Return the conditions of a filter on studies."""
    return replace(where, view=(), exclude_subject=None, exclude_images=())


def study_mask(connection: Connection, where: Filter) -> Mask:
    """Return which studies pass, by number; the last position is for deleted ones.

    Args:
        where: `study_conditions` without clauses, or a filter for which `selects_few`: then a study passes if one of
            its images does.
    """
    size = mask_size(connection)
    if selects_few(where):
        return _mask(connection.execute(*compose(_OF_IMAGES, where, NOT_EXTERNAL)).fetchone()[0], size)
    masks = list(_condition_masks(connection, where, size))
    passing = np.logical_and.reduce(masks) if masks else np.ones(size, np.bool_)
    passing[[0, -1]] = False
    return passing


def cached_study_mask(connection: Connection, where: Filter, mask_cache: ResultCache) -> Mask:
    """Return `study_mask` of the conditions on studies.

    The masks of terms and of the other conditions are cached apart: the filters of one search differ in clauses only.
    """
    conditions = study_conditions(where)
    if selects_few(where) or not conditions.clauses:
        return mask_cache.get(study_mask, connection, conditions)
    masks = [_clause_mask(connection, clause, mask_cache) for clause in conditions.clauses]
    if (rest := replace(conditions, clauses=())) != Filter():
        masks.append(mask_cache.get(study_mask, connection, rest))
    passing = np.logical_and.reduce(masks)
    passing[[0, -1]] = False
    return passing


def _clause_mask(connection: Connection, clause: TermClause, mask_cache: ResultCache) -> Mask:
    """Return the studies whose documents meet a clause."""

    def having(term: str) -> Mask:
        return mask_cache.get(_term_mask, connection, term, unkeyed={"mask_cache": mask_cache})

    meets = [*map(having, clause.any_of), *(~having(term) for term in clause.or_lacks)]
    return np.logical_or.reduce(meets) if meets else np.zeros(mask_size(connection), np.bool_)


def _term_mask(connection: Connection, term: str, *, mask_cache: ResultCache) -> Mask:
    return Index(connection, mask_cache.get(Documents.read, connection)).mask(term)


def _condition_masks(connection: Connection, where: Filter, size: int) -> Iterator[Mask]:
    """Yield for each condition but the clauses the studies that meet it."""

    def studies(statement: str, *values: str) -> Mask:
        return _mask(connection.execute(statement, values).fetchone()[0], size)

    yield from _label_masks(connection, where, size)
    yield from _patient_masks(connection, where, size)
    if where.split is not None:
        yield studies(_OF_SPLIT, where.split)
    if where.date_from is not None:
        yield studies(_FROM, where.date_from)
    if where.date_to is not None:
        yield studies(_TO, where.date_to)
    if where.has_report is not None:
        yield studies(_WITH_REPORT) == where.has_report


def _patient_masks(connection: Connection, where: Filter, size: int) -> Iterator[Mask]:
    """Yield for each condition on sex and age the studies that meet it; an archive of an older version has neither."""
    has_columns = archive_info.has_later_columns(connection)

    def studies(statement: str, *values: str | int) -> Mask:
        if not has_columns:
            return np.zeros(size, np.bool_)
        return _mask(connection.execute(statement, values).fetchone()[0], size)

    if where.sex is not None:
        yield studies(_OF_SEX, where.sex)
    if where.age_from is not None or where.age_to is not None:
        yield studies(_AGED, where.age_from or 0, _OLDEST if where.age_to is None else where.age_to)
    if where.lacks_sex is not None:
        yield studies(_WITH_SEX) != where.lacks_sex
    if where.lacks_age is not None:
        yield studies(_WITH_AGE) != where.lacks_age


def _label_masks(connection: Connection, where: Filter, size: int) -> Iterator[Mask]:
    """Yield for each condition on labels the studies that meet it."""

    def studies(statement: str, *values: str) -> Mask:
        return _mask(connection.execute(statement, values).fetchone()[0], size)

    for label in where.labels:
        yield studies(_WITH_LABEL, label)
    if where.labels_absent or where.labels_blank:
        yield studies(_LABELLED)
    if where.labels_blank:
        yield np.logical_or.reduce([~studies(_MENTIONING, label) for label in where.labels_blank])
    if where.labels_absent:
        if archive_info.has_later_columns(connection):
            yield ~studies(_OF_POSITIVES)
        for label in where.labels_absent:
            yield ~studies(_PRESENT_OR_UNCERTAIN, label)


def _mask(numbers: str, size: int) -> Mask:
    """Return a mask that is true at the numbers of a JSON array."""
    mask = np.zeros(size, np.bool_)
    mask[np.fromstring(numbers[1:-1], np.int64, sep=",")] = True
    return mask
