"""What a study is found by: the terms of its report, labels and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.language._report import sections, sentences
from mcp_cxr.language._said import Status, said, terms_of
from mcp_cxr.language._terms import terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from mcp_cxr.language._said import Said
    from mcp_cxr.records import Study

SEARCHED_TAGS = (
    "BodyPartExamined",
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "PerformedProcedureStepDescription",
)
"""Header facts whose words are searched; the view position is searched too."""

_ASKED = ("INDICATION", "HISTORY", "CLINICAL", "REASON", "EXAM", "TECHNIQUE", "COMPARISON", "STUDY", "NOTIFICATION")
"""How sections begin in which a finding is asked for or remembered, not seen."""
_OF_LABEL = {1: Status.PRESENT, 0: Status.ABSENT, -1: Status.UNSURE}


def document(study: Study, images: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Return the terms a study is found by.

    A word that is denied is left out. A finding has terms of its own beside its words (`terms_of`), which say how it is
    meant.

    Args:
        study: Report and labels are taken from it.
        images: View position and tags of each of its images; what several share counts once.
    """
    shared = {str(tags[tag]) for _, tags in images for tag in SEARCHED_TAGS if tag in tags}
    shared |= {view for view, _ in images if view != "UNKNOWN"}  # which nobody looks for
    present = [label for label, value in study.labels.items() if value == 1]
    return [*_of_report(study.report or ""), *_of_labels(study.labels), *terms(" ".join([*present, *sorted(shared)]))]


def statements(report: str) -> Iterator[tuple[str, tuple[Said, ...]]]:
    """Return each sentence of a report, with what it says; findings are left out where they are only asked for."""
    for title, body in sections(report).items():
        for sentence in sentences(body):
            everything = said(sentence)
            asked = title.startswith(_ASKED)
            yield sentence, tuple(one for one in everything if not one.finding) if asked else everything


def _of_report(report: str) -> Iterator[str]:
    for _, meant in statements(report):
        for one in meant:
            if one.status is not Status.ABSENT:
                yield from one.stems
            if one.finding:
                yield from terms_of(one.name, one.status)


def _of_labels(labels: Mapping[str, int]) -> Iterator[str]:
    """Yield the findings that labels stand for."""
    for label, value in labels.items():
        for one in said(label):
            if one.finding:
                yield from terms_of(one.name, _OF_LABEL[value])
