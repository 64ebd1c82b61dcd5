"""Makes a cohort: selects images, draws, splits, balances, looks for leaks, and says all of it in the header."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from mcp_cxr.errors import QueryError
from mcp_cxr.images import PREPROCESSING, READING
from mcp_cxr.records import SPLITS, CohortSummary
from mcp_cxr.research.cohorts._leaks import ONE_SPLIT
from mcp_cxr.research.cohorts._manifest import FORMAT, Cohort, CohortRow, counts_of_rows
from mcp_cxr.research.cohorts._splits import SplitPlan, at_most_per_subject, balanced, split_by_shares

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from mcp_cxr.records import CohortRequest, Filter, ImageId, RankedImage, StoredImage
    from mcp_cxr.research.cohorts._leaks import LeakSearch
    from mcp_cxr.search import SearchableWords, Selection
    from mcp_cxr.stores import Store

    DigestOf = Callable[[StoredImage], Awaitable[str | None]]
    """Returns the SHA-256 of an image's file; None if it cannot be read."""

BuiltBy = Literal["owner", "model"]
_BATCH = 1000
_EXAMPLES = 5
_NO_LABEL_SOURCE = "unknown"


@dataclass(slots=True)
class _CohortImages:
    """The images of a cohort, and what concerns all of them."""

    rows: list[CohortRow]
    official: dict[str, str]
    """The archive's own split by study."""
    labels_by: dict[str, str]
    """Who gave the labels, by study."""


async def build_cohort(
    request: CohortRequest,
    plan: SplitPlan | None,
    selection: Selection,
    *,
    store: Store,
    leaks: LeakSearch,
    digest_of: DigestOf,
    searchable_words: SearchableWords,
    built_by: BuiltBy,
    version: str,
) -> Cohort:
    """Return a cohort; nothing is written.

    Args:
        request: Checked by `check_request`, which returned the plan, too.
        plan: How to split; None: official if the archive has a split, else not.
        selection: Which images the words and filters select.
        store: Holds the images.
        leaks: Looks for leaks.
        digest_of: Used if the request asks for digests.
        searchable_words: With `findings`, splits that no public data set has count as none.
        built_by: Who asks.
        version: Of this package.

    Raises:
        QueryError: No image is left.
        EmbeddingError: Mirror images were asked for, and the embedder fails.
        StoreError: The store fails.
    """
    images, full = await _selected(request, selection, store)
    found = await _collect(images, full, store, digest_of if request.digests else None)
    if searchable_words == "findings":
        found.official = {study: split for study, split in found.official.items() if split in SPLITS}
    if not found.rows:
        raise QueryError(
            " ".join(["No image matches, so no cohort was made; change the words or filters.", *selection.warnings])
        )
    plan = plan or SplitPlan("official" if found.official else "none")
    why_unsafe = await _why_patients_are_unknown(store)
    rows = _split(found, plan, request.seed, by_study=why_unsafe is not None)
    warnings = [*selection.warnings, *_split_warnings(rows, found.official, plan, why_unsafe, asked=request.split)]
    if request.balance:
        rows, lines = _balance(rows, request.balance, request.seed)
        warnings += lines
    leaked = await leaks.leaks(rows)
    header = {
        "format": FORMAT,
        "built_by": built_by,
        "searchable_words": searchable_words,
        **_request_facts(request, plan, selection),
        **counts_of_rows(rows, is_split=plan.kind != "none"),
        **_patient_facts(why_unsafe, leaked),
        "labels_by": dict(Counter(found.labels_by[study] for study in {row.study_id for row in rows})),
        **await _version_facts(store, version),
        "forgotten": 0,
        "warnings": [*warnings, *_leak_warnings(leaked)],
    }
    return Cohort(header, tuple(rows))


def _request_facts(request: CohortRequest, plan: SplitPlan, selection: Selection) -> dict[str, Any]:
    """Return what was asked for, and how it was understood."""
    return {
        "name": request.name,
        "understood": selection.understood.model_dump(exclude_defaults=True) if selection.understood else {},
        "filters": selection.filters,
        **request.choices,
        "split": plan.text,
        "counts": selection.counts or {},
    }


def _patient_facts(why_unsafe: str | None, leaked: Mapping[str, Any]) -> dict[str, Any]:
    """Return whether no patient is in two splits, and what was found of it."""
    return {
        "patient_safe": why_unsafe is None and not leaked["subjects"],
        "patients": why_unsafe or "known",
        "leaks": leaked,
    }


async def _version_facts(store: Store, version: str) -> dict[str, Any]:
    """Return the fingerprint of the archive's vectors, and the versions of what read files and reports."""
    info = await store.info()
    return {
        "fingerprint": info.fingerprint.facts if info.fingerprint else None,
        "versions": {
            "mcp_cxr": version,
            "report_reader": info.reader_version,
            "image_reader": READING,
            "preprocessing": PREPROCESSING,
        },
    }


def summary_of(cohort: Cohort) -> CohortSummary:
    """Return what a cohort holds, without its list."""
    header = cohort.header
    names = ("name", "splits", "patient_safe", "understood", "counts", "warnings")
    return CohortSummary(
        **{name: header[name] for name in names}, image_ids=[row.image_id for row in cohort.rows[:_EXAMPLES]]
    )


async def _selected(
    request: CohortRequest, selection: Selection, store: Store
) -> tuple[list[RankedImage], Filter | None]:
    """Return the images by id, and the filter of those that match in full if others do not."""
    where = selection.stated if request.matched == "part" else selection.full
    images = await _listed(store, where)
    if request.per_subject is not None:
        images = at_most_per_subject(images, request.per_subject, request.seed)
    is_mixed = selection.stated != selection.full and request.matched == "part"
    return sorted(images, key=lambda one: one.image_id), selection.full if is_mixed else None


async def _listed(store: Store, where: Filter) -> list[RankedImage]:
    total = await store.count(where)
    return await store.browse(where, limit=total) if total else []


async def _collect(
    images: Sequence[RankedImage], full: Filter | None, store: Store, digest_of: DigestOf | None
) -> _CohortImages:
    in_full = None if full is None else {image.image_id for image in await _listed(store, full)}
    found = _CohortImages([], {}, {})
    shared: dict[tuple[tuple[str, int], ...], Mapping[str, int]] = {}
    for first in range(0, len(images), _BATCH):
        ids: list[ImageId] = [image.image_id for image in images[first : first + _BATCH]]
        stored = await store.get(ids)
        outcomes = await store.outcomes([str(one.image.file) for one in stored.values()])
        for image_id, one in stored.items():
            outcome, study = outcomes.get(str(one.image.file)), one.study
            is_known = outcome is not None and outcome.image_id == image_id
            labels = tuple(sorted(study.labels.items()))
            found.rows.append(
                CohortRow(
                    image_id,
                    one.image.study_id,
                    one.image.subject_id,
                    None,
                    one.image.view_position,
                    "full" if in_full is None or image_id in in_full else "part",
                    str(one.image.file),
                    outcome.size if outcome and is_known else None,
                    outcome.mtime_ns if outcome and is_known else None,
                    shared.setdefault(labels, dict(labels)),
                    await digest_of(one) if digest_of else None,
                )
            )
            if study.split:
                found.official[one.image.study_id] = study.split
            found.labels_by[one.image.study_id] = study.labels_by or _NO_LABEL_SOURCE if study.labels else "no labels"
    return found


async def _why_patients_are_unknown(store: Store) -> str | None:
    """Return why patients cannot be told apart; None if they can.

    An image without a patient's id gets that of its study, so an archive of which no patient has two studies may know
    no patient; and anonymized data sets may give all studies one id.
    """
    totals = await store.totals()
    if totals.studies > 1 and totals.subjects == totals.studies:
        return "no patient of the archive has two studies, so patients may not be known, and the split is by study"
    if totals.studies > 1 and totals.subjects == 1:
        return "all studies of the archive have one patient id, so the split is by study"
    return None


def _split(found: _CohortImages, plan: SplitPlan, seed: int, *, by_study: bool) -> list[CohortRow]:
    if plan.kind == "none":
        return found.rows
    if plan.kind == "official":
        return [replace(row, split=found.official.get(row.study_id)) for row in found.rows]
    by = "study_id" if by_study else "subject_id"
    splits = split_by_shares((getattr(row, by) for row in found.rows), plan, seed)
    return [replace(row, split=splits[getattr(row, by)]) for row in found.rows]


def _split_warnings(
    rows: Sequence[CohortRow],
    official: Mapping[str, str],
    plan: SplitPlan,
    why_unsafe: str | None,
    *,
    asked: str | None,
) -> list[str]:
    found: list[str] = []
    if plan.kind == "none":
        return [] if asked else ["The archive records no split, so the cohort is not split; ask for 70/10/20 or 80/20."]
    if why_unsafe:
        found.append(f"One patient may be in two splits: {why_unsafe}.")
    if plan.kind == "official":
        lacking = len({row.study_id for row in rows if row.split is None})
        if lacking:
            those = (
                "1 study has no official split; it is"
                if lacking == 1
                else f"{lacking} studies have no official split; they are"
            )
            found.append(f"{those} listed as unassigned.")
        return found
    tested = {row.study_id for row in rows if official.get(row.study_id) == "test"}
    trained = {row.study_id for row in rows if row.split == "train"} & tested
    if official:
        moved = f": {len(trained)} of {len(tested)} official test studies are in train" if tested else ""
        found.append(f"This split is not the archive's own{moved}.")
    return found


def _balance(rows: list[CohortRow], label: str, seed: int) -> tuple[list[CohortRow], list[str]]:
    kept = balanced(rows, label, seed)
    if not kept:
        raise QueryError(
            f"No study would remain: studies with {label} at 1 and others with it at 0 are needed. Leave out balance."
        )
    emptied = {row.split for row in rows} - {row.split for row in kept}
    lines = [
        f"Split {split or 'without a name'} is empty: it lacks studies with {label} at 1 or at 0."
        for split in sorted(emptied, key=str)
    ]
    studies = len({row.study_id for row in rows}) - len({row.study_id for row in kept})
    return kept, [f"{studies} studies were left out to balance {label}.", *lines]


def _leak_warnings(leaked: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    if leaked["subjects"]:
        found.append(f"{leaked['subjects']} patients are in more than one split; the splits are the archive's own.")
    for name, what in (("near_duplicates", "near duplicates"), ("mirrored", "near duplicates when mirrored")):
        pairs = leaked.get(name, {}).get("pairs", 0)
        if pairs:
            found.append(f"{pairs} pairs of images in different splits are {what}; `mcp-cxr cohort show` lists them.")
    if left_out := leaked.get("mirrored", {}).get("left_out", 0):
        found.append(f"{left_out} images could not be mirrored: their files cannot be read.")
    if (why := leaked.get("not_checked")) and why != ONE_SPLIT:
        found.append(f"Near duplicates across splits were not looked for: {why}.")
    return found
