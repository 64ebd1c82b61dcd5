"""Divides radiology reports as MIMIC-CXR has them: headings in capitals (` FINDINGS:`), `___` for removed words."""

from __future__ import annotations

import re

# A heading starts a line, in capitals, and ends with a colon; "FINAL REPORT" has a line of its own.
_HEADING = re.compile(r"^[ \t]*(?:(?P<title>[A-Z][A-Z /,()&-]{2,60}?):|FINAL (?:REPORT|ADDENDUM)[ \t]*$)", re.MULTILINE)
_RULE = re.compile(r"_{10,}")  # the line between a wet read and the report; a removed word has three
_SENTENCE = re.compile(r"(?<=[.!?])(?<!^\d\.)(?<!\s\d\.)(?<!Dr\.)\s+(?=[A-Z0-9_])")  # "1. Edema." is one sentence
_READ_FIRST = ("IMPRESSION", "CONCLUSION", "FINDINGS", "FINDINGS AND IMPRESSION")


def sections(report: str) -> dict[str, str]:
    """Return the sections by heading, in their order, white space collapsed; text before any heading is `TEXT`.

    Sections with the same heading are joined.
    """
    found: dict[str, str] = {}
    start, title = 0, "TEXT"
    for heading in [*_HEADING.finditer(report), None]:
        body = " ".join(_RULE.sub(" ", report[start : heading.start() if heading else None]).split())
        if body:
            found[title] = f"{found[title]} {body}" if title in found else body
        if heading:
            start, title = heading.end(), (heading["title"] or "TEXT").strip()
    return found


def sentences(text: str) -> list[str]:
    """Split a section into sentences."""
    return [sentence for sentence in _SENTENCE.split(text.strip()) if sentence]


def main_text(report: str) -> str:
    """Return the section that is read first: the impression, else the findings, else the last section."""
    found = sections(report)
    first = next((found[title] for title in _READ_FIRST if title in found), None)
    return first if first is not None else next(reversed(found.values()), "")
