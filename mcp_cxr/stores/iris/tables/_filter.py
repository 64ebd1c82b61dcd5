"""A `Filter` as the condition of a statement: constant text chosen by what is given, every value bound."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from mcp_cxr.stores.iris.driver import several

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import LiteralString

    from mcp_cxr.records import Filter
    from mcp_cxr.stores.iris.driver import Bound

OURS = "i.Metadata LIKE :mark"

LONGEST_TERM = 100
"""Characters: a term is a subscript, and those are bounded."""

_OF_IMAGE: dict[str, LiteralString] = {
    "view": "i.ViewPosition %INLIST $LISTFROMSTRING(:view, :separator)",
    "image_id": "i.ImageID = :image_id",
    "study_id": "i.StudyID = :study_id",
    "subject_id": "i.SubjectID = :subject_id",
    "exclude_subject": "i.SubjectID <> :exclude_subject",
    "exclude_images": "NOT (i.ImageID %INLIST $LISTFROMSTRING(:exclude_images, :separator))",
    "only_images": "i.ImageID %INLIST $LISTFROMSTRING(:only_images, :separator)",
}
_JOIN_STUDY = " LEFT JOIN {table}Studies AS s ON s.StudyID = i.StudyID"
_OF_STUDY: dict[str, LiteralString] = {
    "labels": """s.StudyID IN (
        SELECT l.StudyID FROM {table}Labels AS l
        WHERE l.LabelName %INLIST $LISTFROMSTRING(:labels, :separator) AND l.LabelValue = 1
        GROUP BY l.StudyID HAVING COUNT(*) = :labels_wanted)""",
    "labels_absent": """s.StudyID IN (SELECT l.StudyID FROM {table}Labels AS l) AND s.StudyID NOT IN (
        SELECT l.StudyID FROM {table}Labels AS l
        WHERE l.LabelName %INLIST $LISTFROMSTRING(:labels_absent, :separator) AND l.LabelValue <> 0)""",
    "terms_absent": """s.StudyID NOT IN (
        SELECT p.StudyID FROM {table}Terms AS p WHERE p.Term %INLIST $LISTFROMSTRING(:terms_absent, :separator))""",
    "split": "s.DataSplit = :split",
    "date_from": "s.StudyDate >= :date_from",
    "date_to": "s.StudyDate <= :date_to",
    "has_report": "s.Report IS NOT NULL",
    "has_no_report": "s.Report IS NULL",
}


def compose(
    select: LiteralString, where: Filter, *more: LiteralString, then: LiteralString = "", joins_study: bool = False
) -> tuple[LiteralString, Bound]:
    """Return a statement and its values.

    Args:
        select: Up to its WHERE, where it can still be joined; `i` is the image.
        where: Everything given in it must hold,
        more: and each of these.
        then: Order.
        joins_study: `select` has joined the study, as `s`, itself.
    """
    given = given_in(where)
    if given.get("has_report") is False:
        given["has_no_report"] = given.pop("has_report")
    join = _JOIN_STUDY if given.keys() & _OF_STUDY and not joins_study else ""
    known: dict[str, LiteralString] = {**_OF_IMAGE, **_OF_STUDY}
    conditions = " AND ".join([*(known[name] for name in given), *more])
    bound: Bound = {name: any_of(value) if name == "terms_absent" else _bound(value) for name, value in given.items()}
    if where.labels:
        bound["labels_wanted"] = len(set(where.labels))
    return select + join + " WHERE " + conditions + then, bound


def given_in(where: Filter) -> dict[str, Any]:
    """Return the fields of a filter that are given."""
    values = {field.name: getattr(where, field.name) for field in fields(where)}
    return {name: value for name, value in values.items() if value is not None and value != ()}


def any_of(terms: Iterable[str]) -> str:
    """Return terms as one value; empty where there is none."""
    return several(term[:LONGEST_TERM] for term in terms if term)


def _bound(value: str | bool | tuple[str, ...]) -> str:
    return several(value) if isinstance(value, tuple) else str(value)
