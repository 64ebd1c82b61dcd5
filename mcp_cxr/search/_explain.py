"""Why a hit matches: the reasons to show with it, and the sentence of its report."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from mcp_cxr.language import SEARCHED_TAGS, Status, main_text, mentions_by_sentence, mentions_in, terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mcp_cxr.language import Mention, QueryMeaning
    from mcp_cxr.records import StoredImage

_MAX_EXCERPT = 300  # characters
_REASON_OF_STATUS = {
    Status.PRESENT: "report",
    Status.POSSIBLE: "report, uncertain",
    Status.ABSENT: "report, denied",
}
_REASON_OF_LABEL = {1: "label", -1: "label, uncertain", 0: "label, absent"}


def match_reasons(meaning: QueryMeaning, hit: StoredImage) -> list[str]:
    """Return what of the query occurs in the report, the labels and the tags: `report: pleural effusion`."""
    reasons = [*_in_report(meaning, hit.study.report or ""), *_in_labels(meaning, hit.study.labels)]
    tags = " ".join(str(hit.image.tags.get(tag, "")) for tag in SEARCHED_TAGS)
    stems = set(terms(f"{tags} {hit.image.view_position}"))
    wanted = (one for one in meaning.mentions if one.status is not Status.ABSENT)
    if words := _in_words(one for one in wanted if set(one.stems) <= stems):
        reasons.append(f"tags: {words}")
    return reasons


def excerpt(meaning: QueryMeaning | None, report: str | None) -> str | None:
    """Return the sentence that agrees most with the query, else the impression; at most 300 characters."""
    if not report:
        return None
    best, best_score = "", 0
    for sentence, mentions in mentions_by_sentence(report):
        if (score := _agreement(meaning.mentions, mentions) if meaning else 0) > best_score:
            best, best_score = sentence, score
    text = best or main_text(report)
    return text if len(text) <= _MAX_EXCERPT else f"{text[: _MAX_EXCERPT - 1].rstrip()}…"


def _in_report(meaning: QueryMeaning, report: str) -> list[str]:
    """Return what of the query occurs in the report, by status."""
    statuses, stems = _statuses_and_stems(report)
    by_reason: dict[str, list[Mention]] = defaultdict(list)
    for one in meaning.mentions:
        if one.finding:
            for status in statuses.get(one.name, ()):
                by_reason[_REASON_OF_STATUS[status]].append(one)
        elif one.status is not Status.ABSENT and set(one.stems) <= stems:
            by_reason["report"].append(one)
    return [f"{reason}: {_in_words(by_reason[reason])}" for reason in _REASON_OF_STATUS.values() if by_reason[reason]]


def _statuses_and_stems(report: str) -> tuple[dict[str, set[Status]], set[str]]:
    """Return the statuses of each finding in a report, and the stems of everything that is not denied."""
    statuses: dict[str, set[Status]] = defaultdict(set)
    stems: set[str] = set()
    for _, mentions in mentions_by_sentence(report):
        for one in mentions:
            if one.finding:
                statuses[one.name].add(one.status)
            if one.status is not Status.ABSENT:
                stems.update(one.stems)
    return statuses, stems


def _in_labels(meaning: QueryMeaning, labels: Mapping[str, int]) -> list[str]:
    names = {one.name for one in meaning.mentions if one.finding}
    wanted = set(meaning.labels)
    return [
        f"{_REASON_OF_LABEL[value]}: {label}"
        for label, value in labels.items()
        if label in wanted or any(one.name in names for one in mentions_in(label) if one.finding)
    ]


def _agreement(query: Sequence[Mention], sentence: Sequence[Mention]) -> int:
    """Return how far a sentence agrees with a query: findings count more than words, most if their status is equal."""
    findings = {(one.name, one.status) for one in sentence if one.finding}
    names = {name for name, _ in findings}
    stems = {stem for one in sentence for stem in one.stems}
    score = 0
    for one in query:
        if one.finding:
            score += 4 * ((one.name, one.status) in findings) + 2 * (one.name in names)
        else:
            score += set(one.stems) <= stems
    return score


def _in_words(mentions: Iterable[Mention]) -> str:
    return " ".join(dict.fromkeys(one.text for one in mentions))
