"""The interface that every store implements; `tests/contract/stores` tests each promise with every store."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

from mcp_cxr.errors import ReaderMismatch
from mcp_cxr.language import READER_VERSION
from mcp_cxr.records import Filter, ResultFacts, VectorAndFile, mimic_study_id, mimic_subject_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from mcp_cxr.records import (
        Fingerprint,
        ImageId,
        ImageRecord,
        Outcome,
        RankedImage,
        ReferenceSample,
        StoredImage,
        StoreInfo,
        Study,
        StudyFact,
        StudyId,
        SubjectId,
        Totals,
        Vector,
        Vectors,
    )

_FIRST_DATE = "0001-01-01"
SAMPLE_SIZE = 4096
"""Images in the reference sample: the standard error of a percentile is then under 0.8 points."""


def sample_key(image_id: ImageId) -> int:
    """Return the hash that decides if an image is in the reference sample: 63 bits, which any database can sort."""
    return int.from_bytes(blake2b(image_id.encode(), digest_size=8).digest()) >> 1


def check_report_reader(version: int, location: str) -> None:
    """Check that an archive's documents were derived by this version of the report reader.

    Raises:
        ReaderMismatch: They were not.
    """
    if version < READER_VERSION:
        raise ReaderMismatch(
            f"An older version of mcp-cxr read the reports of {location}. Run `mcp-cxr table verify --repair` or"
            " ingest again: both read the reports again without embedding the images."
        )
    if version > READER_VERSION:
        raise ReaderMismatch(f"A newer version of mcp-cxr read the reports of {location}. Update mcp-cxr here.")


class Store(ABC):
    """Stores images, studies and vectors, and ranks them. It does not embed, group, fuse or paginate.

    Use it as an async context manager. Every method may be called from several tasks and several processes at once. A
    method that writes does all of its work or nothing.

    An image's row is *external* if another program wrote it: it can be read, walked and forgotten, but it is not
    ranked, counted or sampled.

    `mcp_cxr/stores/memory.py` is the example to copy for a new store; add it to `tests/contract/stores/backends.py`.

    Raises:
        StoreMissing: From any method but `create` and `drop`; `create` has not been called.
        StoreUnavailable: From any method; a retry may help.
        SchemaMismatch: From any method; another version of this package made the archive.
    """

    location: str
    """Where the store is, for messages: a file or `host:port/namespace table`."""

    is_private: bool
    """Whether only this machine writes to it. Only then may it name the folders of this machine that may be read."""

    preferred_batch_size: int | None = None
    """Rows per call that it handles best if each call has a fixed cost; None if the number does not matter."""

    @property
    def connection_status(self) -> str | None:
        """The state of its connections for people; None if it has none."""
        return None

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Open the store without creating anything."""

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the store; an error is never suppressed."""

    @abstractmethod
    async def create(
        self, fingerprint: Fingerprint | None = None, *, root: str | None = None, key_check: str | None = None
    ) -> bool:
        """Create what is missing and record the arguments; return whether the images' table was created by this call.

        Idempotent. A root is added to the recorded ones. A fingerprint or key check is recorded if there is none yet,
        else compared. A new archive records `READER_VERSION`; an older one keeps what it has.

        Raises:
            FingerprintMismatch: The stored vectors cannot be compared with those of `fingerprint`
                (`Fingerprint.is_comparable_with`).
            ConfigError: The stored ids were hashed with another key.
        """

    @abstractmethod
    async def update_fingerprint(self, fingerprint: Fingerprint) -> None:
        """Record another service version or dialect; the caller has checked that it makes the same vectors.

        Raises:
            FingerprintMismatch: The vectors cannot be compared, or no fingerprint is recorded yet.
        """

    @abstractmethod
    async def drop(self) -> None:
        """Remove everything that `create` and later writes made; does nothing if there is nothing."""

    @abstractmethod
    async def info(self) -> StoreInfo:
        """Return the archive's schema version, fingerprint, roots, key check and reader version, as they are now."""

    async def query_fingerprint(self) -> Fingerprint | None:
        """Return the fingerprint to make a query's vector with; None before the first ingest.

        A store on a server may return the one that it read last, to save a round trip. The current one comes with
        `result_facts`: repeat the query if they differ.
        """
        return (await self.info()).fingerprint

    async def location_warnings(self) -> list[str]:
        """Return a warning for each danger to data or hindrance of writes, with what to do; before `create` too."""
        return []

    @abstractmethod
    async def totals(self) -> Totals:
        """Return the numbers of images, studies, subjects, views and labels."""

    @abstractmethod
    async def count_external(self) -> int:
        """Return the number of external rows."""

    @abstractmethod
    async def known_ids(self, ids: Iterable[ImageId]) -> set[ImageId]:
        """Return the ids among `ids` of stored images; external rows do not count."""

    @abstractmethod
    async def put(self, images: Sequence[ImageRecord], vectors: Vectors) -> None:
        """Write images with their vectors in one transaction; rows with the same ids are replaced, external ones too.

        An empty study is added if the image's study is missing. Searches by words find the images by their tags.

        Args:
            images: Distinct ids.
            vectors: float32, shape (len(images), dimension), any non-zero lengths; they are normalized here.

        Raises:
            DimensionMismatch: Not the dimension of the archive's vectors.
            VectorRefused: A vector is zero or not finite.
            FingerprintMismatch: No fingerprint is recorded yet.
            ReaderMismatch: Another version of the report reader derived the documents: call `rebuild_documents` first.
        """

    @abstractmethod
    async def put_studies(self, studies: Sequence[Study]) -> int:
        """Write studies in one transaction; return how many changed.

        A field that is None or empty keeps the stored value; labels with their source are one field, and
        those by people are not replaced by a program's. A study without images is stored,
        and found by its words once it has an image.

        Raises:
            ReaderMismatch: As `put` does.
        """

    @abstractmethod
    async def get(self, ids: Sequence[ImageId], *, with_vectors: bool = False) -> dict[ImageId, StoredImage]:
        """Return the stored images by id, in the order of `ids`, external rows too; unknown ids are left out."""

    @abstractmethod
    async def nearest(self, vector: Vector, where: Filter, *, limit: int) -> list[RankedImage]:
        """Return at most `limit` images by cosine, best first; ties by image id. Exact. External rows are left out.

        Args:
            vector: float32, shape (dimension,), any non-zero length; it is normalized here.
            where: Only these images.
            limit: At least 1.

        Raises:
            DimensionMismatch: Not the dimension of the archive's vectors.
            VectorRefused: The vector is zero or not finite.
        """

    @abstractmethod
    async def match(
        self, terms: Sequence[str], where: Filter, *, limit: int, by_presence: bool = False
    ) -> list[RankedImage]:
        """Return at most `limit` images whose study contains any of `terms`, by the study's BM25.

        Images that tie are ordered frontal before lateral before any other view (`records.VIEW_GROUPS`), then by id.

        A study's document is `language.document_terms`: the terms of its report, labels and images' tags,
        external ones left out; each study with such an image is one document. BM25 as in FTS5: k1 = 1.2, b = 0.75, an
        idf of at least 1e-6 (SQLite documentation, fts5 section 5.1.1). Higher is better. External rows are left out.

        Args:
            terms: As `mcp_cxr.language` makes them, in any order; repeated ones count once.
            where: Only these images.
            limit: At least 1.
            by_presence: Whether a term adds its idf alone, however often and among however many other terms a document
                has it: the order then depends on which documents have `terms`, and on nothing else that they hold.
        """

    @abstractmethod
    async def browse(self, where: Filter, *, limit: int) -> list[RankedImage]:
        """Return at most `limit` images, newest study date first, undated ones last; ties as in `match`.

        External rows are left out.
        """

    async def first_study_dates(self, subjects: Collection[SubjectId]) -> dict[SubjectId, str]:
        """Return the ISO date of each subject's first study; subjects without a dated one are left out.

        External rows are left out.
        """
        first: dict[SubjectId, ImageId] = {}
        for subject in subjects:
            dated = Filter(subject_id=subject, date_from=_FIRST_DATE)
            if images := await self.count(dated):
                first[subject] = (await self.browse(dated, limit=images))[-1].image_id
        stored = await self.get(list(first.values()))
        dates = {subject: stored[image].study.study_date for subject, image in first.items() if image in stored}
        return {subject: date for subject, date in dates.items() if date}

    @abstractmethod
    async def count(self, where: Filter, *, distinct: Literal["study", "subject"] | None = None) -> int:
        """Count images, or their studies or subjects."""

    @abstractmethod
    async def count_study_facts(self, study_ids: Collection[StudyId]) -> dict[StudyFact, int]:
        """Return how many of these studies have a report, labels, a known view of an image, a date, and a split."""

    @abstractmethod
    async def term_counts(self, terms: Sequence[str]) -> dict[str, int]:
        """Return in how many studies' documents each of `terms` is; terms in none are left out."""

    async def result_facts(
        self,
        ids: Sequence[ImageId],
        where: Filter,
        *,
        distinct: Literal["study", "subject"] | None = None,
        with_vectors: bool = False,
        also_count: Sequence[Filter] = (),
    ) -> ResultFacts:
        """Return everything that a search result needs besides the ranking.

        Called once per search: override it if one statement can answer all of it in one round trip.

        Args:
            ids: The hits, as `get` takes them.
            where: The query's filter, as `count` takes it, with `distinct`.
            with_vectors: Whether vectors were compared: the hits' vectors and the reference sample are returned too.
            also_count: Further filters: what passes each is counted as `distinct` says.
        """
        info = await self.info()
        return ResultFacts(
            info.fingerprint,
            await self.count(where, distinct=distinct),
            await self.count_external(),
            await self.get(ids, with_vectors=with_vectors),
            await self.reference_sample() if with_vectors else None,
            tuple([await self.count(one, distinct=distinct) for one in also_count]),
        )

    @abstractmethod
    async def reference_sample(self) -> ReferenceSample:
        """Return the `SAMPLE_SIZE` images with the lowest `sample_key`, in that order; external rows are left out."""

    @abstractmethod
    async def images_after(self, after: ImageId | None, *, limit: int) -> list[StoredImage]:
        """Return the next images by id after `after`, with vectors, external rows too; to walk the whole archive."""

    async def vectors_and_files_after(self, after: ImageId | None, *, limit: int) -> list[VectorAndFile]:
        """Return what `verify` checks of the images that `images_after` returns, in the same order.

        Override it if a store can read less than whole rows with their studies.
        """
        images = await self.images_after(after, limit=limit)
        outcomes = await self.outcomes([str(stored.image.file) for stored in images])
        return [
            VectorAndFile(
                stored.image.image_id,
                file := str(stored.image.file),
                stored.external,
                stored.vector,
                stored.image.reading,
                outcomes.get(file),
            )
            for stored in images
        ]

    @abstractmethod
    async def outcomes(self, paths: Collection[str]) -> dict[str, Outcome]:
        """Return the recorded outcomes of these files; unknown paths are left out."""

    async def unchanged_files(self, files: Mapping[str, tuple[int, int]]) -> dict[str, ImageId | None]:
        """Return the files that need no work: recorded with this size and mtime, and that outcome still holds.

        The outcome of a refused file holds; that of an image holds if the image is stored, not external, and shown
        from this very path. A repeated ingest calls this for every file: override it if one statement can answer it.

        Args:
            files: Size in bytes and mtime in nanoseconds by absolute path.

        Returns:
            The image by path; None for a refused file.
        """
        previous = await self.outcomes(files)
        same = {path: outcome for path, outcome in previous.items() if outcome.is_unchanged(*files[path])}
        images = await self.get([outcome.image_id for outcome in same.values() if outcome.image_id])
        shown = {str(stored.image.file) for stored in images.values() if not stored.external}
        return {path: outcome.image_id for path, outcome in same.items() if outcome.image_id is None or path in shown}

    @abstractmethod
    async def refused_files(self) -> list[Outcome]:
        """Return the outcomes that have a reason, by path: of refused files, and of other files of a stored image."""

    @abstractmethod
    async def files_of(self, ids: Collection[ImageId]) -> list[Outcome]:
        """Return the outcomes of all files that were recorded with these images, by path."""

    @abstractmethod
    async def files_named(self, name: str) -> list[Outcome]:
        """Return the outcomes of all files that have this name in any folder, by path.

        Args:
            name: As on the disk, with its ending; valid Unicode.
        """

    @abstractmethod
    async def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Record what became of files; an earlier outcome of the same path is replaced."""

    async def create_vector_index(self) -> bool:
        """Create the index of vectors that this store can do without; harmless if it exists.

        Returns:
            False if this store has no such index.

        Raises:
            StoreError: The server refuses it.
        """
        return False

    async def count_orphans(self, *, remove: bool = False) -> int:
        """Return the number of vectors without an image, and remove them if asked; 0 if both are in one row."""
        del remove
        return 0

    @abstractmethod
    async def count_empty_studies(self, *, remove: bool = False) -> int:
        """Return the number of studies without any image, and remove them with their reports and labels if asked.

        An ingest that was killed between `put_studies` and `put` leaves them; a running one is about to fill them.
        """

    async def count_unused_roots(self, roots: Sequence[str], *, remove: bool = False) -> int:
        """Return how many of these recorded roots no image comes from, and remove them if asked.

        Only in a private store (`is_private`) do roots decide which folders may be read; others keep them.
        """
        del roots, remove
        return 0

    @abstractmethod
    async def rebuild_documents(self) -> int:
        """Derive every study's document again from its stored report, labels and tags, in one transaction.

        Adds what the tables of an older version lack; records `READER_VERSION`; no image is read or embedded.

        Returns:
            How many documents there are: studies with images, external ones left out.
        """

    async def rebuild_documents_if_older(self) -> int | None:
        """Call `rebuild_documents` if an older version of the report reader derived the documents; None if none did."""
        return await self.rebuild_documents() if (await self.info()).reader_version < READER_VERSION else None

    async def require_current_reader(self) -> None:
        """Check that words can be searched: this version of the report reader derived the documents.

        Raises:
            ReaderMismatch: Another version did.
        """
        check_report_reader((await self.info()).reader_version, self.location)

    @abstractmethod
    async def forget(self, where: Filter) -> int:
        """Remove images, their files' outcomes, and studies without images; return the number of images removed.

        External rows too. If `where` names a study or subject and nothing else, its studies that never had an image
        are removed too.

        Raises:
            ValueError: `where` is empty: that is `drop`.
        """


_MIMIC_STUDY = re.compile(r"[Ss]?(\d+)(?:\.0)?")
_MIMIC_SUBJECT = re.compile(r"[Pp]?(\d+)(?:\.0)?")


async def with_mimic_prefixes(store: Store, where: Filter) -> Filter:
    """Return `where` with ids as MIMIC writes them: with its lower-case prefix, unless the archive has them as given.

    `10000032`, `P10000032` and `10000032.0` become `p10000032`.

    Raises:
        StoreError: The store fails or was never made.
    """
    study, subject = where.study_id, where.subject_id
    if study and (digits := _MIMIC_STUDY.fullmatch(study)) and not await store.count(Filter(study_id=study)):
        where = replace(where, study_id=mimic_study_id(digits[1]))
    if subject and (digits := _MIMIC_SUBJECT.fullmatch(subject)) and not await store.count(Filter(subject_id=subject)):
        where = replace(where, subject_id=mimic_subject_id(digits[1]))
    return where
