"""A ranking as people and programs see it: hits with their standing and their reasons, near duplicates folded."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_cxr.records import Hit
from mcp_cxr.search._explain import excerpt, matched
from mcp_cxr.search._fold import DEPTH, folds
from mcp_cxr.search._standing import FEW, Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp_cxr.records import ImageId, ResultFacts, StoredImage
    from mcp_cxr.search._asked import Asked
    from mcp_cxr.search._rank import Ranked

_CHANCE = 95.0
"""Percentile below which pixels alone say nothing: one film in twenty, drawn blindly, is at least as similar."""


def wanted(asked: Asked, ranked: list[Ranked]) -> list[ImageId]:
    """Return the images that `present` wants to know of: those of the page, and what it compares them with."""
    offset = asked.question.offset
    alike = ranked[:DEPTH] if asked.compared is not None and len(ranked) > offset else []
    return list(dict.fromkeys(one.best.image_id for one in (*alike, *ranked[offset:])))


def present(asked: Asked, ranked: list[Ranked], facts: ResultFacts) -> list[Hit]:
    """Return the hits of the page; what they warn of is added to `asked`.

    Args:
        asked: The question.
        ranked: From the first to the last hit of the page.
        facts: Of those that are `wanted`, and of the archive.
    """
    offset, compared, sample, stored = asked.question.offset, asked.compared, facts.sample, facts.stored
    if compared is None or sample is None or len(ranked) <= offset:
        return _hits(asked, ranked, stored, None, {})
    standing = Standing(compared, sample)
    if standing.size < FEW:
        asked.warnings.append(f"Standing is coarse: the archive has only {standing.size} images to compare with.")
    vectors = [one.vector if (one := stored.get(each.best.image_id)) else None for each in ranked[:DEPTH]]
    folded = folds(vectors, sample.vectors.mean(axis=0)) if sample.ids else {}
    hits = _hits(asked, ranked, stored, standing, folded)
    _mark_chance(asked, hits, standing)
    return hits


def _hits(
    asked: Asked,
    ranked: list[Ranked],
    stored: Mapping[ImageId, StoredImage],
    standing: Standing | None,
    folded: Mapping[int, int],
) -> list[Hit]:
    """Return the page's hits without those that repeat an earlier one; the one they repeat says so."""
    offset = asked.question.offset
    repeats: dict[int, list[str]] = defaultdict(list)
    for place, first in folded.items():
        if place >= offset:
            repeats[first].append(ranked[place].best.image_id)
    hits: list[Hit] = []
    for place, one in enumerate(ranked[offset:], start=offset):
        if place in folded or one.best.image_id not in stored:  # another process may have removed it since
            continue
        hit = _hit(asked, one, stored[one.best.image_id], standing, place + 1)
        again = [f"near duplicate folded: {image_id}" for image_id in repeats.pop(place, [])]
        hits.append(replace(hit, why=[*hit.why, *again]))
    for first, again in repeats.items():
        asked.warnings.append(f"Folded as near duplicates of rank {first + 1}: {', '.join(again)}.")
    return hits


def _hit(asked: Asked, ranked: Ranked, stored: StoredImage, standing: Standing | None, place: int) -> Hit:
    image, study = stored.image, stored.study
    cosine = standing.cosine(stored.vector) if standing and stored.vector is not None else None
    pixels = ["pixels"] if ranked.by_pixels else []
    words = matched(asked.meaning, stored) if asked.meaning and asked.words else []
    return Hit(
        rank=place,
        image_id=image.image_id,
        study_id=image.study_id,
        subject_id=image.subject_id,
        view_position=image.view_position,
        image_path=image.shown_path,
        similarity_score=None if cosine is None else round(cosine, 6),
        similarity_z=standing.z(cosine) if standing and cosine is not None else None,
        percentile=standing.percentile(cosine) if standing and cosine is not None else None,
        labels=dict(study.labels),
        report_excerpt=excerpt(asked.meaning, study.report),
        why=[*pixels, *words] or ["filter" if asked.mode == "filter" else "tags of the study's other images"],
    )


def _mark_chance(asked: Asked, hits: list[Hit], standing: Standing) -> None:
    """Warn of hits that pixels alone have brought, no better than films drawn blindly."""
    if standing.size < FEW:
        return
    blind = [
        hit.rank for hit in hits if _by_pixels_alone(hit) and hit.percentile is not None and hit.percentile < _CHANCE
    ]
    if blind:
        asked.warnings.append(
            f"No better than chance for this question: rank {', '.join(map(str, blind))}. One film in twenty of the"
            " archive is at least as similar, and nothing in report, labels or tags speaks for them."
        )


def _by_pixels_alone(hit: Hit) -> bool:
    speaks_for = ("report: ", "report, uncertain: ", "label: ", "label, uncertain: ", "tags: ")
    return not any(reason.startswith(speaks_for) for reason in hit.why)
