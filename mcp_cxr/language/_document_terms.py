"""Makes the index terms of a study from its report, labels and tags.

Words of absent findings are left out. Beside words, a document holds terms for what the study says, so that a store can
count and filter by it without knowing the language: see `finding_term`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import product, starmap
from typing import TYPE_CHECKING, Literal

from mcp_cxr.language._imaging_findings import (
    is_abnormality,
    is_imaging,
    is_normal_by_findings,
    is_normal_study,
    is_public_label,
)
from mcp_cxr.language._vocabulary import SIDES, ancestors, dimensions, finding_entries, finding_of_label, terms
from mcp_cxr.language.reader import (
    SectionKind,
    Status,
    denies_anything_acute,
    mentions_in,
    modifier_values,
    read_report,
    report_statements,
    says_abnormal,
    study_readings,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from mcp_cxr.language.reader import FindingReading
    from mcp_cxr.records import Study

READER_VERSION = 10
"""Version of the reading of reports; documents of an older one are made again from the stored reports."""

SEARCHED_TAGS = (
    "BodyPartExamined",
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "PerformedProcedureStepDescription",
)
"""DICOM attributes whose words are searched; the view position is searched too."""

TermKind = Literal["present", "possible", "absent", "conflict", "history"]
_PREFIXES: dict[TermKind, str] = {
    "present": "0is",
    "possible": "0po",
    "absent": "0no",
    "conflict": "0cf",
    "history": "0hx",
}

_WORD_LEFT = re.compile(r"(?!X+\b)[^\W\d_]{2}")
"""Two letters that no mark of a removed word has: "XX" is one."""
_MOST_MODIFIERS = 4  # of a mention that one term holds: "new small left basal"

READ_TERM = "0read"
"""A study with this term has a report that says something, or a label."""
ANY_FINDING_TERMS: Mapping[TermKind, str] = {"present": "0any", "possible": "0anypossible"}
"""A study with one of these terms has an imaging finding that is present or possible."""
NORMAL_TERM = "0normal"
"""A study with this term is normal, devices aside."""
NORMAL_CHEST_TERM = "0normalchest"
"""A study with this term is normal, and has no device."""
NOTHING_ACUTE_TERM = "0nilacute"
"""A study with this term has a report that says that nothing in the chest is acute, and is not normal."""
ABNORMAL_TERM = "0abnormal"
"""A study with this term has a report that says that the chest is not normal, without saying why."""
READ_FINDINGS_TERM = "0sread"
"""As `READ_TERM`, whatever the report and labels say besides imaging findings."""
NORMAL_FINDINGS_TERM = "0snormal"
"""As `NORMAL_TERM`, by findings alone."""
NORMAL_CHEST_FINDINGS_TERM = "0snormalchest"
"""As `NORMAL_CHEST_TERM`, by findings alone."""
PUBLIC_LABELS_TERM = "0slabels"
"""A study with this term has labels with the names of a public data set."""


@lru_cache(maxsize=65_536)
def finding_term(kind: TermKind, finding: str, modifiers: frozenset[str] = frozenset()) -> str:
    """Return the term of a study that says this of a finding.

    Args:
        kind: `present` or `possible` in at least one mention, `absent` (neither present nor possible anywhere),
            `conflict` report and labels disagree, `history` named in the indication, the history or as history. A
            finding that has resolved has `present` terms with the modifier `resolved` only.
        finding: Its name.
        modifiers: All stated in one mention, at most one of each dimension. With `absent`, a side.
    """
    # No word starts with a digit followed by letters and zeros, which every tokenizer keeps whole.
    parts = ["".join(re.findall(r"[a-z0-9]+", part)) for part in (finding, *sorted(modifiers))]
    return _PREFIXES[kind] + "0".join(parts)


def document_terms(study: Study, images: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Return the terms of a study for the full-text index.

    Args:
        study: Its report and labels are used.
        images: View position and tags of each of its images; a value that several images share counts once.
    """
    shared = {str(tags[tag]) for _, tags in images for tag in SEARCHED_TAGS if tag in tags}
    shared |= {view for view, _ in images if view != "UNKNOWN"}
    present = [label for label, value in study.labels.items() if value == 1]
    return [
        *_word_terms(study.english_report or ""),
        *_reading_terms(study),
        *terms(" ".join([*present, *sorted(shared)])),
    ]


def _word_terms(report: str) -> Iterator[str]:
    """Yield the words of what is not denied; of the indication and the history, which findings they name."""
    for one in report_statements(report):
        yield from _terms_of_statement(one.text, is_body=one.kind is SectionKind.BODY)


@lru_cache(maxsize=8192)  # reports repeat sentences
def _terms_of_statement(text: str, *, is_body: bool) -> tuple[str, ...]:
    """Return the terms of a statement: what a body does not deny; elsewhere, terms of context and history."""
    found: list[str] = []
    for one in mentions_in(text):
        if is_body and not one.is_history:
            if one.status is not Status.ABSENT:
                found += one.stems
                if one.finding:
                    found.append(wording_term(one.stems))
        else:
            found += [context_term(stem) for stem in one.stems]
            if one.finding:
                found += [finding_term("history", name) for name in (one.name, *ancestors(one.name))]
    return tuple(found)


def wording_term(stems: Iterable[str]) -> str:
    """Return the term for the exact wording of a finding, so that the same wording ranks first."""
    return "0fm" + "".join(stems)


def context_term(stem: str) -> str:
    """Return the term of a word in the indication or history, which never counts as a word of the findings."""
    return f"0cx{stem}"


def _reading_terms(study: Study) -> Iterator[str]:
    """Yield the terms for what report and labels say together: of each finding, and of the study as a whole."""
    readings = study_readings(study)
    if _is_labeled(study, readings) or (
        _has_words(study.english_report) and report_statements(study.english_report or "")
    ):
        yield READ_TERM
    yield from (finding_term("conflict", name) for name in dict.fromkeys(_conflicts(study, readings)))
    for name, reading in readings.items():
        yield from _finding_terms(name, reading)
    yield from _terms_without_words(study, readings)
    if study.english_report and says_abnormal(study.english_report):
        yield ABNORMAL_TERM
    found = {one.status for name, one in readings.items() if is_abnormality(name, one)}
    if Status.PRESENT in found:
        yield ANY_FINDING_TERMS["present"]
    if Status.POSSIBLE in found:
        yield ANY_FINDING_TERMS["possible"]
    if is_normal_study(study.english_report, readings):
        yield NORMAL_TERM
        if is_normal_study(study.english_report, readings, with_devices=False):
            yield NORMAL_CHEST_TERM
    elif study.english_report and denies_anything_acute(study.english_report):
        yield NOTHING_ACUTE_TERM


def _has_words(report: str | None) -> bool:
    """Return whether anything of a report is left where words were removed: "XXXX ___ ." says nothing."""
    return report is not None and bool(_WORD_LEFT.search(report))


def _is_labeled(study: Study, readings: Mapping[str, FindingReading]) -> bool:
    """Return whether a study has a reading, and what it does not mention is not merely unknown.

    A blank cell in a table of positive labels only is unknown, unless No Finding is among these.
    """
    return bool(readings) and not (study.positives_only and not study.report and "no finding" not in readings)


def _conflicts(study: Study, readings: Mapping[str, FindingReading]) -> Iterator[str]:
    """Yield the findings on which report and labels disagree; No Finding is denied by the findings of other labels."""
    yield from (name for name, one in readings.items() if one.is_conflicting)
    label = one.label if (one := readings.get("no finding")) else None
    if label is not None and study.english_report:
        found = read_report(study.english_report)
        if (
            is_normal_by_findings(found)
            if label == 0
            else label == 1 and any(starmap(_is_labeled_disease, found.items()))
        ):
            yield "no finding"


def _is_labeled_disease(name: str, reading: FindingReading) -> bool:
    """Return whether a reading states an imaging finding that a CheXpert label other than No Finding includes."""
    entry = finding_entries()[name]
    return reading.status is Status.PRESENT and entry.kind == "finding" and entry.label not in (None, "", "No Finding")


def _terms_without_words(study: Study, readings: Mapping[str, FindingReading]) -> Iterator[str]:
    """Yield the terms of the study as a whole that depend on nothing but its imaging findings and public labels."""
    if _has_words(study.english_report) or (_is_labeled(study, readings) and any(map(is_imaging, readings))):
        yield READ_FINDINGS_TERM
    if is_normal_by_findings(readings):
        yield NORMAL_FINDINGS_TERM
        if is_normal_by_findings(readings, with_devices=False):
            yield NORMAL_CHEST_FINDINGS_TERM
    for label, value in study.labels.items():
        if is_public_label(label):
            yield PUBLIC_LABELS_TERM
            if value == 1 and finding_of_label(label) is None:
                yield from map(label_term, terms(label))


def label_term(stem: str) -> str:
    """Return the term of a word of a public label that is present and names no finding of the table."""
    return f"0lb{stem}"


def stated_terms(finding: str, modifiers: frozenset[str] = frozenset()) -> tuple[str, str]:
    """Return the terms of which a study has one if a finding is present or possible."""
    return finding_term("present", finding, modifiers), finding_term("possible", finding, modifiers)


def _finding_terms(name: str, reading: FindingReading) -> Iterator[str]:
    """Yield the terms for one finding: by side if it is denied, else with each combination of its modifiers."""
    if reading.status is Status.ABSENT:
        if not _is_denied_at_places_only(name, reading):
            yield finding_term("absent", name)
            yield from (finding_term("absent", name, frozenset({side})) for side in _denied_sides(reading))
    else:
        yield from _affirming_terms(name, reading)
    for one in reading.mentions:
        if "resolved" in one.modifiers and one.name == name:  # nothing is said of the narrower findings that it denies
            resolved = [some for some in combinations(one.modifiers) if "resolved" in some]
            yield from (finding_term("present", each, some) for each in (name, *ancestors(name)) for some in resolved)


def _is_denied_at_places_only(name: str, reading: FindingReading) -> bool:
    """Whether a finding is denied at places only: "no upper lobe consolidation" says nothing of the lower lobes.

    "No rib fracture" denies every rib fracture.
    """
    own = modifier_values(name)
    return bool(reading.mentions) and all(
        one.modifiers_of("place") - own and "resolved" not in one.modifiers for one in reading.mentions
    )


def _denied_sides(reading: FindingReading) -> tuple[str, ...]:
    """Return the sides on which an absent finding is denied: those that are stated, both if one denial states none.

    Both, too, where it has resolved, and where people's label denies what the report says.
    """
    sided = [one.modifiers_of("side") for one in reading.mentions if "resolved" not in one.modifiers]
    is_overruled = any(one.status is not Status.ABSENT for one in reading.mentions)
    if is_overruled or len(sided) < len(reading.mentions) or not sided or not all(sided):
        return SIDES
    return tuple(side for side in SIDES if any(side in sides for sides in sided))


def _affirming_terms(name: str, reading: FindingReading) -> Iterator[str]:
    """Yield the terms of a finding that is present or possible: each combination of what a mention states of it."""
    affirmed = [one for one in reading.mentions if one.status is not Status.ABSENT]
    kind: TermKind = "present" if reading.status is Status.PRESENT else "possible"
    if not affirmed or (kind == "present" and all(one.status is Status.POSSIBLE for one in affirmed)):
        yield finding_term(kind, name)  # a label alone states it, or is surer than the report
    for one in affirmed:
        of_mention: TermKind = "possible" if one.status is Status.POSSIBLE else kind
        yield from (finding_term(of_mention, name, some) for some in combinations(one.modifiers))
    for side, status in reading.sides.items():
        if status is Status.ABSENT:
            yield finding_term("absent", name, frozenset({side}))


@lru_cache(maxsize=8192)
def combinations(modifiers: frozenset[str]) -> tuple[frozenset[str], ...]:
    """Return every choice of at most four modifiers, of different dimensions; the empty one first."""
    by_dimension: dict[str, list[str]] = {}
    for value in sorted(modifiers):
        by_dimension.setdefault(dimension_of(value), []).append(value)
    choices = product(*([None, *values] for values in by_dimension.values()))
    found = (frozenset(value for value in choice if value) for choice in choices)
    return tuple(sorted((one for one in found if len(one) <= _MOST_MODIFIERS), key=lambda one: (len(one), sorted(one))))


def dimension_of(modifier: str) -> str:
    """Return the dimension of a modifier: side, place, size, change, age or pattern."""
    return "change" if modifier == "resolved" else dimensions()[modifier]
