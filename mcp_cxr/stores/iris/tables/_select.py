"""Builds SELECT statements over images: a `Filter` becomes a WHERE clause, rows become `RankedImage`.

The text of a condition is constant and chosen by the fields given; every value is bound.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from mcp_cxr.records import ImageId, RankedImage, StudyId, SubjectId
from mcp_cxr.stores._shared import given_fields
from mcp_cxr.stores.iris.driver import to_list_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import LiteralString

    from mcp_cxr.records import Filter, TermClause
    from mcp_cxr.stores.iris.driver import Parameters, Row

NOT_EXTERNAL = "i.Metadata LIKE :own_row"

_NAME = re.compile(r":([a-z_]+)")
_LETTERS: LiteralString = "abcdefghijklmnopqrstuvwxyz"
MAX_TERM_LENGTH = 100
"""Characters: a term is a subscript of a global, whose length is limited."""

_OF_IMAGE: dict[str, LiteralString] = {
    "view": "i.ViewPosition %INLIST $LISTFROMSTRING(:view, :separator)",
    "image_id": "i.ImageID = :image_id",
    "study_id": "i.StudyID = :study_id",
    "subject_id": "i.SubjectID = :subject_id",
    "exclude_subject": "i.SubjectID <> :exclude_subject",
    "exclude_images": "NOT (i.ImageID %INLIST $LISTFROMSTRING(:exclude_images, :separator))",
}
_AMONG: LiteralString = "i.ImageID %INLIST $LISTFROMSTRING(:only_#, :separator)"
_MAX_LIST = 3_500_000
"""Characters of one list: IRIS has strings of up to 3,641,144."""
_JOIN_STUDY = " LEFT JOIN {table}Studies AS s ON s.StudyID = i.StudyID"
_OF_STUDY: dict[str, LiteralString] = {
    "labels": """s.StudyID IN (
        SELECT l.StudyID FROM {table}Labels AS l
        WHERE l.LabelName %INLIST $LISTFROMSTRING(:labels, :separator) AND l.LabelValue = 1
        GROUP BY l.StudyID HAVING COUNT(*) = :labels_wanted)""",
    "labels_absent": """s.StudyID IN (SELECT l.StudyID FROM {table}Labels AS l) AND s.StudyID NOT IN (
        SELECT l.StudyID FROM {table}Labels AS l
        WHERE l.LabelName %INLIST $LISTFROMSTRING(:labels_absent, :separator) AND l.LabelValue <> 0)
        AND COALESCE({s.PositivesOnly}, 0) = 0""",
    "labels_blank": """s.StudyID IN (SELECT l.StudyID FROM {table}Labels AS l) AND s.StudyID NOT IN (
        SELECT l.StudyID FROM {table}Labels AS l
        WHERE l.LabelName %INLIST $LISTFROMSTRING(:labels_blank, :separator)
        GROUP BY l.StudyID HAVING COUNT(*) = :blank_wanted)""",
    "split": "s.DataSplit = :split",
    "sex": "{s.Sex} = :sex",
    "age_from": "{s.Age} >= :age_from",
    "age_to": "{s.Age} <= :age_to",
    "lacks_sex": "{s.Sex} IS NULL",
    "lacks_age": "{s.Age} IS NULL",
    "has_sex": "{s.Sex} IS NOT NULL",
    "has_age": "{s.Age} IS NOT NULL",
    "date_from": "s.StudyDate >= :date_from",
    "date_to": "s.StudyDate <= :date_to",
    "has_report": "s.Report IS NOT NULL",
    "has_no_report": "s.Report IS NULL",
}


# The names of the parameters get a letter for each clause.
_HAS_ANY: LiteralString = """i.StudyID IN (
    SELECT p.StudyID FROM {table}Terms AS p WHERE p.Term %INLIST $LISTFROMSTRING(:any_of_#, :separator))"""
_LACKS_ANY: LiteralString = """i.StudyID NOT IN (
    SELECT p.StudyID FROM {table}Terms AS p WHERE p.Term %INLIST $LISTFROMSTRING(:or_lacks_#, :separator)
    GROUP BY p.StudyID HAVING COUNT(*) = :wanted_#)"""
_NEVER: LiteralString = "1 = 0"


def select_where(
    select: LiteralString, where: Filter, *more: LiteralString, order: LiteralString = "", joins_study: bool = False
) -> tuple[LiteralString, Parameters]:
    """Return a statement and its values.

    Args:
        select: The statement up to its WHERE; the image is `i`.
        where: All of its conditions must hold.
        more: Further conditions that must hold.
        order: ORDER BY clause.
        joins_study: Whether `select` joins the study already, as `s`.
    """
    given = given_fields(where)
    if given.get("has_report") is False:
        given["has_no_report"] = given.pop("has_report")
    for name in ("sex", "age"):
        if given.get(f"lacks_{name}") is False:
            given[f"has_{name}"] = given.pop(f"lacks_{name}")
    join = _JOIN_STUDY if given.keys() & _OF_STUDY and not joins_study else ""
    known: dict[str, LiteralString] = {**_OF_IMAGE, **_OF_STUDY}
    clauses, parameters = _clauses(given.pop("clauses", ()))
    if given.pop("only_images", ()):
        among, lists = _only_images(where.only_images)
        clauses.append(among)
        parameters |= lists
    conditions = " AND ".join([*(known[name] for name in given), *clauses, *more])
    parameters |= {name: _parameter(value) for name, value in given.items()}
    if where.labels:
        parameters["labels_wanted"] = len(set(where.labels))
    if where.labels_blank:
        parameters["blank_wanted"] = len(set(where.labels_blank))
    return select + join + " WHERE " + conditions + order, parameters


def _clauses(clauses: Sequence[TermClause]) -> tuple[list[LiteralString], Parameters]:
    """Return a condition for each clause, and their values."""
    conditions: list[LiteralString] = []
    parameters: Parameters = {}
    for position, clause in enumerate(clauses):
        letters = letter_suffix(position)
        has_any: LiteralString = _HAS_ANY if clause.any_of else _NEVER
        lacks_any: LiteralString = _LACKS_ANY if clause.or_lacks else _NEVER
        conditions.append("(" + (has_any + " OR " + lacks_any).replace("#", letters) + ")")
        parameters["any_of_" + letters] = terms_parameter(clause.any_of)
        parameters["or_lacks_" + letters] = terms_parameter(clause.or_lacks)
        parameters["wanted_" + letters] = len({term[:MAX_TERM_LENGTH] for term in clause.or_lacks})
    return conditions, parameters


def _only_images(ids: Sequence[ImageId]) -> tuple[LiteralString, Parameters]:
    """Return a condition on the id, and its lists: as many as their length needs."""
    lists: list[list[ImageId]] = [[]]
    length = 0
    for image_id in ids:
        length += len(image_id) + 1
        if length > _MAX_LIST:
            lists.append([])
            length = len(image_id) + 1
        lists[-1].append(image_id)
    condition: LiteralString = _NEVER
    parameters: Parameters = {}
    for number, part in enumerate(lists):
        letters = letter_suffix(number)
        condition += " OR " + _AMONG.replace("#", letters)
        parameters["only_" + letters] = to_list_cell(part)
    return "(" + condition + ")", parameters


def with_suffix(
    letters: LiteralString, statement: LiteralString, parameters: Parameters
) -> tuple[LiteralString, Parameters]:
    """Return a statement whose parameters have these letters after their names: so it can be part of another one."""

    def renamed(name: re.Match[str]) -> str:
        return f"{name[0]}_{letters}" if name[1] in parameters else name[0]

    renamed_statement = cast("LiteralString", _NAME.sub(renamed, statement))
    return renamed_statement, {f"{name}_{letters}": value for name, value in parameters.items()}


def letter_suffix(number: int) -> LiteralString:
    """Return a number from 0 in letters, `a` to `z`, `ba`, ...: names of parameters have no digits."""
    tens, ones = divmod(number, len(_LETTERS))
    return (letter_suffix(tens) if tens else "") + _LETTERS[ones]


def terms_parameter(terms: Iterable[str]) -> str:
    """Return terms as one parameter; empty if there is none."""
    return to_list_cell(term[:MAX_TERM_LENGTH] for term in terms if term)


def to_ranked_images(rows: Iterable[Row]) -> list[RankedImage]:
    """Return rows of image, study, subject and score as ranked images."""
    return [
        RankedImage(ImageId(str(image)), StudyId(str(study)), SubjectId(str(subject)), float(score))
        for image, study, subject, score in rows
    ]


def _parameter(value: str | bool | int | tuple[str, ...]) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return to_list_cell(value) if isinstance(value, tuple) else str(value)
