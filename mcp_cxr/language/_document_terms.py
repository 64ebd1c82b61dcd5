"""Makes the index terms of a study from its report, labels and tags; divides reports into sections and sentences.

Reports are divided as MIMIC-CXR has them: headings in capitals (` FINDINGS:`), `___` for removed words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcp_cxr.language._mentions import Status, finding_terms, mentions_in
from mcp_cxr.language._vocabulary import terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from mcp_cxr.language._mentions import Mention
    from mcp_cxr.records import Study

SEARCHED_TAGS = (
    "BodyPartExamined",
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "PerformedProcedureStepDescription",
)
"""DICOM attributes whose words are searched; the view position is searched too."""

READER_VERSION = 2
"""Counts the changes of `document_terms` for the same study: what another version derived cannot be searched."""

_CONTEXT = ("INDICATION", "HISTORY", "CLINICAL", "REASON", "EXAM", "TECHNIQUE", "COMPARISON", "STUDY", "NOTIFICATION")
"""First words of the headings of sections whose findings are questions or history, not observations."""
_STATUS_OF_LABEL = {1: Status.PRESENT, 0: Status.ABSENT, -1: Status.POSSIBLE}

# A heading starts a line, in capitals, and ends with a colon; "FINAL REPORT" has a line of its own.
_HEADING = re.compile(r"^[ \t]*(?:(?P<title>[A-Z][A-Z /,()&-]{2,60}?):|FINAL (?:REPORT|ADDENDUM)[ \t]*$)", re.MULTILINE)
_RULE = re.compile(r"_{10,}")  # the line between a wet read and the report; a removed word has three
_SENTENCE = re.compile(r"(?<=[.!?])(?<!^\d\.)(?<!\s\d\.)(?<!Dr\.)\s+(?=[A-Z0-9_])")  # "1. Edema." is one sentence
_READ_FIRST = ("IMPRESSION", "CONCLUSION", "FINDINGS", "FINDINGS AND IMPRESSION")


def document_terms(study: Study, images: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Return the terms of a study for the full-text index.

    Words of absent findings are left out. Each finding also has terms that state its status (`finding_terms`).

    Args:
        study: Its report and labels are used.
        images: View position and tags of each of its images; a value that several images share counts once.
    """
    shared = {str(tags[tag]) for _, tags in images for tag in SEARCHED_TAGS if tag in tags}
    shared |= {view for view, _ in images if view != "UNKNOWN"}
    present = [label for label, value in study.labels.items() if value == 1]
    return [
        *_report_terms(study.report or ""),
        *_label_terms(study.labels),
        *terms(" ".join([*present, *sorted(shared)])),
    ]


def mentions_by_sentence(report: str) -> Iterator[tuple[str, tuple[Mention, ...]]]:
    """Yield each sentence of a report with its mentions; without findings in sections such as INDICATION."""
    for title, body in sections(report).items():
        is_context = title.startswith(_CONTEXT)
        for sentence in sentences(body):
            mentions = mentions_in(sentence)
            yield sentence, tuple(one for one in mentions if not one.finding) if is_context else mentions


def _report_terms(report: str) -> Iterator[str]:
    for _, mentions in mentions_by_sentence(report):
        for one in mentions:
            if one.status is not Status.ABSENT:
                yield from one.stems
            if one.finding:
                yield from finding_terms(one.name, one.status)


def _label_terms(labels: Mapping[str, int]) -> Iterator[str]:
    for label, value in labels.items():
        for one in mentions_in(label):
            if one.finding:
                yield from finding_terms(one.name, _STATUS_OF_LABEL[value])


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
