"""Turns a `Filter` into SQL: constant text, selected by the given fields, with every value bound."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from mcp_cxr.stores._shared import given_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import LiteralString

    from mcp_cxr.records import Filter, TermClause

# The inner name is the column if there is one, else, in an archive of an older version, the NULL beside it.
STUDY_LABELS_BY: LiteralString = """(
    SELECT (SELECT labels_by FROM studies AS own WHERE own.number = s.number) FROM (SELECT NULL AS labels_by))"""
STUDY_POSITIVES_ONLY: LiteralString = """(
    SELECT (SELECT positives_only FROM studies AS own WHERE own.number = s.number)
    FROM (SELECT NULL AS positives_only))"""
STUDY_SEX: LiteralString = """(
    SELECT (SELECT sex FROM studies AS own WHERE own.number = s.number) FROM (SELECT NULL AS sex))"""
STUDY_AGE: LiteralString = """(
    SELECT (SELECT age FROM studies AS own WHERE own.number = s.number) FROM (SELECT NULL AS age))"""
STUDY_LANGUAGE: LiteralString = """(
    SELECT (SELECT report_language FROM studies AS own WHERE own.number = s.number)
    FROM (SELECT NULL AS report_language))"""

Bound: TypeAlias = "Mapping[str, str | int]"

NOT_EXTERNAL = "i.made_by IS NOT NULL"
VIEW_RANK: LiteralString = """CASE WHEN i.view_position IN ('PA', 'AP') THEN 0
    WHEN i.view_position IN ('LATERAL', 'LL', 'RL') THEN 1 ELSE 2 END"""
"""`view_rank` in SQL."""

_OF_IMAGE: dict[str, LiteralString] = {
    "view": "i.view_position IN (SELECT value FROM json_each(:view))",
    "image_id": "i.image_id = :image_id",
    "study_id": "i.study_id = :study_id",
    "subject_id": "i.subject_id = :subject_id",
    "exclude_subject": "i.subject_id <> :exclude_subject",
    "exclude_images": "i.image_id NOT IN (SELECT value FROM json_each(:exclude_images))",
    "only_images": "i.image_id IN (SELECT value FROM json_each(:only_images))",
}
# With the plus, SQLite tests a study against the list; without, it may walk the whole list for every image.
_JOIN_STUDY = " JOIN studies AS s ON s.study_id = i.study_id"
_OF_STUDY: dict[str, LiteralString] = {
    "labels": """+s.number IN (
        SELECT study FROM labels WHERE label IN (SELECT value FROM json_each(:labels)) AND value = 1
        GROUP BY study HAVING count(*) = json_array_length(:labels))""",
    "labels_absent": """s.number IN (SELECT study FROM labels) AND s.number NOT IN (
        SELECT study FROM labels WHERE label IN (SELECT value FROM json_each(:labels_absent)) AND value <> 0)
        AND """  # noqa: S608  # constants
    + STUDY_POSITIVES_ONLY
    + " IS NOT 1",
    "labels_blank": """EXISTS (SELECT 1 FROM labels WHERE study = s.number) AND (
        SELECT count(*) FROM labels WHERE study = s.number AND label IN (SELECT value FROM json_each(:labels_blank))
        ) < json_array_length(:labels_blank)""",
    "clauses": """NOT EXISTS (
        SELECT 1 FROM json_each(:clauses) AS clause
        WHERE NOT EXISTS (
            SELECT 1 FROM documents AS d, json_each(clause.value, '$.any_of') AS term
            WHERE d.study = s.number AND instr(' ' || d.terms || ' ', term.value))
        AND NOT EXISTS (
            SELECT 1 FROM json_each(clause.value, '$.or_lacks') AS term
            WHERE NOT EXISTS (
                SELECT 1 FROM documents AS d
                WHERE d.study = s.number AND instr(' ' || d.terms || ' ', term.value))))""",
    "split": "s.split = :split",
    "sex": STUDY_SEX + " = :sex",
    "age_from": STUDY_AGE + " >= :age_from",
    "age_to": STUDY_AGE + " <= :age_to",
    "lacks_sex": "(" + STUDY_SEX + " IS NULL) = :lacks_sex",
    "lacks_age": "(" + STUDY_AGE + " IS NULL) = :lacks_age",
    "date_from": "s.study_date >= :date_from",
    "date_to": "s.study_date <= :date_to",
    "has_report": "(s.report IS NOT NULL) = :has_report",
}
# For few images, their studies are tested one by one: collecting all studies with a label first would take longer.
_OF_FEW: dict[str, LiteralString] = {
    "labels": """(
        SELECT count(*) FROM labels
        WHERE study = s.number AND label IN (SELECT value FROM json_each(:labels)) AND value = 1
        ) = json_array_length(:labels)""",
    "labels_absent": """EXISTS (SELECT 1 FROM labels WHERE study = s.number) AND NOT EXISTS (
        SELECT 1 FROM labels
        WHERE study = s.number AND label IN (SELECT value FROM json_each(:labels_absent)) AND value <> 0)
        AND """  # noqa: S608  # constants
    + STUDY_POSITIVES_ONLY
    + " IS NOT 1",
}


def compose(
    select: LiteralString, where: Filter, *more: LiteralString, then: LiteralString = "", few: bool = False
) -> tuple[LiteralString, Bound]:
    """Return a statement and its values.

    Args:
        select: The statement up to WHERE, to which a JOIN can be added; `i` is the image.
        where: All of its conditions must hold.
        more: So must each of these.
        then: ORDER BY and LIMIT.
        few: Whether `select` reads few images.
    """
    given = given_fields(where)
    bound = {name: _clauses(value) if name == "clauses" else _bound(value) for name, value in given.items()}
    return _text(select, tuple(given), more, then, few=few), bound


@lru_cache(maxsize=64)
def _text(
    select: LiteralString, given: tuple[str, ...], more: tuple[LiteralString, ...], then: LiteralString, *, few: bool
) -> LiteralString:
    """Return the statement for the names of the given fields; values are not part of it."""
    join = _JOIN_STUDY if set(given) & _OF_STUDY.keys() else ""
    known: dict[str, LiteralString] = {**_OF_IMAGE, **_OF_STUDY, **(_OF_FEW if few else {})}
    conditions = " AND ".join([*(known[name] for name in given), *more])
    return select + join + " WHERE " + conditions + then


def _clauses(clauses: Sequence[TermClause]) -> str:
    """Return the parameter `:clauses`; a text that no document contains replaces each term that none can have."""
    return json.dumps(
        [
            {name: [f" {term} " if term and " " not in term else "\n" for term in terms] for name, terms in parts}
            for parts in ((("any_of", clause.any_of), ("or_lacks", clause.or_lacks)) for clause in clauses)
        ]
    )


def _bound(value: str | bool | tuple[str, ...]) -> str | int:
    """Return a list as JSON without duplicates: SQLite limits the number of parameters, not their length."""
    return _listed(value) if isinstance(value, tuple) else value


@lru_cache(maxsize=16)
def _listed(values: tuple[str, ...]) -> str:
    return json.dumps(sorted(set(values)))
