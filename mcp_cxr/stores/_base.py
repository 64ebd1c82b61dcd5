"""The promise every store keeps; `tests/contract` holds each of them to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

from mcp_cxr.records import ResultFacts

if TYPE_CHECKING:
    from collections.abc import Collection as Several
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from mcp_cxr.records import (
        Collection,
        Filter,
        Fingerprint,
        ImageId,
        ImageRecord,
        Outcome,
        RankedImage,
        ReferenceSample,
        StoredImage,
        Study,
        Totals,
        Vector,
        Vectors,
    )

SAMPLE_SIZE = 4096
"""Images in the reference sample: the standard error of a percentile is then under 0.8 points."""


def sample_key(image_id: ImageId) -> int:
    """Return the hash by which an image is drawn into the reference sample: 63 bits, so that any database orders it."""
    return int.from_bytes(blake2b(image_id.encode(), digest_size=8).digest()) >> 1


class Store(ABC):
    """Keeps images, studies and vectors, and ranks them. It does not embed, group, fuse or page.

    Opened with `async with`. Every method may be called from several tasks and several processes at once. A method
    that writes does all of it or nothing.

    Raises:
        StoreMissing: From any method but `create` and `drop`; nothing was made yet.
        StoreUnavailable: From any method; a retry may help.
        SchemaMismatch: From any method; made by another version of this package.
    """

    location: str
    """Where it is, for people: a file or `host:port/namespace table`."""

    is_private: bool
    """Whether this machine alone writes to it: only then may it say which folders of this machine are read."""

    rows_at_once: int | None = None
    """As many rows it is best asked for and given at once, where each time costs; None: as they come."""

    @property
    def condition(self) -> str | None:
        """How its connections are, for people; None where there is nothing to say."""
        return None

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Open what can be opened without making anything."""

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; never hides the error."""

    @abstractmethod
    async def create(
        self, fingerprint: Fingerprint | None = None, *, root: str | None = None, key_check: str | None = None
    ) -> bool:
        """Make what is missing, and enter what is given into the collection; True if the images' table was made now.

        Idempotent. A root is added to those known. A fingerprint or key check is entered where there is none, and
        compared where there is one.

        Raises:
            FingerprintMismatch: The collection holds vectors of another space (`Fingerprint.same_space`).
            ConfigError: The collection's ids were hashed with another key.
        """

    @abstractmethod
    async def renew(self, fingerprint: Fingerprint) -> None:
        """Record another service version or dialect behind the same vectors; the caller has made sure they are.

        Raises:
            FingerprintMismatch: Another space, or the collection knows no embedder yet.
        """

    @abstractmethod
    async def drop(self) -> None:
        """Remove everything that `create` and all writing made; harmless where there is nothing."""

    @abstractmethod
    async def info(self, *, recalled: bool = False) -> Collection:
        """What the collection knows of itself.

        Args:
            recalled: What was read before will do, where that saves a question; `facts` tells whether it still holds.
        """

    async def dangers(self) -> list[str]:
        """What of its place may harm it, each with what to do; made or not."""
        return []

    @abstractmethod
    async def totals(self) -> Totals:
        """How much it holds."""

    @abstractmethod
    async def external(self) -> int:
        """How many rows other programs wrote."""

    @abstractmethod
    async def known(self, ids: Iterable[ImageId]) -> set[ImageId]:
        """Those of `ids` that have a row of ours; foreign rows are not known."""

    @abstractmethod
    async def put(self, images: Sequence[ImageRecord], vectors: Vectors) -> None:
        """Write images with their vectors in one transaction; an image that is there is replaced, a foreign one too.

        A study that is not there yet is made, empty. Search by words finds the images by their tags at once.

        Args:
            images: Distinct ids.
            vectors: float32, shape (len(images), dimension), any non-zero lengths; they are normalised here.

        Raises:
            DimensionMismatch: Not the collection's dimension.
            VectorRefused: A vector is zero or not finite.
            FingerprintMismatch: The collection does not know its embedder yet.
        """

    @abstractmethod
    async def put_studies(self, studies: Sequence[Study]) -> int:
        """Write studies in one transaction; return how many changed.

        A field that is None or empty leaves what is stored; labels are one field. A study that has no image yet is
        kept, and is found by its words once it has one.
        """

    @abstractmethod
    async def get(self, ids: Sequence[ImageId], *, vectors: bool = False) -> dict[ImageId, StoredImage]:
        """Those of `ids` that are there, in their order; foreign ones too."""

    @abstractmethod
    async def nearest(self, vector: Vector, where: Filter, *, limit: int) -> list[RankedImage]:
        """Return at most `limit` images by cosine, best first; ties by image id. Exact. Foreign rows are left out.

        Args:
            vector: float32, shape (dimension,), any non-zero length; it is normalised here.
            where: Only these images.
            limit: At least 1.

        Raises:
            DimensionMismatch: Not the collection's dimension.
            VectorRefused: The vector is zero or not finite.
        """

    @abstractmethod
    async def match(self, terms: Sequence[str], where: Filter, *, limit: int) -> list[RankedImage]:
        """Return at most `limit` images whose study holds any of `terms`, by BM25 of the study; ties by image id.

        What a study is found by is `language.document`: its report, its labels and the tags of its images of ours; each
        study that has one is a document. BM25 as FTS5 counts it: k1 = 1.2, b = 0.75, an idf of at least 1e-6 (SQLite
        documentation, fts5 section 5.1.1). Higher is better. Foreign rows are left out.

        Args:
            terms: As `mcp_cxr.language` makes them, in any order; repeated ones count once.
        """

    @abstractmethod
    async def browse(self, where: Filter, *, limit: int) -> list[RankedImage]:
        """Return at most `limit` images, newest study date first, undated ones last, then by image id."""

    @abstractmethod
    async def count(
        self, where: Filter, *, terms: Sequence[str] = (), distinct: Literal["study", "subject"] | None = None
    ) -> int:
        """Count images of ours, or their studies or subjects; with `terms`, only those `match` would return."""

    async def facts(
        self,
        ids: Sequence[ImageId],
        where: Filter,
        *,
        terms: Sequence[str] = (),
        distinct: Literal["study", "subject"] | None = None,
        compared: bool = False,
    ) -> ResultFacts:
        """Return what an answer tells of its hits, and of what is around them.

        Asked with each search: a store in which each question is a way to a server and back asks for all at once.

        Args:
            ids: The hits, as `get` takes them.
            where: What the question lets through, as `count` takes it, with `terms` and `distinct`.
            compared: Whether vectors were: then those of the hits are wanted, and the sample.
        """
        return ResultFacts(
            (await self.info()).fingerprint,
            await self.count(where, terms=terms, distinct=distinct),
            await self.external(),
            await self.get(ids, vectors=compared),
            await self.sample() if compared else None,
        )

    async def sift(self, images: Sequence[ImageId], filters: Sequence[Filter]) -> list[set[ImageId]]:
        """Return for each filter those of `images` that it lets through; it names no images itself."""
        wheres = [replace(where, only_images=tuple(images)) for where in filters]
        return [{hit.image_id for hit in await self.browse(where, limit=len(images))} for where in wheres]

    @abstractmethod
    async def sample(self) -> ReferenceSample:
        """The reference sample: the `SAMPLE_SIZE` images of ours with the lowest `sample_key`, in that order."""

    @abstractmethod
    async def page(self, after: ImageId | None, *, limit: int) -> list[StoredImage]:
        """The next images by id after `after`, with vectors, foreign ones too; to walk the whole collection."""

    @abstractmethod
    async def outcomes(self, paths: Several[str]) -> dict[str, Outcome]:
        """What became of these files before; those never seen are left out."""

    async def settled(self, files: Mapping[str, tuple[int, int]]) -> dict[str, ImageId | None]:
        """Those of these files that need nothing: as they were when last met, and what they became still holds.

        That is a file that was recorded as bad, or one whose image is ours and is shown from this very path. A restart
        asks this of every file it meets, so a store that can answer it in one question does.

        Args:
            files: Size in bytes and mtime in nanoseconds by absolute path.

        Returns:
            The image by path; None for a bad file.
        """
        past = await self.outcomes(files)
        same = {path: one for path, one in past.items() if one.is_unchanged(*files[path])}
        images = await self.get([one.image_id for one in same.values() if one.image_id])
        shown = {str(one.image.file) for one in images.values() if not one.external}
        return {path: one.image_id for path, one in same.items() if one.reason is not None or path in shown}

    @abstractmethod
    async def record(self, outcomes: Sequence[Outcome]) -> None:
        """Keep what became of files; an earlier outcome of the same path is replaced."""

    async def orphans(self, *, remove: bool = False) -> int:
        """Count vectors that belong to no image, and perhaps remove them; a store with both in one row has none."""
        del remove
        return 0

    async def idle_roots(self, roots: Sequence[str], *, remove: bool = False) -> int:
        """Count those of these recorded roots that no image comes from, and perhaps remove them.

        Only a private store (`is_private`) has roots that somebody reads by; others leave them as they are.
        """
        del roots, remove
        return 0

    @abstractmethod
    async def forget(self, where: Filter) -> int:
        """Remove images and the outcomes of their files, and studies left without any; return the images removed.

        Foreign images too. Where `where` names a study or subject and nothing else, studies of it that never had an
        image go too.

        Raises:
            ValueError: `where` is empty: that is `drop`.
        """
