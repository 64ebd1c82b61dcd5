"""Turns a ranking into a page of hits, and collapses near duplicates into the first of them.

Each has its similarity statistics, the reasons why it matches, and the sentence of its report.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_cxr.language import SEARCHED_TAGS, Status, main_text, mentions_by_sentence, mentions_in, terms
from mcp_cxr.records import Hit
from mcp_cxr.search._similarity import NEAR_DUPLICATE_DEPTH, SMALL_SAMPLE, SimilarityStatistics, near_duplicates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mcp_cxr.language import Mention, QueryMeaning
    from mcp_cxr.records import ImageId, ResultFacts, StoredImage
    from mcp_cxr.search._rank import RankedGroup
    from mcp_cxr.search._search_state import SearchState

_CHANCE_PERCENTILE = 95.0
"""Percentile below which a cosine alone is no evidence: one random image in twenty is at least as similar."""
_MAX_EXCERPT = 300  # characters
_REASON_OF_STATUS = {
    Status.PRESENT: "report",
    Status.POSSIBLE: "report, uncertain",
    Status.ABSENT: "report, denied",
}
_REASON_OF_LABEL = {1: "label", -1: "label, uncertain", 0: "label, absent"}


def images_to_load(state: SearchState, ranked: list[RankedGroup]) -> list[ImageId]:
    """Return the images that `to_hits` needs: those of the page, and those compared to find near duplicates."""
    offset = state.query.offset
    compared = ranked[:NEAR_DUPLICATE_DEPTH] if state.query_vector is not None and len(ranked) > offset else []
    return list(dict.fromkeys(group.best.image_id for group in (*compared, *ranked[offset:])))


def to_hits(state: SearchState, ranked: list[RankedGroup], facts: ResultFacts) -> list[Hit]:
    """Return the hits of the page; warnings about them are added to `state`.

    Args:
        state: Of the search.
        ranked: From the first hit of all to the last of the page.
        facts: Of the `images_to_load`, and of the archive.
    """
    offset, query_vector, sample, stored = state.query.offset, state.query_vector, facts.sample, facts.stored
    if query_vector is None or sample is None or len(ranked) <= offset:
        return _hits(state, ranked, stored, None, {})
    statistics = SimilarityStatistics(query_vector, sample)
    if statistics.size < SMALL_SAMPLE:
        state.warnings.append(
            f"z-scores and percentiles are imprecise: the archive has only {statistics.size} images to compare with."
        )
    vectors = [
        image.vector if (image := stored.get(group.best.image_id)) else None for group in ranked[:NEAR_DUPLICATE_DEPTH]
    ]
    repeats = near_duplicates(vectors, sample.vectors.mean(axis=0)) if sample.ids else {}
    hits = _hits(state, ranked, stored, statistics, repeats)
    if statistics.size >= SMALL_SAMPLE:
        _warn_of_chance_hits(state, hits)
    return hits


def _hits(
    state: SearchState,
    ranked: list[RankedGroup],
    stored: Mapping[ImageId, StoredImage],
    statistics: SimilarityStatistics | None,
    repeats: Mapping[int, int],
) -> list[Hit]:
    """Return the page's hits without near duplicates; the hit that they repeat names them.

    Args:
        repeats: The index in `ranked` of each near duplicate, with that of the image it repeats.
    """
    offset = state.query.offset
    folded: dict[int, list[str]] = defaultdict(list)
    for index, first in repeats.items():
        if index >= offset:
            folded[first].append(ranked[index].best.image_id)
    hits: list[Hit] = []
    for index, group in enumerate(ranked[offset:], start=offset):
        if index in repeats or group.best.image_id not in stored:  # another process may have removed it since
            continue
        hit = _hit(state, group, stored[group.best.image_id], statistics, index + 1)
        notes = [f"near duplicate folded: {image_id}" for image_id in folded.pop(index, [])]
        hits.append(replace(hit, why=[*hit.why, *notes]))
    for first, image_ids in folded.items():
        state.warnings.append(
            f"Near duplicates of the image at rank {first + 1} are not listed separately: {', '.join(image_ids)}."
        )
    return hits


def _hit(
    state: SearchState, group: RankedGroup, stored: StoredImage, statistics: SimilarityStatistics | None, rank: int
) -> Hit:
    image, study = stored.image, stored.study
    cosine = statistics.cosine(stored.vector) if statistics and stored.vector is not None else None
    by_vector = ["pixels"] if group.by_vector else []
    words = match_reasons(state.meaning, stored) if state.meaning and state.terms else []
    return Hit(
        rank=rank,
        image_id=image.image_id,
        study_id=image.study_id,
        subject_id=image.subject_id,
        view_position=image.view_position,
        image_path=image.shown_path,
        similarity_score=None if cosine is None else round(cosine, 6),
        similarity_z=statistics.z(cosine) if statistics and cosine is not None else None,
        percentile=statistics.percentile(cosine) if statistics and cosine is not None else None,
        labels=dict(study.labels),
        report_excerpt=excerpt(state.meaning, study.report),
        why=[*by_vector, *words] or ["filter" if state.mode == "filter" else "tags of the study's other images"],
    )


def _warn_of_chance_hits(state: SearchState, hits: list[Hit]) -> None:
    """Warn of hits found by vector alone that are no more similar than random images."""
    chance = [
        hit.rank
        for hit in hits
        if _by_vector_alone(hit) and hit.percentile is not None and hit.percentile < _CHANCE_PERCENTILE
    ]
    if chance:
        state.warnings.append(
            f"The images at rank {', '.join(map(str, chance))} may be chance matches: 1 in 20 random images is at least"
            " as similar, and neither report, labels nor tags match the query."
        )


def _by_vector_alone(hit: Hit) -> bool:
    supporting = ("report: ", "report, uncertain: ", "label: ", "label, uncertain: ", "tags: ")
    return not any(reason.startswith(supporting) for reason in hit.why)


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
    return [
        f"{reason}: {_in_words(by_reason[reason], separator=' ' if reason == 'report' else ', ')}"
        for reason in _REASON_OF_STATUS.values()
        if by_reason[reason]
    ]


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


def _in_words(mentions: Iterable[Mention], separator: str = " ") -> str:
    return separator.join(dict.fromkeys(one.text for one in mentions))
