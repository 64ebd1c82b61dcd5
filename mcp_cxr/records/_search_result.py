"""What a search returns, for the tool, the command line and the page alike.

The required fields are in every result. A model is not given the others if they have their default, which means that
they are empty; `mcp-cxr search --json` prints them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Matched = Literal["full", "part", "unknown", "no"]
_GROUP_NOUNS = {"study": ("study", "studies"), "subject": ("patient", "patients"), "none": ("image", "images")}
_COUNT_TEXTS = {
    "silent": (  # of a query that only rules out
        "{} does not mention it, or denies only a part",
        "{} do not mention it, or deny only a part",
    ),
    "unknown": ("{} has no report or label", "{} have no report or label"),
    "part": ("{} matches in part", "{} match in part"),
    "denied": ("{} denies it and is left out", "{} deny it and are left out"),
    "conflicting": (  # counted among the others, too
        "{} of these studies has a label that contradicts its report",
        "{} of these studies have labels that contradict the report",
    ),
}
"""What a count says of one study and of several; `tool_results.js` has the same."""
_PATIENT_COUNT_TEXTS = {
    "full": "a study that matches",
    "silent": "one that does not mention it, or denies only a part",
    "unknown": "one without report or label",
    "part": "one that matches in part",
    "denied": "one that denies it and is left out",
    "conflicting": "one whose label contradicts its report",
}
"""What a count says that patients have: one may have studies of several kinds."""
SearchMode = Literal["semantic", "keyword", "hybrid", "similar", "filter"]


def counted(number: int, group: str = "study") -> str:
    """Return a number of groups with their unit: `1,204 studies`.

    Args:
        number: How many.
        group: `GroupBy`: study, subject or none.
    """
    singular, plural = _GROUP_NOUNS[group]
    return f"{number:,} {singular if number == 1 else plural}"


def count_texts(counts: Mapping[str, int], names: Iterable[str], group: str = "study") -> list[str]:
    """Return what these counts of a result say, without those that are 0: `310 match in part`."""
    return [_count_text(counts[name], name, group) for name in names if counts[name]]


def _count_text(number: int, name: str, group: str) -> str:
    if group == "subject":
        return f"{number:,} {'has' if number == 1 else 'have'} {_PATIENT_COUNT_TEXTS[name]}"
    return _COUNT_TEXTS[name][number != 1].format(f"{number:,}")


class Hit(BaseModel):
    """One image on a page of results."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    rank: int
    """From 1, over all pages."""
    image_id: str
    study_id: str
    subject_id: str
    study_date: str | None = None
    """ISO date, `2180-05-06`; null for a model that is given `days_since_first_study` instead."""
    days_since_first_study: int | None = None
    """Days since the patient's first study in the archive; null if the date is given, or if there is none."""
    view_position: str
    image_path: str | None = None
    """Below its root; a model is not given it."""
    path: str | None = None
    """Absolute path of the file; a model is not given it. null if the file's folder is not known."""
    matched: Matched | None = None
    """full: the report or the labels state all that the words ask for. part: they state some of it; `missing` names the
    rest. unknown: no report that can be read, and no label. no: the report or the labels do not mention it; if the
    words only rule out, they do not deny all of it. null without words."""
    missing: list[str] = []
    """What the words ask for and the study does not state, and what it states instead."""
    similarity_score: float | None = None
    """Raw cosine, -1 to 1; null if no vectors were compared."""
    similarity_z: float | None = None
    """Standard deviations above the mean cosine of the reference sample."""
    percentile: float | None = None
    """Share of the reference sample, in percent, that is less similar."""
    labels: dict[str, int] = {}
    """1 present, -1 uncertain, 0 absent; a model is given the absent ones in `labels_absent` only."""
    labels_absent: list[str] = []
    """The names of the labels that are absent."""
    report_excerpt: str | None = None
    why: list[str]


class Understood(BaseModel):
    """What the words of a query were read as."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    findings: list[str] = []
    """Each with its modifiers: `pleural effusion, left`."""
    without: list[str] = []
    """What is ruled out."""
    words: list[str] = []
    """Words that are no finding and are looked for as they are."""
    view: list[str] = []
    patients: str | None = None
    """The sex and age that are a filter: `women aged 60 or over`."""
    dates: str | None = None
    """The study dates that are a filter: `2019-01-01 to 2019-12-31`."""
    ids: list[str] = []
    limit: int | None = None
    """The number of results that the words ask for."""
    corrected: dict[str, str] = {}
    """A word as typed, and the word that was searched for."""
    ignored: list[str] = []
    """Words that were not searched for."""
    embedded: str | None = None
    """The text that was embedded; null if none was."""

    @property
    def only_rules_out(self) -> bool:
        """Whether the words ask for nothing and rule something out."""
        return bool(self.without) and not (self.findings or self.words)

    def as_text(self) -> str:
        """Return one line for people: `pleural effusion, left; without pneumothorax; ignored: married`."""
        corrections = [f"{typed} to {word}" for typed, word in self.corrected.items()]
        parts = [
            *self.findings,
            *(f"without {name}" for name in self.without),
            *(f"the word “{word}”" for word in self.words),
            *(f"view: {', '.join(names)}" for names in [self.view] if names),
            *filter(None, [self.patients]),
            *(f"study date: {dates}" for dates in [self.dates] if dates),
            *self.ids,
            *(f"at most {limit} result{'s' * (limit > 1)}" for limit in [self.limit] if limit),
            *(f"ignored: {', '.join(words)}" for words in [self.ignored] if words),
            *(f"corrected: {', '.join(texts)}" for texts in [corrections] if texts),
        ]
        return "; ".join(parts)


class SearchResult(BaseModel):
    """One page of results.

    `mode` of the request says what may be compared: vectors, words or both. `search_mode` says what was compared:
    vectors of the text (semantic) or of examples (similar), words (keyword), several of these
    (hybrid), or nothing (filter).
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    query: str | None = None
    search_mode: SearchMode
    fallback_reason: str | None = None
    embedder: str
    understood: Understood | None = None
    """null without words."""
    filters: dict[str, Any] = {}
    """The filters in force, as understood; filters not given are left out."""
    matched_results: int | None = None
    """Groups that match in full, after all filters: the number to report. null without words."""
    counts: dict[str, int] | None = None
    """present and possible (full matches), part, unknown (no report and no label), silent (report or labels do not
    mention it; if the words only rule out: do not deny all of it), denied (every finding denied: left out),
    conflicting (report and labels disagree). null without words."""
    total_results: int
    """What can be paged through: the matches, and what is ranked after them."""
    results_count: int
    offset: int
    next_offset: int | None = None
    execution_time_ms: float
    cache_hit: bool
    """Whether the query's vector came from the cache."""
    warnings: list[str] = []
    images: list[Hit]

    @property
    def only_rules_out(self) -> bool:
        """Whether the words ask for nothing and rule something out."""
        return self.understood is not None and self.understood.only_rules_out

    def matches_text(self, group: str = "study") -> str | None:
        """Return how many match, for people: `162 studies match; 310 match in part; the rest is ranked by similarity`.

        Args:
            group: What is counted; `GroupBy` of the search.

        Returns:
            None without words.
        """
        if self.matched_results is None or self.counts is None:
            return None
        found = self.counts
        named = ("part", "denied", "conflicting") if self.total_results else ("denied", "unknown", "conflicting")
        if self.only_rules_out:
            named = ("silent", "unknown", "conflicting")
        ruled_out = [] if self.only_rules_out or self.understood is None else self.understood.without
        matched = counted(self.matched_results, group)
        verb = "matches" if self.matched_results == 1 else "match"
        if group == "subject":
            verb = f"{'has' if self.matched_results == 1 else 'have'} {_PATIENT_COUNT_TEXTS['full']}"
        parts = [f"{matched} {verb}", *count_texts(found, named, group)]
        parts += [f"studies that state {names} are left out" for names in [" or ".join(ruled_out)] if names]
        if self._is_mixed if self.only_rules_out else self.total_results > self.matched_results + found["part"]:
            parts.append(self._rest_text())
        return "; ".join(parts)

    def _rest_text(self) -> str:
        if self.search_mode == "keyword":
            return "the others match only single words or the report's indication"
        if self._is_mixed:
            return "the list is ordered by similarity, so matches may come later"
        return "the rest is ranked by similarity"

    def rest_heading(self) -> tuple[int, str] | None:
        """Return the rank of the first hit after the matches, and a line that sets it and those after it apart.

        Returns:
            None if every hit matches or without words, or if vectors alone mix what matches with what does not.
        """
        first = next((hit for hit in self.images if hit.matched in ("no", "unknown")), None)
        if first is None or self._is_mixed:
            return None
        if self.only_rules_out:
            return first.rank, "Not mentioned, only a part denied, or no report or label"
        if self.search_mode == "keyword":
            return first.rank, "Only single words or the report's indication match"
        return first.rank, "Ranked by similarity: no report or label matches"

    @property
    def has_ended(self) -> bool:
        """Whether no later page has a match: the last hit does not match, and those that match come first."""
        last = self.images[-1].matched if self.images else None
        return last in ("no", "unknown") and not self._is_mixed and self.search_mode not in ("semantic", "similar")

    @property
    def _is_mixed(self) -> bool:
        """Whether matches stand between hits that do not match: vectors alone ranked them."""
        matches = [hit.matched in ("full", "part") for hit in self.images]
        return matches != sorted(matches, reverse=True)


def joined_pages(pages: Sequence[SearchResult]) -> SearchResult:
    """Return the consecutive pages of one search as one page, up to the last hit that matches."""
    hits = [hit for page in pages for hit in page.images]
    if pages[-1].has_ended:
        hits = [hit for hit in hits if hit.matched in ("full", "part")]
    return pages[0].model_copy(
        update={
            "images": hits,
            "results_count": len(hits),
            "next_offset": None,
            "execution_time_ms": sum(page.execution_time_ms for page in pages),
            "warnings": list(dict.fromkeys(warning for page in pages for warning in page.warnings)),
        }
    )
