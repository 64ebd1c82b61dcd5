"""Builds SELECT statements over images: a `Filter` becomes a WHERE clause, rows become `RankedImage`.

The text of a condition is constant and chosen by the fields given; every value is bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.records import ImageId, RankedImage, StudyId, SubjectId
from mcp_cxr.stores._shared import given_fields
from mcp_cxr.stores.iris.driver import to_list_cell

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import LiteralString

    from mcp_cxr.records import Filter
    from mcp_cxr.stores.iris.driver import Parameters, Row

NOT_EXTERNAL = "i.Metadata LIKE :own_row"

MAX_TERM_LENGTH = 100
"""Characters: a term is a subscript of a global, whose length is limited."""

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
    join = _JOIN_STUDY if given.keys() & _OF_STUDY and not joins_study else ""
    known: dict[str, LiteralString] = {**_OF_IMAGE, **_OF_STUDY}
    conditions = " AND ".join([*(known[name] for name in given), *more])
    parameters: Parameters = {
        name: terms_parameter(value) if name == "terms_absent" else _parameter(value) for name, value in given.items()
    }
    if where.labels:
        parameters["labels_wanted"] = len(set(where.labels))
    return select + join + " WHERE " + conditions + order, parameters


def terms_parameter(terms: Iterable[str]) -> str:
    """Return terms as one parameter; empty if there is none."""
    return to_list_cell(term[:MAX_TERM_LENGTH] for term in terms if term)


def to_ranked_images(rows: Iterable[Row]) -> list[RankedImage]:
    """Return rows of image, study, subject and score as ranked images."""
    return [
        RankedImage(ImageId(str(image)), StudyId(str(study)), SubjectId(str(subject)), float(score))
        for image, study, subject, score in rows
    ]


def _parameter(value: str | bool | tuple[str, ...]) -> str:
    return to_list_cell(value) if isinstance(value, tuple) else str(value)
