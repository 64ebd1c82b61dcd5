"""A `Filter` as the condition of a statement: constant text chosen by what is given, every value bound."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from mcp_cxr.records import Filter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import LiteralString

Bound: TypeAlias = "Mapping[str, str | int]"

_FIELDS = tuple(field.name for field in fields(Filter))
OURS = "i.made_by IS NOT NULL"

_OF_IMAGE: dict[str, LiteralString] = {
    "view": "i.view_position IN (SELECT value FROM json_each(:view))",
    "image_id": "i.image_id = :image_id",
    "study_id": "i.study_id = :study_id",
    "subject_id": "i.subject_id = :subject_id",
    "exclude_subject": "i.subject_id <> :exclude_subject",
    "exclude_images": "i.image_id NOT IN (SELECT value FROM json_each(:exclude_images))",
    "only_images": "i.image_id IN (SELECT value FROM json_each(:only_images))",
}
# With the plus SQLite tests a study against the list; without, it may walk the whole list for every image.
_JOIN_STUDY = " JOIN studies AS s ON s.study_id = i.study_id"
_OF_STUDY: dict[str, LiteralString] = {
    "labels": """+s.number IN (
        SELECT study FROM labels WHERE label IN (SELECT value FROM json_each(:labels)) AND value = 1
        GROUP BY study HAVING count(*) = json_array_length(:labels))""",
    "labels_absent": """s.number IN (SELECT study FROM labels) AND s.number NOT IN (
        SELECT study FROM labels WHERE label IN (SELECT value FROM json_each(:labels_absent)) AND value <> 0)""",
    "terms_absent": """NOT EXISTS (
        SELECT 1 FROM documents AS d, json_each(:terms_absent) AS term
        WHERE d.study = s.number AND instr(' ' || d.terms || ' ', term.value))""",
    "split": "s.split = :split",
    "date_from": "s.study_date >= :date_from",
    "date_to": "s.study_date <= :date_to",
    "has_report": "(s.report IS NOT NULL) = :has_report",
}
HOLDS_TERMS = """EXISTS (
    SELECT 1 FROM studies AS holder JOIN documents AS d ON d.study = holder.number, json_each(:terms) AS term
    WHERE holder.study_id = i.study_id AND instr(' ' || d.terms || ' ', term.value))"""
# Where few images are looked at, so are their studies: to gather all studies with a label first would cost more.
_OF_FEW: dict[str, LiteralString] = {
    "labels": """(
        SELECT count(*) FROM labels
        WHERE study = s.number AND label IN (SELECT value FROM json_each(:labels)) AND value = 1
        ) = json_array_length(:labels)""",
    "labels_absent": """EXISTS (SELECT 1 FROM labels WHERE study = s.number) AND NOT EXISTS (
        SELECT 1 FROM labels
        WHERE study = s.number AND label IN (SELECT value FROM json_each(:labels_absent)) AND value <> 0)""",
}


def compose(
    select: LiteralString, where: Filter, *more: LiteralString, then: LiteralString = "", few: bool = False
) -> tuple[LiteralString, Bound]:
    """Return a statement and its values.

    Args:
        select: Up to its WHERE, where it can still be joined; `i` is the image.
        where: Everything given in it must hold,
        more: and each of these.
        then: Order and limit.
        few: `select` leaves few images to be looked at.
    """
    values = {name: getattr(where, name) for name in _FIELDS}
    given = {name: value for name, value in values.items() if value is not None and value != ()}
    bound = {name: any_of(value) if name == "terms_absent" else _bound(value) for name, value in given.items()}
    return _text(select, tuple(given), more, then, few=few or bool(where.only_images)), bound


@lru_cache(maxsize=64)
def _text(
    select: LiteralString, given: tuple[str, ...], more: tuple[LiteralString, ...], then: LiteralString, *, few: bool
) -> LiteralString:
    """Return the statement by the names of what is given: no value is kept."""
    join = _JOIN_STUDY if set(given) & _OF_STUDY.keys() else ""
    known: dict[str, LiteralString] = {**_OF_IMAGE, **_OF_STUDY, **(_OF_FEW if few else {})}
    conditions = " AND ".join([*(known[name] for name in given), *more])
    return select + join + " WHERE " + conditions + then


def any_of(terms: Sequence[str]) -> str:
    """Return `terms` as they are looked for in a document, where each stands between blanks."""
    return json.dumps([f" {term} " for term in dict.fromkeys(terms) if term and " " not in term])


def _bound(value: str | bool | tuple[str, ...]) -> str | int:
    """Return a list as JSON without repetition: SQLite bounds the number of parameters, not their length."""
    return json.dumps(sorted(set(value))) if isinstance(value, tuple) else value
