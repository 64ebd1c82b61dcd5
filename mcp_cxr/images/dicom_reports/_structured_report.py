"""The prose of a structured report: its texts below the headings of its containers, PS3.3 C.17.3 and TID 2000."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from mcp_cxr.errors import CorruptImage
from mcp_cxr.images.dicom import items, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

_MAX_DEPTH: Final = 32
"""Levels of content items; a report has three or four."""
_MAX_ITEMS: Final = 10_000
"""Content items; a report has some tens."""
_OTHER_TITLES: Final = re.compile(
    r"\b(dose|cad|measurements?|key object|procedure log|ecg|performed|quality control|acquisition|manifest)\b"
)
_REPORT_TITLES: Final = re.compile(
    r"\b(report|radiolog\w*|imaging|x ?ray|rontgen\w*|roentgen\w*|chest|thora\w*|torax|cxr|befund\w*|informe|laudo"
    r"|referto|verslag|compte rendu|study|finding\w*)\b"
)
"""Words in a document's title; CID 7000 names such titles, and equipment writes its own."""
_SECTIONS: Final = {
    "finding": "FINDINGS",
    "findings": "FINDINGS",
    "conclusion": "IMPRESSION",
    "conclusions": "IMPRESSION",
    "impression": "IMPRESSION",
    "impressions": "IMPRESSION",
    "history": "HISTORY",
    "clinical history": "HISTORY",
    "request": "INDICATION",
    "indication": "INDICATION",
    "indications": "INDICATION",
    "indications for procedure": "INDICATION",
    "reason for study": "INDICATION",
    "comparison": "COMPARISON",
    "prior procedure descriptions": "COMPARISON",
    "recommendation": "RECOMMENDATION",
    "recommendations": "RECOMMENDATION",
    "procedure description": "TECHNIQUE",
    "current procedure descriptions": "TECHNIQUE",
    "addendum": "ADDENDUM",
}
"""How reports in text files head the sections that CID 7001 and 7002 name."""


def is_radiology_report(elements: Dataset) -> bool:
    """Return whether the title of a structured report is that of a radiology report."""
    title = _plain(_meaning(elements))
    return bool(_REPORT_TITLES.search(title)) and not _OTHER_TITLES.search(title)


def prose(elements: Dataset) -> str:
    """Return the texts of a report, each container's below its heading.

    Raises:
        CorruptImage: It is nested deeper, or has more items, than any report.
    """
    lines: list[str] = []
    for count, (depth, item) in enumerate(_walk(elements)):
        if depth > _MAX_DEPTH or count > _MAX_ITEMS:
            raise CorruptImage("document nested too deeply" if depth > _MAX_DEPTH else "document has too many items")
        lines += _lines(item)
    return "\n".join(lines)


def _walk(elements: Dataset) -> Iterator[tuple[int, Dataset]]:
    """Yield the content items in reading order, with their depth; without recursion."""
    waiting = [(1, item) for item in reversed(items(elements, "ContentSequence"))]
    while waiting:
        depth, item = waiting.pop()
        yield depth, item
        if depth <= _MAX_DEPTH:
            waiting += [(depth + 1, below) for below in reversed(items(item, "ContentSequence"))]


def _lines(item: Dataset) -> list[str]:
    """Return what a content item says, as lines of a report."""
    kind = text(item, "ValueType")
    name = _meaning(item)
    heading = _SECTIONS.get(_plain(name), name.upper())
    if kind == "CONTAINER":
        return ["", f"{heading}:"] if heading else []
    if kind == "TEXT":
        said = (text(item, "TextValue") or "").replace("\r\n", "\n").replace("\r", "\n")
        in_section = _plain(name) in ("finding", "findings", "conclusion", "impression", "recommendation", "")
        return [said] if in_section or not said else ["", f"{heading}:", said]
    if kind == "CODE":
        meant = next((_meaning_of(code) for code in items(item, "ConceptCodeSequence")), "")
        is_finding = _plain(name) in ("finding", "findings", "conclusion", "impression", "diagnosis")
        return [f"{meant}."] if meant and is_finding else []
    return []


def _meaning(item: Dataset) -> str:
    return next((_meaning_of(code) for code in items(item, "ConceptNameCodeSequence")), "")


def _meaning_of(code: Dataset) -> str:
    return text(code, "CodeMeaning") or ""


def _plain(words: str) -> str:
    """Return `words` in small letters without accents and signs."""
    bare = "".join(char for char in unicodedata.normalize("NFD", words.lower()) if not unicodedata.combining(char))
    return " ".join(re.findall(r"\w+", bare))
