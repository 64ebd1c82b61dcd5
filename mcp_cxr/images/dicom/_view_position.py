"""Finds the view position, one of `VIEW_POSITIONS`, and the header element that gives it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mcp_cxr.images.dicom._element_values import item, text, values

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# PS3.16 CID 4010 "DX View": SNOMED RT as CR and DX files of MIMIC's years carry it, and SNOMED CT.
_CODES: Final = {
    "R-10206": "AP",
    "399348003": "AP",
    "R-10214": "PA",
    "272479007": "PA",
    "R-10236": "LL",
    "399173006": "LL",
    "R-10232": "RL",
    "399198007": "RL",
    "399067008": "LATERAL",
}
_DESCRIPTIONS: Final = ("SeriesDescription", "ProtocolName", "PerformedProcedureStepDescription", "StudyDescription")

_LONG_FORMS: Final = (
    (re.compile(r"\b(?:POSTERO|POSTERIOR)[\s_-]*(?:TO[\s_-]+)?ANTERIOR\b"), " PA "),
    (re.compile(r"\b(?:ANTERO|ANTERIOR)[\s_-]*(?:TO[\s_-]+)?POSTERIOR\b"), " AP "),
    (re.compile(r"\bP\.\s?A\b\.?"), " PA "),
    (re.compile(r"\bA\.\s?P\b\.?"), " AP "),
)
_WORD = re.compile(r"[A-Z]+")
_FRONTAL: Final = frozenset({"PA", "AP"})
_LATERAL: Final = frozenset({"LATERAL", "LAT", "LLAT", "RLAT", "LL", "RL"})
_LEFT: Final = frozenset({"LEFT", "LT", "L", "LLAT", "LL"})
_RIGHT: Final = frozenset({"RIGHT", "RT", "R", "RLAT", "RL"})
_OTHER: Final = frozenset(
    "AXIAL DECUB DECUBITUS LAO LLD LLO LORDOTIC LPO OBL OBLIQUE RAO RLD RLO RPO SWIMMERS TANGENTIAL".split()
)
"""Views of the chest that are neither frontal nor lateral; for decubitus images the patient lies on a side."""


def parse_view_position(text: str) -> str | None:
    """Return the view, one of `VIEW_POSITIONS`, that a ViewPosition or a column of a table names, or None.

    A text with an oblique, axial or decubitus view is `OTHER`; one that names two other views gives None.
    """
    views = _views_in(text)
    if "OTHER" in views:
        return "OTHER"
    return _single(views)


def find_view_position(elements: Dataset) -> tuple[str, str]:
    """Return the view and its source; `("UNKNOWN", "none")` if the header has none.

    (0018,5101) View Position first, then (0054,0220) View Code Sequence, a description that names exactly one view, and
    (0020,0020) Patient Orientation, which identifies a lateral but does not distinguish PA from AP.
    """
    sources = {
        "ViewPosition": parse_view_position(text(elements, "ViewPosition") or ""),
        "ViewCodeSequence": _coded_view(elements),
        "description": next(
            filter(None, (_single(_views_in(text(elements, each) or "")) for each in _DESCRIPTIONS)), None
        ),
        "orientation": _oriented_view(elements),
    }
    return next(((view, source) for source, view in sources.items() if view), ("UNKNOWN", "none"))


def _views_in(text: str) -> set[str]:
    """Return all views that a text names."""
    text = text.upper()
    for pattern, short in _LONG_FORMS:
        text = pattern.sub(short, text)
    words = set(_WORD.findall(text))
    views = set(words & _FRONTAL)
    if words & _LATERAL:
        sides = {side for side, words_of_side in (("LL", _LEFT), ("RL", _RIGHT)) if words & words_of_side}
        views.add(_single(sides) or "LATERAL")
    if words & _OTHER:
        views.add("OTHER")
    return views


def _single(views: set[str]) -> str | None:
    return next(iter(views)) if len(views) == 1 else None


def _coded_view(elements: Dataset) -> str | None:
    code = item(elements, "ViewCodeSequence")
    if code is None:
        return None
    return _CODES.get(text(code, "CodeValue") or "") or parse_view_position(text(code, "CodeMeaning") or "")


def _oriented_view(elements: Dataset) -> str | None:
    """Return LATERAL if rows run to the front or back and columns to the head or feet."""
    directions = [str(value).strip().upper()[:1] for value in values(elements, "PatientOrientation")]
    is_lateral = len(directions) == 2 and directions[0] in ("A", "P") and directions[1] in ("H", "F")  # noqa: PLR2004 # along a row, down a column
    return "LATERAL" if is_lateral else None
