"""A ranking as people and programs see it: hits with their standing and their reasons, near duplicates folded."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_cxr.records import Hit
from mcp_cxr.search._explain import excerpt, match_reasons
from mcp_cxr.search._near_duplicates import DEPTH, near_duplicates
from mcp_cxr.search._similarity import SMALL_SAMPLE, SimilarityStatistics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp_cxr.records import ImageId, ResultFacts, StoredImage
    from mcp_cxr.search._rank import RankedGroup
    from mcp_cxr.search._state import SearchState

_CHANCE = 95.0
"""Percentile below which pixels alone say nothing: one film in twenty, drawn blindly, is at least as similar."""


def images_to_load(state: SearchState, ranked: list[RankedGroup]) -> list[ImageId]:
    """Return the images that `to_hits` wants to know of: those of the page, and what it compares them with."""
    offset = state.question.offset
    alike = ranked[:DEPTH] if state.query_vector is not None and len(ranked) > offset else []
    return list(dict.fromkeys(one.best.image_id for one in (*alike, *ranked[offset:])))


def to_hits(state: SearchState, ranked: list[RankedGroup], facts: ResultFacts) -> list[Hit]:
    """Return the hits of the page; what they warn of is added to `state`.

    Args:
        asked: The question.
        ranked: From the first to the last hit of the page.
        facts: Of those that are `images_to_load`, and of the archive.
    """
    offset, query_vector, sample, stored = state.question.offset, state.query_vector, facts.sample, facts.stored
    if query_vector is None or sample is None or len(ranked) <= offset:
        return _hits(state, ranked, stored, None, {})
    statistics = SimilarityStatistics(query_vector, sample)
    if statistics.size < SMALL_SAMPLE:
        state.warnings.append(f"Standing is coarse: the archive has only {statistics.size} images to compare with.")
    vectors = [one.vector if (one := stored.get(each.best.image_id)) else None for each in ranked[:DEPTH]]
    folded = near_duplicates(vectors, sample.vectors.mean(axis=0)) if sample.ids else {}
    hits = _hits(state, ranked, stored, statistics, folded)
    _warn_of_chance_hits(state, hits, statistics)
    return hits


def _hits(
    state: SearchState,
    ranked: list[RankedGroup],
    stored: Mapping[ImageId, StoredImage],
    statistics: SimilarityStatistics | None,
    folded: Mapping[int, int],
) -> list[Hit]:
    """Return the page's hits without those that repeat an earlier one; the one they repeat says so."""
    offset = state.question.offset
    repeats: dict[int, list[str]] = defaultdict(list)
    for place, first in folded.items():
        if place >= offset:
            repeats[first].append(ranked[place].best.image_id)
    hits: list[Hit] = []
    for place, one in enumerate(ranked[offset:], start=offset):
        if place in folded or one.best.image_id not in stored:  # another process may have removed it since
            continue
        hit = _hit(state, one, stored[one.best.image_id], statistics, place + 1)
        again = [f"near duplicate folded: {image_id}" for image_id in repeats.pop(place, [])]
        hits.append(replace(hit, why=[*hit.why, *again]))
    for first, again in repeats.items():
        state.warnings.append(f"Folded as near duplicates of rank {first + 1}: {', '.join(again)}.")
    return hits


def _hit(
    state: SearchState, ranked: RankedGroup, stored: StoredImage, statistics: SimilarityStatistics | None, place: int
) -> Hit:
    image, study = stored.image, stored.study
    cosine = statistics.cosine(stored.vector) if statistics and stored.vector is not None else None
    pixels = ["pixels"] if ranked.by_pixels else []
    words = match_reasons(state.meaning, stored) if state.meaning and state.words else []
    return Hit(
        rank=place,
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
        why=[*pixels, *words] or ["filter" if state.mode == "filter" else "tags of the study's other images"],
    )


def _warn_of_chance_hits(state: SearchState, hits: list[Hit], statistics: SimilarityStatistics) -> None:
    """Warn of hits that pixels alone have brought, no better than films drawn blindly."""
    if statistics.size < SMALL_SAMPLE:
        return
    blind = [
        hit.rank for hit in hits if _by_pixels_alone(hit) and hit.percentile is not None and hit.percentile < _CHANCE
    ]
    if blind:
        state.warnings.append(
            f"No better than chance for this question: rank {', '.join(map(str, blind))}. One film in twenty of the"
            " archive is at least as similar, and nothing in report, labels or tags speaks for them."
        )


def _by_pixels_alone(hit: Hit) -> bool:
    speaks_for = ("report: ", "report, uncertain: ", "label: ", "label, uncertain: ", "tags: ")
    return not any(reason.startswith(speaks_for) for reason in hit.why)
