"""Reads a study: for each finding one status, by side, from its report and its labels.

Present beats possible, possible beats absent. What is said of a finding counts for the broader findings that it is a
kind of; a denied finding denies its narrower ones too.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from mcp_cxr.language._vocabulary import SIDES, ancestors, descendants, finding_entries, finding_of_label, normalize
from mcp_cxr.language.reader._mentions import Mention, mentions_in
from mcp_cxr.language.reader._scopes import Status
from mcp_cxr.language.reader._sections import SectionKind, divide
from mcp_cxr.language.reader._statements import statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from mcp_cxr.records import Study

STATUS_OF_LABEL = {1: Status.PRESENT, 0: Status.ABSENT, -1: Status.POSSIBLE}
_STRONGEST_FIRST = (Status.PRESENT, Status.POSSIBLE, Status.ABSENT)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a report with its mentions."""

    text: str
    kind: SectionKind
    mentions: tuple[Mention, ...]
    title: str
    """The heading of its section."""


@dataclass(frozen=True, slots=True)
class FindingReading:
    """What a study says of one finding."""

    status: Status
    """Of the whole study: the report's, unless labels given by people say otherwise."""
    sides: Mapping[str, Status] = field(default_factory=dict[str, Status])
    """By side, as far as a side is stated."""
    mentions: tuple[Mention, ...] = ()
    """Of it and of its narrower findings, in the report's order; none if only a label states it."""
    label: int | None = None
    """1 present, -1 uncertain, 0 absent; None if no label speaks of it."""

    @property
    def is_conflicting(self) -> bool:
        """Whether the report affirms what a label denies, or denies what a label affirms."""
        if self.label is None or not self.mentions:
            return False
        reported = strongest(one.status for one in self.mentions)
        return {reported, STATUS_OF_LABEL[self.label]} == {Status.PRESENT, Status.ABSENT}


@lru_cache(maxsize=512)
def report_statements(report: str) -> tuple[Statement, ...]:
    """Return the statements of a report; a preliminary section counts only if there is no other body."""
    found: list[Statement] = []
    for section in divide(report):
        if section.kind is not SectionKind.PRELIMINARY:
            found += [
                Statement(text, section.kind, mentions_in(text), section.title) for text in statements(section.text)
            ]
    return tuple(found)


def read_report(report: str) -> dict[str, FindingReading]:
    """Return what a report says of each finding that it mentions, by the finding's name."""
    return dict(_readings(report))


@lru_cache(maxsize=512)
def _readings(report: str) -> Mapping[str, FindingReading]:
    """Return what the body of a report says of each finding, in mentions of it and of those that concern it."""
    mentions: dict[str, list[Mention]] = defaultdict(list)
    for statement in report_statements(report):
        if statement.kind is SectionKind.BODY:
            for one in statement.mentions:
                if one.finding and not one.is_history:
                    for name in _concerned(one):
                        mentions[name].append(one)
    read: dict[tuple[int, ...], FindingReading] = {}  # a denied finding has the mentions of all that it denies
    found: dict[str, FindingReading] = {}
    for name, of_finding in mentions.items():
        key = tuple(map(id, of_finding))
        found[name] = read.get(key) or read.setdefault(key, _reading(of_finding))
    return found


def read_study(
    report: str | None, labels: Mapping[str, int] | None = None, *, labels_by_people: bool = False
) -> dict[str, FindingReading]:
    """Return what a study's report and labels say of each finding, by the finding's name.

    If both speak of a finding, labels given by people decide, else the report.

    Args:
        report: The whole text; None if there is none.
        labels: 1 present, 0 absent, -1 uncertain, by label.
        labels_by_people: Whether people gave them, not a program that read the report.
    """
    found = read_report(report) if report else dict[str, FindingReading]()
    for label, value in (labels or {}).items():
        status = STATUS_OF_LABEL[value]
        finding = finding_of_label(label)
        if finding is None:
            continue
        name = finding.name
        concerned = (
            (name, *descendants(name))
            if status is Status.ABSENT and label != "No Finding"
            else (name, *ancestors(name))
        )
        for each in concerned:
            reading = found.get(each)
            if reading is None:
                found[each] = FindingReading(status, label=value)
            elif each == name:
                found[each] = replace(reading, label=value, status=status if labels_by_people else reading.status)
            elif not reading.mentions:
                found[each] = replace(reading, status=strongest((reading.status, status)))
    return found


def study_readings(study: Study) -> dict[str, FindingReading]:
    """Return what the report and labels of a stored study say of each finding, by the finding's name."""
    return read_study(study.english_report, study.labels, labels_by_people=study.labels_by == "people")


def is_normal(report: str, *, with_devices: bool = True) -> bool:
    """Return whether a report says that the study is normal.

    Nothing is present or possible, normality is stated, and no word says otherwise.

    Args:
        report: The whole text.
        with_devices: Whether tubes, lines and other devices are allowed, as the CheXpert label No Finding allows them.
    """
    entries = finding_entries()
    for name, reading in _readings(report).items():
        kind = entries[name].kind
        if reading.status is Status.ABSENT or name == "no finding" or kind == "clinical":
            continue
        if kind != "device" or not with_devices:
            return False
    return _states_normality(report)


@lru_cache(maxsize=512)
def _states_normality(report: str) -> bool:
    """Return whether a report says that something is normal, and no word says otherwise."""
    body = _body(report)
    texts = [normalize(one.text) for one in body]
    stated = "no finding" in _readings(report) or any(_NORMAL.search(text) for text in texts)
    return stated and not any(_cancels(text) for one, text in zip(body, texts, strict=True) if not _denies_all(one))


def denies_anything_acute(report: str) -> bool:
    """Return whether a report says that nothing in the chest is acute; it may state what is not acute."""
    return any(_NOTHING_ACUTE.search(normalize(one.text)) for one in _body(report))


def says_abnormal(report: str) -> bool:
    """Return whether a report says that the chest or the study is not normal."""
    return any(_SAYS_ABNORMAL.search(normalize(one.text)) for one in _body(report))


def _body(report: str) -> list[Statement]:
    """Return the statements about what the images show."""
    return [one for one in report_statements(report) if one.kind is SectionKind.BODY]


def _denies_all(statement: Statement) -> bool:
    """Whether a statement says of nothing that it is there: "no abnormal opacity"."""
    return bool(statement.mentions) and all(one.status is Status.ABSENT for one in statement.mentions)


_NORMAL = re.compile(
    r"(?<!not )(?<!near )\b(?:normal|unremarkable|no abnormalit(?:y|ies)|no (?:evidence of )?(?:active )?disease)\b"
    r"|\b(?:lungs?|fields|parenchyma|chest)\b[^.]*\bclear\b|\bclear (?:lungs?|of)\b|\bnegative chest\b"
)
"""What states that something is normal; "no acute process" alone does not."""
NOTHING_ACUTE: Final = (
    r"(?:nothing acute|(?:no|without)(?: any)?(?: (?:\w+ )?(?:evidence|signs?) (?:of|for)(?: an?)?)?"
    r"(?: (?:definite|significant|focal|new))? (?:active or )?acute(?: or active)?"
    r"(?: (?:cardio\w*|cardiac|heart|lung|pulmonary|intrathoracic|thoracic|chest|respiratory|radiographic|or|and))*"
    r" (?:process(?:es)?|disease|abnormalit(?:y|ies)|findings?|pathology|changes?))"
)
"""What says that nothing in the chest is acute; of bones alone it does not: "no acute bony abnormality"."""
_NOTHING_ACUTE = re.compile(rf"\b{NOTHING_ACUTE}\b")
_SAYS_ABNORMAL = re.compile(
    r"\b(?<!no )(?<!not )(?<!not an )(?<!without )abnormal (?:chest|study|exam\w*|radiograph)\b"
    r"|\b(?:chest|study|exam\w*|radiograph) (?:(?:x ?ray|radiograph|study) )?is (?:abnormal|not normal)\b"
)
_CANCELLING = frozenset(
    "abnormal deformity prominent prominence chronic postoperative postsurgical elevated elevation calcified changes"
    " degenerative mild mildly minimal increased decreased tortuous tortuosity scarring granuloma resection old"
    " healed remote surgical clip clips resolved enlarged".split()
)


def _cancels(text: str) -> bool:
    """Whether a statement has a word that says that the study is not normal after all."""
    words = set(text.replace(",", " ").replace(".", " ").split())
    return bool(words & _CANCELLING)


def strongest(statuses: Iterable[Status]) -> Status:
    """Return present if any is, else possible if any is, else absent."""
    found = set(statuses)
    return next(status for status in _STRONGEST_FIRST if status in found)


def _concerned(mention: Mention) -> tuple[str, ...]:
    """Return the findings that a mention speaks of: the broader ones if it affirms, the narrower ones if it denies."""
    entry: Any = mention.finding
    others = descendants(entry.name) if mention.status is Status.ABSENT else ancestors(entry.name)
    if mention.status is Status.ABSENT and mention.modifiers_of("place"):
        others = ()
    return (entry.name, *others)


def _reading(mentions: Sequence[Mention]) -> FindingReading:
    """Return what some mentions say of one finding together."""
    if len(mentions) == 1:  # nearly all
        status, modifiers = mentions[0].status, mentions[0].modifiers
        return FindingReading(status, {side: status for side in SIDES if side in modifiers}, tuple(mentions))
    sides: dict[str, Status] = {}
    for side in SIDES:
        if of_side := [one.status for one in mentions if side in one.modifiers]:
            sides[side] = strongest(of_side)
    return FindingReading(strongest([one.status for one in mentions]), sides, tuple(mentions))
