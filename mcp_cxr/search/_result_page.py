"""Makes the hits of a page from a ranked search, and collapses near duplicates into the first of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import count, groupby
from typing import TYPE_CHECKING

from mcp_cxr.language import document_terms
from mcp_cxr.records import Hit
from mcp_cxr.search._plan import matched_by_terms
from mcp_cxr.search._reasons import Reasons
from mcp_cxr.search._similarity import NEAR_DUPLICATE_DEPTH, SMALL_SAMPLE, SimilarityStatistics, near_duplicates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp_cxr.records import Filter, ImageId, Matched, StoredImage
    from mcp_cxr.search._intermediate_results import IntermediateResults
    from mcp_cxr.search._plan import CountName
    from mcp_cxr.search._rank import RankedGroup

_CHANCE_PERCENTILE = 95.0
"""Percentile below which a cosine alone is no evidence: one random image in twenty is at least as similar."""

_MANY_READ_SLOWLY = 20_000
"""Vectors that take a tenth of a second longer."""

_SIMILARITY_ALONE = (
    "No {searched} matches. The images are ranked by similarity alone; even the first may be unrelated to the query."
)
_NOT_DENIED = (
    "No report or label denies all that the query rules out; the studies listed deny a part or do not mention it."
)
_UNKNOWN_PATIENTS: tuple[CountName, ...] = ("sex unknown", "age unknown", "patient unknown")
_OTHER_REASONS: dict[Matched | None, str] = {
    None: "filter",
    "full": "tags of the study's other images",
    "part": "tags of the study's other images",
    "unknown": "no report that can be read, no label",
    "no": "not mentioned",
}


def images_to_load(ranked: Sequence[RankedGroup], offset: int, *, compared: bool) -> list[ImageId]:
    """Return the images of the page, and those that are compared to find near duplicates on it."""
    has_duplicates = compared and len(ranked) > offset and offset < NEAR_DUPLICATE_DEPTH
    first = ranked[:NEAR_DUPLICATE_DEPTH] if has_duplicates else ranked[:0]
    return list(dict.fromkeys(group.best.image_id for group in (*first, *ranked[offset:])))


def hits_and_warnings(search: IntermediateResults, near_duplicate_cosine: float) -> tuple[list[Hit], list[str]]:
    """Return the hits of the page, and the warnings of the whole result.

    Args:
        search: From which the page is made.
        near_duplicate_cosine: From the embedder: cosine, from the archive's mean, at which images are one image twice.
    """
    page = _Page(search, near_duplicate_cosine)
    hits, duplicate_warnings = page.hits()
    return hits, [
        *search.understood.warnings,
        *search.embedded.warnings,
        *_slow_warnings(search),
        *page.warnings_of_sample(),
        *duplicate_warnings,
        *_chance_warnings(page, hits),
        *_match_warnings(search),
        *_external_warnings(search),
    ]


@dataclass(frozen=True)
class _Page:
    """A page of results, with what its hits are compared to."""

    search: IntermediateResults
    near_duplicate_cosine: float

    @cached_property
    def statistics(self) -> SimilarityStatistics | None:
        """The similarities of the sample; None if no vectors were compared."""
        query, sample = self.search.vectors.query, self.search.facts.sample
        if query is None or sample is None or len(self.search.ranked) <= self.search.query.offset:
            return None
        return SimilarityStatistics(query, sample)

    def warnings_of_sample(self) -> list[str]:
        statistics = self.statistics
        if statistics is None or statistics.size >= SMALL_SAMPLE:
            return []
        return [
            f"z-scores and percentiles are imprecise: the archive has only {statistics.size} images to compare with."
        ]

    def hits(self) -> tuple[list[Hit], list[str]]:
        """Return the page's hits without near duplicates, and warnings; the hit that they repeat names them."""
        search, offset, statistics = self.search, self.search.query.offset, self.statistics
        ranked, stored = search.ranked, search.facts.stored
        repeats: Mapping[int, int] = self._repeats() if statistics else {}
        folded: dict[int, list[str]] = defaultdict(list)
        for index, first in repeats.items():
            if index >= offset:
                folded[first].append(ranked[index].best.image_id)
        hits: list[Hit] = []
        for index, group in enumerate(ranked[offset:], start=offset):
            if index in repeats or group.best.image_id not in stored:  # another process may have removed it since
                continue
            hit = _hit(search, group, stored[group.best.image_id], statistics, index + 1)
            notes = [f"near duplicate, not listed: {image_id}" for image_id in folded.pop(index, [])]
            hits.append(hit.model_copy(update={"why": [*hit.why, *notes]}) if notes else hit)
        warnings = [
            f"Near duplicates of the image at rank {first + 1} are not listed separately: {', '.join(image_ids)}."
            for first, image_ids in folded.items()
        ]
        return hits, warnings

    def _repeats(self) -> Mapping[int, int]:
        """Return the index in the ranking of each near duplicate, with that of the image it repeats."""
        stored, sample = self.search.facts.stored, self.search.facts.sample
        if sample is None or not sample.ids:
            return {}
        first = self.search.ranked[:NEAR_DUPLICATE_DEPTH]
        vectors = [image.vector if (image := stored.get(group.best.image_id)) else None for group in first]
        return near_duplicates(vectors, sample.mean, self.near_duplicate_cosine)


def _hit(
    search: IntermediateResults,
    group: RankedGroup,
    stored: StoredImage,
    statistics: SimilarityStatistics | None,
    rank: int,
) -> Hit:
    image, study, meaning = stored.image, stored.study, search.understood.meaning
    cosine = statistics.cosine(stored.vector) if statistics and stored.vector is not None else None
    reasons = Reasons(meaning or search.preferred, stored, search.findings_only)
    matched = _matched(search, group, stored)
    z = statistics.z(cosine) if statistics and cosine is not None else None
    is_like_it = matched is None or z is None or z > 0  # below the mean, the pixels speak against the hit
    why = [*(["pixels"] if group.by_vector and is_like_it else []), *reasons.why()]
    return Hit(
        rank=rank,
        image_id=image.image_id,
        study_id=image.study_id,
        subject_id=image.subject_id,
        study_date=study.study_date,
        view_position=image.view_position,
        image_path=image.shown_path,
        path=image.shown_file,
        matched=matched,
        missing=reasons.missing() if matched == "part" else [],
        similarity_score=None if cosine is None else round(cosine, 6),
        similarity_z=z,
        percentile=statistics.percentile(cosine) if statistics and cosine is not None else None,
        labels=dict(study.labels),
        labels_absent=[name for name, value in study.labels.items() if value == 0],
        report_excerpt=reasons.excerpt(),
        why=why or [_OTHER_REASONS[matched]],
    )


def _matched(search: IntermediateResults, group: RankedGroup, stored: StoredImage) -> Matched | None:
    """Return how far the study matches the words; None if there are none."""
    if search.understood.meaning is None:
        return None
    if len(search.plan.tiers) > 1:
        return group.tier.matched
    image = stored.image  # ranked by vectors alone
    terms = frozenset(document_terms(stored.study, [(image.view_position, image.tags)]))
    return matched_by_terms(search.plan, terms)


def _only_rules_out(search: IntermediateResults) -> bool:
    return search.understood.meaning is not None and search.understood.meaning.only_rules_out


def _chance_warnings(page: _Page, hits: Sequence[Hit]) -> list[str]:
    """Warn of hits found by vector alone that are no more similar than random images."""
    statistics = page.statistics
    if statistics is None or statistics.size < SMALL_SAMPLE or _only_rules_out(page.search):
        return []
    chance = [
        hit.rank
        for hit in hits
        if hit.matched in (None, "no", "unknown") and hit.percentile is not None and hit.percentile < _CHANCE_PERCENTILE
        if hit.matched or hit.why[:2] == ["pixels"]
    ]
    if not chance:
        return []
    ranks = "image at rank {} may be a chance match" if len(chance) == 1 else "images at ranks {} may be chance matches"
    warning = (
        f"The {ranks.format(_ranges(chance))}: at least 1 in 20 random images is as similar, and no"
        f" {_searched(page.search)} matches the query."
    )
    return [warning]


def _ranges(numbers: Sequence[int]) -> str:
    """Return rising numbers with those in a row as a range: `3, 5 to 9`."""
    places = count()
    rows = [list(row) for _, row in groupby(numbers, key=lambda number: number - next(places))]
    return ", ".join(f"{row[0]} to {row[-1]}" if len(row) > 1 else f"{row[0]}" for row in rows)


def _searched(search: IntermediateResults) -> str:
    return "finding or public label" if search.findings_only else "report, label or tag"


def _match_warnings(search: IntermediateResults) -> list[str]:
    """Warn if no report, label or tag matches, and of what is left out."""
    found: list[str] = []
    counted = (
        dict(zip(search.plan.count_filters, search.facts.counts, strict=True)) if search.plan.count_filters else {}
    )
    if not counted.get("stated", 1) and _only_rules_out(search):
        found += [_NOT_DENIED] if search.facts.total else []
    elif not counted.get("stated", 1) and search.vectors.query is not None and search.facts.total:
        found.append(_SIMILARITY_ALONE.format(searched=_searched(search)))
    return [*found, *left_out_warnings(counted, search.where, search.facts.total)]


def left_out_warnings(counted: Mapping[CountName, int], where: Filter, total: int) -> list[str]:
    """Return how many studies were left out because something of them is unknown, and how many labels are blank.

    Args:
        counted: How many pass each filter of the plan.
        where: The filters in force.
        total: The number of results.
    """
    found: list[str] = []
    of_view = counted.get("full", total)
    if (unknown := counted.get("of view or unknown", of_view) - of_view) > 0:
        found.append(f"Matching studies left out because their view is unknown: {unknown}.")
    if unknown := sum(counted.get(name, 0) for name in _UNKNOWN_PATIENTS):
        found.append(f"Studies left out because they have {_unknown_facts(where)}: {unknown}.")
    if counted.get("labels blank"):
        label = "the label" if len(where.labels_absent) == 1 else "a label"
        found.append(
            f"No value for {label} that must be absent in {counted['labels blank']} of {total} results: the finding may"
            " be present there."
        )
    return found


def _unknown_facts(where: Filter) -> str:
    asks_age = where.age_from is not None or where.age_to is not None
    if where.sex and asks_age:
        return "no sex or no age recorded"
    return "no sex recorded" if where.sex else "no age recorded"


def _slow_warnings(search: IntermediateResults) -> list[str]:
    if search.facts.read_slowly < _MANY_READ_SLOWLY:
        return []
    warning = (
        f"{search.facts.read_slowly} vectors were read one by one: the int8 copy for fast search is not complete."
        " Each search adds to it, so the next ones are faster."
    )
    return [warning]


def _external_warnings(search: IntermediateResults) -> list[str]:
    if not search.facts.external:
        return []
    warning = (
        f"{search.facts.external} images written by another program have no usable vector. Run `mcp-cxr ingest` on "
        "their folder to make them searchable."
    )
    return [warning]
