"""Which way the rays went: one of `VIEWS`, and where in the header that was read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mcp_cxr.images.dicom._elements import item, text, values

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
"""Views of the chest that are neither frontal nor lateral; decubitus films lie on a side."""


def parse_view_position(text: str) -> str | None:
    """Return the view, one of `VIEWS`, that a ViewPosition or a companion table's column names; None where it does not.

    Anything oblique, axial or decubitus is `OTHER`, whatever else is said; a text that names two views names none.
    """
    named = _named(text)
    if "OTHER" in named:
        return "OTHER"
    return _only(named)


def find_view(facts: Dataset) -> tuple[str, str]:
    """Return the view and where it was read; `("UNKNOWN", "none")` where the header does not say.

    (0018,5101) View Position first, then (0054,0220) View Code Sequence, a description that names exactly one view, and
    (0020,0020) Patient Orientation, which tells a lateral but not PA from AP.
    """
    sources = {
        "ViewPosition": parse_view_position(text(facts, "ViewPosition") or ""),
        "ViewCodeSequence": _coded_view(facts),
        "description": next(filter(None, (_only(_named(text(facts, each) or "")) for each in _DESCRIPTIONS)), None),
        "orientation": _oriented_view(facts),
    }
    return next(((view, source) for source, view in sources.items() if view), ("UNKNOWN", "none"))


def _named(text: str) -> set[str]:
    """All views a text names."""
    text = text.upper()
    for pattern, short in _LONG_FORMS:
        text = pattern.sub(short, text)
    words = set(_WORD.findall(text))
    named = set(words & _FRONTAL)
    if words & _LATERAL:
        sides = {side for side, said in (("LL", _LEFT), ("RL", _RIGHT)) if words & said}
        named.add(_only(sides) or "LATERAL")
    if words & _OTHER:
        named.add("OTHER")
    return named


def _only(named: set[str]) -> str | None:
    return next(iter(named)) if len(named) == 1 else None


def _coded_view(facts: Dataset) -> str | None:
    code = item(facts, "ViewCodeSequence")
    if code is None:
        return None
    return _CODES.get(text(code, "CodeValue") or "") or parse_view_position(text(code, "CodeMeaning") or "")


def _oriented_view(facts: Dataset) -> str | None:
    """A row that runs to the front or the back, and a column that runs to head or feet, are a lateral's."""
    directions = [str(one).strip().upper()[:1] for one in values(facts, "PatientOrientation")]
    is_lateral = len(directions) == 2 and directions[0] in ("A", "P") and directions[1] in ("H", "F")  # noqa: PLR2004 # along a row, down a column
    return "LATERAL" if is_lateral else None
