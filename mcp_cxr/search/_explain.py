"""Why a hit is a hit, and the sentence of its report to show."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from mcp_cxr.language import SEARCHED_TAGS, Status, main_text, mentions_by_sentence, mentions_in, terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mcp_cxr.language import Mention, QueryMeaning
    from mcp_cxr.records import StoredImage

_MAX_EXCERPT = 300  # characters
_KINDS = {Status.PRESENT: "report", Status.POSSIBLE: "report, uncertain", Status.ABSENT: "report, denied"}
_LABELLED = {1: "label", -1: "label, uncertain", 0: "label, absent"}


def match_reasons(meaning: QueryMeaning | None, hit: StoredImage) -> list[str]:
    """Return what of the question stands in the report, the labels and the tags: `report: pleural effusion`."""
    if meaning is None:
        return []
    reasons = [*_in_report(meaning, hit.study.report or ""), *_in_labels(meaning, hit.study.labels)]
    tags = " ".join(str(hit.image.tags.get(tag, "")) for tag in SEARCHED_TAGS)
    there = set(terms(f"{tags} {hit.image.view_position}"))
    if words := _spelt(one for one in _wanted(meaning) if set(one.stems) <= there):
        reasons.append(f"tags: {words}")
    return reasons


def excerpt(meaning: QueryMeaning | None, report: str | None) -> str | None:
    """Return the sentence that says most of what is asked, else the impression; at most 300 characters."""
    if not report:
        return None
    sentence, score = "", 0
    for candidate, meant in mentions_by_sentence(report):
        if (agrees := _agreement(meaning.mentions, meant) if meaning else 0) > score:
            sentence, score = candidate, agrees
    text = sentence or main_text(report)
    return text if len(text) <= _MAX_EXCERPT else f"{text[: _MAX_EXCERPT - 1].rstrip()}…"


def _in_report(meaning: QueryMeaning, report: str) -> list[str]:
    """Return what the report says of each thing asked for, by how it is meant."""
    said_of, stems = _read(report)
    by_kind: dict[str, list[Mention]] = defaultdict(list)
    for one in meaning.mentions:
        if one.finding:
            for status in said_of.get(one.name, ()):
                by_kind[_KINDS[status]].append(one)
        elif one.status is not Status.ABSENT and set(one.stems) <= stems:
            by_kind["report"].append(one)
    return [f"{kind}: {_spelt(by_kind[kind])}" for kind in _KINDS.values() if by_kind[kind]]


def _read(report: str) -> tuple[dict[str, set[Status]], set[str]]:
    """Return how each finding of a report is meant, and the stems of all that is not denied."""
    said_of: dict[str, set[Status]] = defaultdict(set)
    stems: set[str] = set()
    for _, meant in mentions_by_sentence(report):
        for one in meant:
            if one.finding:
                said_of[one.name].add(one.status)
            if one.status is not Status.ABSENT:
                stems.update(one.stems)
    return said_of, stems


def _in_labels(meaning: QueryMeaning, labels: Mapping[str, int]) -> list[str]:
    asked = {one.name for one in meaning.mentions if one.finding}
    wanted = set(meaning.labels)
    return [
        f"{_LABELLED[value]}: {label}"
        for label, value in labels.items()
        if label in wanted or any(one.name in asked for one in mentions_in(label) if one.finding)
    ]


def _agreement(asked: Sequence[Mention], meant: Sequence[Mention]) -> int:
    """Return how much of what is asked a sentence says: a finding counts more, and most where it is meant alike."""
    findings = {(one.name, one.status) for one in meant if one.finding}
    names = {name for name, _ in findings}
    stems = {stem for one in meant for stem in one.stems}
    score = 0
    for one in asked:
        if one.finding:
            score += 4 * ((one.name, one.status) in findings) + 2 * (one.name in names)
        else:
            score += set(one.stems) <= stems
    return score


def _wanted(meaning: QueryMeaning) -> list[Mention]:
    return [one for one in meaning.mentions if one.status is not Status.ABSENT]


def _spelt(asked: Iterable[Mention]) -> str:
    return " ".join(dict.fromkeys(one.text for one in asked))
