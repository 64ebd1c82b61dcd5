"""A complete store in memory, on dicts and numpy: for tests and notebooks, and as the example of how to add a store.

It implements what `Store` declares and nothing else. What all stores share is imported from `_shared`: argument
checks, normalization, study merging, BM25 and tie-breaking. A new store also needs one class in
`tests/contract/stores/backends.py`.
"""

# ruff: noqa: D102  # `Store` documents the methods

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from mcp_cxr.language import READER_VERSION, document_terms
from mcp_cxr.records import Filter, RankedImage, ReferenceSample, StoredImage, StoreInfo, Study, Totals
from mcp_cxr.stores._base import SAMPLE_SIZE, Store, check_report_reader, sample_key
from mcp_cxr.stores._shared import (
    best_first,
    check_fingerprint,
    check_key,
    check_not_empty,
    merge_studies,
    require_fingerprint,
    store_missing,
    term_scores,
    unit_rows,
    view_rank,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from mcp_cxr.records import (
        Fingerprint,
        ImageId,
        ImageRecord,
        Outcome,
        StudyFact,
        StudyId,
        TermClause,
        Vector,
        Vectors,
    )

SCHEMA_VERSION = 1


class MemoryRow(NamedTuple):
    """One image."""

    image: ImageRecord
    vector: Vector
    """float32, unit length."""
    external: bool = False


class MemoryTables:
    """The rows of one archive."""

    def __init__(self) -> None:
        self.fingerprint: Fingerprint | None = None
        self.key_check: str | None = None
        self.reader_version = READER_VERSION
        self.roots: list[str] = []
        self.images: dict[ImageId, MemoryRow] = {}
        self.studies: dict[StudyId, Study] = {}
        self.documents: dict[StudyId, Counter[str]] = {}
        """How often each term is in a study's document; a study without images has none."""
        self.outcomes: dict[str, Outcome] = {}


@dataclass
class MemoryDatabase:
    """Holds at most one archive; stores opened on the same database share it."""

    tables: MemoryTables | None = None


class MemoryStore(Store):
    """An archive in the memory of this process.

    No method awaits anything, and each checks its arguments before it writes: so a method does all of its work or
    nothing, and tasks do not disturb one another. Use it from one thread.

    Args:
        database: A database to share with other stores; None for one of its own.
    """

    location = "memory"
    is_private = True

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        self._database = database or MemoryDatabase()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open: the rows live as long as the database."""

    async def create(
        self, fingerprint: Fingerprint | None = None, *, root: str | None = None, key_check: str | None = None
    ) -> bool:
        tables = self._database.tables or MemoryTables()
        check_fingerprint(tables.fingerprint, fingerprint)
        check_key(tables.key_check, key_check)
        tables.fingerprint = tables.fingerprint or fingerprint
        tables.key_check = tables.key_check or key_check
        if root and root not in tables.roots:
            tables.roots.append(root)
        is_new, self._database.tables = self._database.tables is None, tables
        return is_new

    async def update_fingerprint(self, fingerprint: Fingerprint) -> None:
        check_fingerprint(require_fingerprint(self._tables.fingerprint), fingerprint)
        self._tables.fingerprint = fingerprint

    async def drop(self) -> None:
        self._database.tables = None

    async def info(self) -> StoreInfo:
        tables = self._tables
        return StoreInfo(
            SCHEMA_VERSION, tables.fingerprint, tuple(tables.roots), tables.key_check, tables.reader_version
        )

    async def totals(self) -> Totals:
        images = [row.image for row in self._tables.images.values()]
        study_ids = {image.study_id for image in images}
        labels = [study.labels for study_id, study in self._tables.studies.items() if study_id in study_ids]
        return Totals(
            images=len(images),
            studies=len(study_ids),
            subjects=len({image.subject_id for image in images}),
            external=await self.count_external(),
            by_view=Counter(image.view_position for image in images),
            by_label=Counter(label for values in labels for label, value in values.items() if value == 1),
        )

    async def count_external(self) -> int:
        return sum(row.external for row in self._tables.images.values())

    async def known_ids(self, ids: Iterable[ImageId]) -> set[ImageId]:
        rows = self._tables.images
        return {image_id for image_id in ids if image_id in rows and not rows[image_id].external}

    async def put(self, images: Sequence[ImageRecord], vectors: Vectors) -> None:
        tables = self._tables
        check_report_reader(tables.reader_version, self.location)
        units = unit_rows(vectors, require_fingerprint(tables.fingerprint).dimension, images)
        units.setflags(write=False)
        new = {image.image_id: MemoryRow(image, unit) for image, unit in zip(images, units, strict=True)}
        replaced = [row for image_id in new if (row := tables.images.get(image_id))]
        tables.images |= new
        for image in images:
            tables.studies.setdefault(image.study_id, Study(image.study_id, image.subject_id))
        self._index({row.image.study_id for row in (*new.values(), *replaced)})

    async def put_studies(self, studies: Sequence[Study]) -> int:
        check_report_reader(self._tables.reader_version, self.location)
        stored = self._tables.studies
        changed = merge_studies(
            {study.study_id: stored[study.study_id] for study in studies if study.study_id in stored}, studies
        )
        stored |= {study.study_id: study for study in changed}
        self._index({study.study_id for study in changed})
        return len(changed)

    async def get(self, ids: Sequence[ImageId], *, with_vectors: bool = False) -> dict[ImageId, StoredImage]:
        rows = self._tables.images
        return {
            image_id: StoredImage(row.image, self._study_of(row), row.external, row.vector if with_vectors else None)
            for image_id in ids
            if (row := rows.get(image_id))
        }

    async def nearest(self, vector: Vector, where: Filter, *, limit: int) -> list[RankedImage]:
        fingerprint, rows = self._tables.fingerprint, self._rows(where)
        (query,) = unit_rows(vector[None, :], fingerprint.dimension if fingerprint else vector.size)
        # `vecdot` scores each row alone: equal vectors tie exactly, which a matrix product does not promise.
        cosines: list[float] = np.vecdot(_stack(rows, query.size), query).clip(-1, 1).tolist()
        return best_first(map(_ranked, rows, cosines), limit)

    async def match(
        self, terms: Sequence[str], where: Filter, *, limit: int, by_presence: bool = False
    ) -> list[RankedImage]:
        scores = self._scores(terms, by_presence=by_presence)
        rows = sorted((row for row in self._rows(where) if row.image.study_id in scores), key=_by_view)
        rows.sort(key=lambda row: scores[row.image.study_id], reverse=True)
        return [_ranked(row, scores[row.image.study_id]) for row in rows[:limit]]

    async def browse(self, where: Filter, *, limit: int) -> list[RankedImage]:
        newest_first = sorted(
            sorted(self._rows(where), key=_by_view), key=lambda row: self._study_of(row).study_date or "", reverse=True
        )
        return [_ranked(row, 0.0) for row in newest_first[:limit]]

    async def count(self, where: Filter, *, distinct: Literal["study", "subject"] | None = None) -> int:
        return len({getattr(row.image, f"{distinct or 'image'}_id") for row in self._rows(where)})

    async def count_study_facts(self, study_ids: Collection[StudyId]) -> dict[StudyFact, int]:
        tables, wanted = self._tables, set(study_ids)
        viewed = {row.image.study_id for row in tables.images.values() if row.image.view_position != "UNKNOWN"}
        studies = [study for study_id, study in tables.studies.items() if study_id in wanted]
        return {
            "report": sum(study.report is not None for study in studies),
            "labels": sum(bool(study.labels) for study in studies),
            "view": len(viewed & wanted),
            "date": sum(study.study_date is not None for study in studies),
            "split": sum(study.split is not None for study in studies),
        }

    async def term_counts(self, terms: Sequence[str]) -> dict[str, int]:
        documents = self._tables.documents.values()
        counts = {term: sum(term in document for document in documents) for term in terms}
        return {term: count for term, count in counts.items() if count}

    async def reference_sample(self) -> ReferenceSample:
        tables = self._tables
        rows = sorted(self._rows(Filter()), key=lambda row: sample_key(row.image.image_id))[:SAMPLE_SIZE]
        dimension = tables.fingerprint.dimension if tables.fingerprint else 0
        return ReferenceSample(tuple(row.image.image_id for row in rows), _stack(rows, dimension))

    async def images_after(self, after: ImageId | None, *, limit: int) -> list[StoredImage]:
        ids = sorted(image_id for image_id in self._tables.images if after is None or image_id > after)[:limit]
        return list((await self.get(ids, with_vectors=True)).values())

    async def outcomes(self, paths: Collection[str]) -> dict[str, Outcome]:
        outcomes = self._tables.outcomes
        return {path: outcomes[path] for path in paths if path in outcomes}

    async def refused_files(self) -> list[Outcome]:
        return sorted((one for one in self._tables.outcomes.values() if one.reason), key=lambda one: one.path)

    async def files_of(self, ids: Collection[ImageId]) -> list[Outcome]:
        return sorted((one for one in self._tables.outcomes.values() if one.image_id in ids), key=lambda one: one.path)

    async def files_named(self, name: str) -> list[Outcome]:
        found = (one for one in self._tables.outcomes.values() if one.path.rpartition(os.sep)[2] == name)
        return sorted(found, key=lambda one: one.path)

    async def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        self._tables.outcomes |= {outcome.path: outcome for outcome in outcomes}

    async def count_empty_studies(self, *, remove: bool = False) -> int:
        tables = self._tables
        empty = tables.studies.keys() - {row.image.study_id for row in tables.images.values()}
        if remove:
            tables.studies = {study_id: study for study_id, study in tables.studies.items() if study_id not in empty}
        return len(empty)

    async def count_unused_roots(self, roots: Sequence[str], *, remove: bool = False) -> int:
        used = {os.path.join(row.image.root, row.image.image_path) for row in self._tables.images.values()}  # noqa: PTH118  # text: no path is opened
        unused = {root for root in roots if not any(path.startswith(os.path.join(root, "")) for path in used)}  # noqa: PTH118  # text: no path is opened
        unused &= set(self._tables.roots)
        if remove:
            self._tables.roots = [root for root in self._tables.roots if root not in unused]
        return len(unused)

    async def rebuild_documents(self) -> int:
        tables = self._tables
        self._index(tables.studies)
        tables.reader_version = READER_VERSION
        return len(tables.documents)

    async def forget(self, where: Filter) -> int:
        check_not_empty(where)
        tables = self._tables
        gone = {row.image.image_id: row.image.study_id for row in self._rows(where, external=True)}
        studies = set(gone.values())
        if where == Filter(study_id=where.study_id, subject_id=where.subject_id):  # studies without images too
            studies |= {study.study_id for study in tables.studies.values() if _is_named(study, where)}
        tables.images = {image_id: row for image_id, row in tables.images.items() if image_id not in gone}
        tables.outcomes = {path: outcome for path, outcome in tables.outcomes.items() if outcome.image_id not in gone}
        for study_id in studies - {row.image.study_id for row in tables.images.values()}:
            tables.studies.pop(study_id, None)
        self._index(studies)
        return len(gone)

    @property
    def _tables(self) -> MemoryTables:
        if self._database.tables is None:
            raise store_missing(self.location)
        return self._database.tables

    def _rows(self, where: Filter, *, external: bool = False) -> list[MemoryRow]:
        """Return the rows that pass a filter; external ones only if asked."""
        excluded, only = frozenset(where.exclude_images), frozenset(where.only_images)
        return [
            row
            for image_id, row in self._tables.images.items()
            if (external or not row.external)
            and image_id not in excluded
            and (not only or image_id in only)
            and _image_passes(row.image, where)
            and _study_passes(self._study_of(row), self._tables.documents.get(row.image.study_id, {}), where)
        ]

    def _study_of(self, row: MemoryRow) -> Study:
        """Return the study of an image; that of an external one may be missing, and then only its ids are known."""
        image = row.image
        return self._tables.studies.get(image.study_id) or Study(image.study_id, image.subject_id)

    def _index(self, study_ids: Iterable[StudyId]) -> None:
        """Bring the documents of these studies up to date with their reports, labels and images."""
        tables = self._tables
        images: dict[StudyId, list[ImageRecord]] = defaultdict(list)
        for row in self._rows(Filter()):
            images[row.image.study_id].append(row.image)
        for study_id in study_ids:
            tables.documents.pop(study_id, None)
            if shown := [(image.view_position, image.tags) for image in images[study_id]]:
                tables.documents[study_id] = Counter(document_terms(tables.studies[study_id], shown))

    def _scores(self, terms: Sequence[str], *, by_presence: bool) -> dict[StudyId, float]:
        """Return the BM25 of each study whose document contains any of `terms`."""
        documents = self._tables.documents
        scores: dict[StudyId, float] = defaultdict(float)
        mean_length = sum(counts.total() for counts in documents.values()) / max(len(documents), 1)
        for term in dict.fromkeys(terms):
            holders = {study_id: counts for study_id, counts in documents.items() if term in counts}
            occurrences = np.array([counts[term] for counts in holders.values()], np.int64)
            lengths = np.array([counts.total() for counts in holders.values()], np.int64)
            added = term_scores(
                occurrences, lengths, documents=len(documents), mean_length=mean_length, by_presence=by_presence
            )
            for study_id, score in zip(holders, added.tolist(), strict=True):
                scores[study_id] += score
        return scores


def _stack(rows: Sequence[MemoryRow], dimension: int) -> Vectors:
    return np.array([row.vector for row in rows], np.float32).reshape(len(rows), dimension)


def _ranked(row: MemoryRow, score: float) -> RankedImage:
    return RankedImage(row.image.image_id, row.image.study_id, row.image.subject_id, score)


def _by_view(row: MemoryRow) -> tuple[int, ImageId]:
    return view_rank(row.image.view_position), row.image.image_id


def _is_named(record: ImageRecord | Study, where: Filter) -> bool:
    return where.study_id in (None, record.study_id) and where.subject_id in (None, record.subject_id)


def _image_passes(image: ImageRecord, where: Filter) -> bool:
    return (
        (not where.view or image.view_position in where.view)
        and where.image_id in (None, image.image_id)
        and where.exclude_subject != image.subject_id
        and _is_named(image, where)
    )


def _study_passes(study: Study, terms: Mapping[str, int], where: Filter) -> bool:
    labels = study.labels
    return (
        _clauses_hold(where.clauses, terms)
        and (not where.labels or all(labels.get(label) == 1 for label in where.labels))
        and not (
            where.labels_absent and (not labels or study.positives_only or any(map(labels.get, where.labels_absent)))
        )
        and not (where.labels_blank and (not labels or labels.keys() >= set(where.labels_blank)))
        and where.split in (None, study.split)
        and (where.date_from is None or (study.study_date or "") >= where.date_from)
        and (where.date_to is None or "" < (study.study_date or "") <= where.date_to)
        and where.has_report in (None, study.report is not None)
        and where.sex in (None, study.sex)
        and where.lacks_sex in (None, study.sex is None)
        and where.lacks_age in (None, study.age is None)
        and _age_passes(study.age, where)
    )


def _age_passes(age: int | None, where: Filter) -> bool:
    if where.age_from is None and where.age_to is None:
        return True
    return age is not None and (where.age_from or 0) <= age <= (age if where.age_to is None else where.age_to)


def _clauses_hold(clauses: Iterable[TermClause], terms: Mapping[str, int]) -> bool:
    """Return whether a study's terms pass every clause; most of the time of a search is spent here."""
    for clause in clauses:
        if terms.keys().isdisjoint(clause.any_of) and terms.keys() >= set(clause.or_lacks):
            return False
    return True
