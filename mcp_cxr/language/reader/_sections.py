"""Divides a report into sections.

Headings are those of MIMIC-CXR and of other data sets: in capitals or mixed case, with digits, with a colon, alone on a
line, or as the first words of one. As MIMIC's own section tool does, a paragraph without a heading below a COMPARISON,
HISTORY or REASON FOR EXAM is taken as the body of the report.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from mcp_cxr.language.reader._statements import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator


class SectionKind(StrEnum):
    """What a section's statements are."""

    BODY = "body"
    """Findings, impression, addendum: what the images show."""
    CONTEXT = "context"
    """Indication, history, comparison, technique: questions, the past, other examinations."""
    PRELIMINARY = "preliminary"
    """A wet read or preliminary report; it counts only if there is no other body."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a report."""

    title: str
    """Its heading as written; `TEXT` if it has none."""
    kind: SectionKind
    text: str
    """Its lines as written."""


_CONTEXT_TITLE = (
    r"(?:(?:CLINICAL|BRIEF|PERTINENT|RELEVANT|PATIENT|MEDICAL|PAST MEDICAL|SURGICAL|FAMILY|SOCIAL)[ \t]{0,3})?"
    r"(?:HISTORY|INDICATIONS?|INFORMATION|DATA|STATEMENT)(?: OF PRESENT ILLNESS)?(?: AND (?:HISTORY|INDICATIONS?))?"
    r"|REASON(?: FOR)?(?: THIS| THE)?(?: EXAM(?:INATION)?| STUDY| REQUEST| CONSULTATION| VISIT)?"
    r"|(?:TYPE OF )?EXAM(?:INATION)?S?(?: TYPE| DATE)?|STUDY|PROCEDURE|TECHNIQUES?|COMPARISONS?(?: STUDY| FILMS?)?"
    r"|NOTIFICATIONS?|RECOMMENDATIONS?(?:\(S\))?|RECOMMENDATION\(S\)|ACCESSION(?: NUMBER)?"
    r"|(?:REFERRING|ATTENDING|ORDERING|PROVIDER).{0,20}|DATE(?: OF EXAM)?|VIEWS?|PRIOR(?: STUDIES| EXAMS?)?"
    r"|CLINICAL (?:QUESTION|CONCERN|DIAGNOSIS|DETAILS?|INFO|NOTES?|SUMMARY|BACKGROUND|PRESENTATION|PROFILE)|DIAGNOSIS"
    r"|(?:PMHX?|PSHX?|HPI|CC|HX)"
    r"|(?:PRESENTING |CHIEF )?COMPLAINTS?|REFERRAL(?: DETAILS| REASON)?|REQUEST(?: DETAILS)?|SYMPTOMS?"
)
_BODY_TITLE = (
    r"(?:RADIOGRAPHIC |RADIOLOGICAL |CHEST )?FINDINGS?(?:[ \t]{0,3}(?:AND|/|&)[ \t]{0,3}(?:IMPRESSION|CONCLUSION)S?)?"
    r"|IMPRESSIONS?|CONCLUSIONS?|ADDENDUM|OPINION|SUMMARY|COMMENTS?|INTERPRETATION|RADIOLOGIST'?S? IMPRESSION"
    r"|FINAL (?:IMPRESSION|READ|REPORT|ADDENDUM)|REPORT|RESULTS?|DISCUSSION"
)
_PRELIMINARY_TITLE = (
    r"(?:WET|PRELIMINARY|PROVISIONAL|INITIAL|RESIDENT)(?: WET)?"
    r" (?:READ(?:ING)?|REPORT|FINDINGS|IMPRESSION)(?: VERSION.{0,30})?"
)
_KNOWN = rf"(?:{_PRELIMINARY_TITLE}|{_BODY_TITLE}|{_CONTEXT_TITLE})"

_KNOWN_WITH_COLON = re.compile(
    rf"^[ \t]*(?P<title>{_KNOWN})(?:[ \t]*\([^)\n]{{0,30}}\))?[ \t]*(?::|[ \t][\u2013-](?=[ \t]))",
    re.IGNORECASE | re.MULTILINE,
)
_KNOWN_ALONE = re.compile(
    rf"^[ \t]*(?P<title>{_KNOWN})(?:[ \t]*\([^)\n]{{0,30}}\))?[ \t]*$", re.IGNORECASE | re.MULTILINE
)
# In capitals before other text, or capitalized before another capital: "IMPRESSION No effusion".
_KNOWN_FIRST = re.compile(
    r"^[ \t]*(?P<title>FINDINGS?|IMPRESSIONS?|CONCLUSIONS?|INDICATIONS?|HISTORY|COMPARISONS?|TECHNIQUE|ADDENDUM"
    r"|Findings|Impression|Conclusion|Indication|History|Comparison|Technique|Addendum)[ \t]+(?=[A-Z_\d])(?!AND |and )",
    re.MULTILINE,
)
_CAPITALS = re.compile(r"^[ \t]*(?P<title>[A-Z](?:[A-Z0-9 /,()&'.-]|(?<=\d):(?=\d)){2,70}?):(?!\d)", re.MULTILINE)
"""Any heading in capitals: "SUPPORT DEVICES:"."""
_WITHIN_LINE = re.compile(
    r"\s(?:(?P<title>(?:CLINICAL )?(?:HISTORY|INDICATIONS?)|REASON FOR (?:THIS )?EXAM(?:INATION)?|TECHNIQUE"
    r"|COMPARISONS?|FINDINGS?|IMPRESSIONS?|CONCLUSIONS?|FINDINGS AND IMPRESSION|REPORT|OPINION)"
    r"|(?<=[.?!;\u2013-]\s)(?P<mixed>(?:Clinical )?(?:[Hh]istory|[Ii]ndications?)|Technique|Comparisons?|Findings?"
    r"|Impressions?|Conclusions?|(?:(?:CXR|[Cc]hest [Xx]-?[Rr]ay|[Xx]-?[Rr]ay [Cc]hest|XR [Cc]hest) )?[Rr]eport"
    r"|CXR|Chest [Xx]-?[Rr]ay|X-?[Rr]ay [Cc]hest|XR [Cc]hest|Comments?|Opinion|Results?))(?::|\s[\u2013-](?=\s))"
)
"""Headings in a line that holds several sections: "INDICATION: Cough. FINDINGS: Clear lungs."."""
_BODY_HEADINGS = re.compile(rf"^(?:{_BODY_TITLE})$", re.IGNORECASE)
_CONTEXT_HEADINGS = re.compile(rf"^(?:{_CONTEXT_TITLE})$", re.IGNORECASE)
_CONTEXT_WORDS = (
    "INDICATION",
    "HISTORY",
    "CLINICAL",
    "REASON",
    "EXAM",
    "TECHNIQUE",
    "COMPARISON",
    "STUDY",
    "NOTIFICATION",
)
_CONTEXTS = re.compile(
    r"(?P<indication>REASON|HISTORY|INDICATION|CLINICAL)|(?P<comparison>COMPARISON|PRIOR)"
    r"|(?P<note>NOTIFICATION|RECOMMENDATION|ACCESSION|REFERRING|ATTENDING|ORDERING|PROVIDER|DATE)"
    r"|(?P<technique>EXAM|STUDY|PROCEDURE|TECHNIQUE|VIEW)",
    re.IGNORECASE,
)
"""What headings name; all others are of the indication."""
_PRELIMINARY_HEADINGS = re.compile(rf"^(?:{_PRELIMINARY_TITLE})$", re.IGNORECASE)
_FINAL = re.compile(r"^[ \t]*FINAL (?:REPORT|ADDENDUM|READ)", re.IGNORECASE | re.MULTILINE)
_RULE = re.compile(r"^[ \t]*(?:_{10,}|={10,}|-{10,})[ \t]*$", re.MULTILINE)  # a removed word has three underscores
_END_OF_REMARK = re.compile(r"[.!?](?=\s)|\n|\Z")
_NEW_LINE = re.compile(r"\n")
_BLANK = re.compile(r"\n[ \t]*\n")

_READ_FIRST = ("IMPRESSION", "CONCLUSION", "FINDINGS", "FINDINGS AND IMPRESSION")
"""Sections for `main_text`, the first of which is in a report."""
_TEMPLATE = (
    "LUNG",
    "HEART",
    "PLEURA",
    "BONE",
    "MEDIASTIN",
    "CARDIA",
    "EFFUSION",
    "PNEUMOTHORA",
    "CONSOLIDATION",
    "DEVICE",
    "LINE",
    "TUBE",
    "SUPPORT",
    "OSSEOUS",
    "SOFT TISSUE",
    "DIAPHRAGM",
    "AIRWAY",
    "HILA",
    "AORTA",
    "EDEMA",
    "OTHER",
    "UPPER ABDOMEN",
)
"""Words of capitals before a colon that are a line of a structured body, not a heading."""


def divide(report: str) -> list[Section]:
    """Return the sections of a report in their order; a section without text is left out."""
    sections = [
        section for section in _raw_sections(report.replace("\r\n", "\n").replace("\r", "\n")) if section.text.strip()
    ]
    sections = [*_with_unheaded_body(sections)]
    if any(section.kind is SectionKind.BODY for section in sections):
        return sections
    if any(section.kind is SectionKind.PRELIMINARY for section in sections):
        return [replace(one, kind=SectionKind.BODY) if one.kind is SectionKind.PRELIMINARY else one for one in sections]
    return [*sections[:-1], *(part for one in sections[-1:] for part in _with_lines_as_body(one))]


def sections(report: str) -> dict[str, str]:
    """Return the sections by heading, in their order, white space collapsed; text without a heading is `TEXT`.

    Sections with the same heading are joined.
    """
    found: dict[str, str] = {}
    for section in divide(report):
        body = " ".join(section.text.split())
        found[section.title] = f"{found[section.title]} {body}" if section.title in found else body
    return found


def main_text(report: str) -> str:
    """Return the section that is read first: the impression, else the findings, else the last section."""
    found = {title.upper(): body for title, body in sections(report).items()}
    first = next((found[title] for title in _READ_FIRST if title in found), None)
    return first if first is not None else next(reversed(found.values()), "")


def _raw_sections(report: str) -> Iterator[Section]:
    """Yield the text below each heading, and the kind that the heading says."""
    text = _RULE.sub("\n", report)
    has_final = bool(_FINAL.search(text))
    start, title, kind = 0, "TEXT", SectionKind.BODY
    preliminary = False
    for begin, end, heading in [*_headings(text), (len(text), len(text), None)]:
        yield Section(title, kind, text[start:begin])
        if heading is None:
            break
        if _is_aside(heading, title):  # the section goes on behind it
            start = next(_END_OF_REMARK.finditer(text, end)).end()
            yield Section(heading, SectionKind.CONTEXT, text[end:start])
            continue
        is_final = bool(_FINAL.match(heading))
        preliminary = not is_final and (preliminary or bool(_PRELIMINARY_HEADINGS.match(heading)))
        start, title = end, "TEXT" if is_final else heading
        kind = _kind(heading)
        if preliminary and kind is SectionKind.BODY and has_final:
            kind = SectionKind.PRELIMINARY


def _is_aside(heading: str, title: str) -> bool:
    """Whether a heading of context stands within a section of the body: "History: smoking." below "FINDINGS:"."""
    is_within = title.isupper() and bool(_BODY_HEADINGS.match(title))
    return is_within and not heading.isupper() and _kind(heading) is SectionKind.CONTEXT


def _headings(text: str) -> list[tuple[int, int, str]]:
    """Return the start and end of each heading, with its title, in their order."""
    starts = [0, *(match.end() for match in _NEW_LINE.finditer(text))]
    of_lines = [found for found in (_heading(text, start) for start in starts) if found]
    within = (
        (match.start() + 1, match.end(), match["title"] or match["mixed"]) for match in _WITHIN_LINE.finditer(text)
    )
    found: list[tuple[int, int, str]] = []
    for one in sorted([*of_lines, *within]):
        if not found or one[0] >= found[-1][1]:
            found.append(one)
    return found


def _heading(text: str, start: int) -> tuple[int, int, str] | None:
    """Return the start, the end and the title of the heading of the line that starts at a character, if it has one."""
    for pattern in (_KNOWN_WITH_COLON, _KNOWN_ALONE, _KNOWN_FIRST, _CAPITALS):
        if match := pattern.match(text, start):
            title = " ".join(match["title"].split())
            if pattern is not _CAPITALS or not any(word in title for word in _TEMPLATE):
                return match.start(), match.end(), title
    return None


@lru_cache(maxsize=1024)  # reports repeat headings
def _kind(title: str) -> SectionKind:
    if _PRELIMINARY_HEADINGS.match(title):
        return SectionKind.PRELIMINARY
    if _BODY_HEADINGS.match(title):
        return SectionKind.BODY
    if _CONTEXT_HEADINGS.match(title) or title.upper().startswith(_CONTEXT_WORDS):
        return SectionKind.CONTEXT
    return SectionKind.BODY


def context_of(title: str) -> str:
    """Return what a section that does not say what the images show is, by its heading, for people."""
    found = _CONTEXTS.search(title)
    return found.lastgroup or "" if found else "indication"


def _with_unheaded_body(sections: list[Section]) -> Iterator[Section]:
    """Yield the sections; if no heading says findings, the later paragraphs of a context section are body."""
    has_findings = any(
        section.kind is SectionKind.BODY
        and not section.title.upper().startswith(("IMPRESSION", "CONCLUSION", "ADDENDUM", "TEXT"))
        for section in sections
    )
    for section in sections:
        if section.kind is not SectionKind.CONTEXT or has_findings:
            yield section
            continue
        first, *later = [paragraph for paragraph in _BLANK.split(section.text) if paragraph.strip()]
        yield replace(section, text=first)
        if later:
            yield Section("TEXT", SectionKind.BODY, "\n\n".join(later))


def _with_lines_as_body(section: Section) -> Iterator[Section]:
    """Yield the first line of the last section of a report without body, wrapped or not, and the others as its body."""
    first, *later = blocks(section.text.strip())
    yield replace(section, text=first)
    if later:
        yield Section("TEXT", SectionKind.BODY, "\n".join(later))
