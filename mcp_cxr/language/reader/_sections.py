"""Divides a report into sections, and sections into statements.

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

from mcp_cxr.language._vocabulary import findings, stems_of
from mcp_cxr.language.reader._modifier_values import modifier_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_cxr.language._vocabulary import FindingEntry


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
    rf"^[ \t]*(?P<title>{_KNOWN})(?:[ \t]*\([^)\n]{{0,30}}\))?[ \t]*:", re.IGNORECASE | re.MULTILINE
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
_WITHIN_LINE = re.compile(
    r"\s(?:(?P<title>(?:CLINICAL )?(?:HISTORY|INDICATIONS?)|REASON FOR (?:THIS )?EXAM(?:INATION)?|TECHNIQUE"
    r"|COMPARISONS?|FINDINGS?|IMPRESSIONS?|CONCLUSIONS?|FINDINGS AND IMPRESSION)"
    r"|(?<=[.?!;]\s)(?P<mixed>(?:Clinical )?(?:[Hh]istory|[Ii]ndications?)|Technique|Comparisons?|Findings?"
    r"|Impressions?|Conclusions?)):"
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
    first, *later = _blocks(section.text.strip())
    yield replace(section, text=first)
    if later:
        yield Section("TEXT", SectionKind.BODY, "\n".join(later))


_ABBREVIATIONS = "".join(
    rf"(?<!\b{re.escape(word)}\s)" for word in ("Dr.", "Mr.", "Ms.", "Mrs.", "vs.", "approx.", "e.g.", "i.e.", "St.")
)
_SENTENCE_END = re.compile(
    rf"\s(?:(?<=[.!]\s)(?<!\d\.\s){_ABBREVIATIONS}\s*(?=\S)(?!(?<=\bNo\.\s)\d)|(?<=\w\?\s)\s*(?=[A-Z0-9_])|(?<=\d\.\s)\s*(?=[A-Z][a-z]))"
)
"""Begins with the blank, which is found fast; what must stand before it is looked at then."""
_POINT = re.compile(r"(?:(?<=^)|(?<=\s))\(?(\d{1,2})[.)]\s*(?=[A-Za-z_])")
_BULLET = re.compile(r"^\s*(?:[-*\u2022\u00b7]|\(?\d{1,2}[.)])\s+")
_LONGEST_STATEMENT = 2_000  # characters
_NARROWEST = 60  # characters: no report is wrapped at less
_NARROWEST_BY_HAND, _UNEVEN = 50, 10  # characters: a report whose lines were ended by hand, and by how much they differ
_DENYING = re.compile(r"(?:there (?:is|are) )?(?:no|without|negative for)\b", re.IGNORECASE)
_DENIAL_ALONE = re.compile(
    r"(?:there (?:is|are) )?"
    r"(?:(?:no|without)(?: (?:definite |radiographic )?(?:evidence|signs?))?(?: (?:of|for))?(?: any)?|negative for"
    r"|(?:(?:the )?lungs? (?:is|are) )?(?:free|clear) of|none of the following|absence of|absent|denied)\s*[:.]*",
    re.IGNORECASE,
)
"""A denial of what lines below it name."""
_DENIED_TOGETHER = (
    "Atelectasis",
    "Consolidation",
    "Edema",
    "Lung Opacity",
    "Pleural Effusion",
    "Pneumonia",
    "Pneumothorax",
)
"""Labels of the findings that reports deny in lists."""
_GOING_ON = frozenset(
    "a an and are as at be been but by due for from has have in into is may no nor not of on or over than that the to"
    " was were which while with within without".split()
)
"""Words before or after which a sentence goes on in the next line."""


def statements(text: str) -> list[str]:
    """Return the statements of a section's text: its sentences, its points, and its lines that stand alone."""
    found: list[str] = []
    for block in _blocks(text):
        for point in _points(block):
            for sentence in _SENTENCE_END.split(point):
                found += [part.strip() for part in _divided(sentence) if part.strip(" \t\n.")]
    return found


def _divided(sentence: str) -> Iterator[str]:
    """Yield parts of at most 2,000 characters: modifiers are attached in a time that grows with their square."""
    start = 0
    while len(sentence) - start > _LONGEST_STATEMENT:
        end = sentence.rfind(" ", start + 1, start + _LONGEST_STATEMENT)
        end = end if end > 0 else start + _LONGEST_STATEMENT
        yield sentence[start:end]
        start = end
    yield sentence[start:]


def _points(block: str) -> Iterator[str]:
    """Yield the numbered points of a line ("1. Effusion. 2. Edema."), without their numbers."""
    cuts: list[re.Match[str]] = []
    for match in _POINT.finditer(block):
        if int(match[1]) == len(cuts) + 1 and (cuts or match.start() <= 1):
            cuts.append(match)
    start = 0
    for cut in cuts:
        yield block[start : cut.start()]
        start = cut.end()
    yield block[start:]


def _blocks(text: str) -> Iterator[str]:
    """Yield the text with wrapped lines joined; a line that was ended before it was full stands alone.

    Lines that only name findings below "no evidence of" are statements with these words.
    """
    lines = [line.rstrip() for line in text.split("\n")]
    longest = max(map(len, lines))
    block = previous = denial = ""
    for line in lines:
        item = line.strip() if line.strip()[:1].isdigit() else _BULLET.sub("", line).strip()
        if _DENIAL_ALONE.fullmatch(block):
            denial, block = block.rstrip(" :."), ""
        if not line.strip():
            yield from filter(None, [block])
            block = denial = ""
        elif denial and _finding_named(item):
            yield from filter(None, [block])
            block = f"{denial} {item}"
        elif denial and not block:
            block, denial = f"{denial} {item}", ""
        elif block and (_BULLET.match(line) or _is_ended(block, previous, item, longest)):
            yield block
            block, denial = item, ""
        else:
            block = f"{block} {item}".strip()
        previous = line
    yield from filter(None, [block])


def _is_ended(block: str, line: str, item: str, longest: int) -> bool:
    """Whether a text ended with its last line, so that the next one is a statement of its own."""
    return _was_ended(line, item.split(maxsplit=1)[0], longest) and not _is_denied_item(block, line, item)


def _was_ended(line: str, following: str, longest: int) -> bool:
    """Whether a line ended although the next word would have fitted, and that word may begin a statement.

    Args:
        line: The line.
        following: The first word of the next one.
        longest: Characters of the longest line of the text.
    """
    room = max(_NARROWEST, longest) - len(line) - 1 - len(following)
    if following[:1].isupper() or following[:1] == "_":
        return room > 0 and not line.endswith((",", ":"))
    if line.endswith((".", ";")):
        return room > 0
    is_cut = "__" in line or line.endswith((",", ":", "-", "/"))  # a removed word made the line shorter
    last = line.rsplit(maxsplit=1)[-1].lower()
    goes_on = is_cut or not _GOING_ON.isdisjoint((following, last)) or bool(modifier_values(last))
    goes_on = goes_on or _finding_named(f"{last} {following}") is not None
    return not goes_on and max(_NARROWEST_BY_HAND, longest) - len(line) - len(following) > _UNEVEN


def _is_denied_item(block: str, line: str, item: str) -> bool:
    """Whether a line only names what the lines before it deny, too: "no effusion", then "edema", not "kyphosis"."""
    if not _DENYING.match(block) or block.endswith((".", ";")):
        return False
    before = _finding_named(_DENYING.sub("", line))
    named = _finding_named(item)
    return all(one is not None and one.label in _DENIED_TOGETHER for one in (before, named))


def _finding_named(words: str) -> FindingEntry | None:
    """Return the finding that words name, if they name nothing else: "pleural effusion"."""
    stems = stems_of(words)
    found = findings().longest_at(stems, 0)
    return found[1] if found is not None and found[0] == len(stems) else None
