"""Finds problems of stored vectors and their files, and repairs the ones that a new ingest of the files repairs."""

from __future__ import annotations

import os
import stat
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import numpy as np
from anyio import to_thread

from mcp_cxr.images import READING
from mcp_cxr.language import READER_VERSION
from mcp_cxr.records import Filter, Outcome, Repair, Verification

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from mcp_cxr.ingest import ReadingComparison
    from mcp_cxr.records import ImageId, StoredImage, Vector, VectorAndFile
    from mcp_cxr.stores import Store

    Reingest = Callable[[Path, frozenset[str]], Awaitable[object]]
    """Ingests these files below this root again."""
    CompareReading = Callable[[StoredImage], Awaitable[ReadingComparison]]
    """Reads the file of a stored image under the current rules; see `ingest.compare_reading`."""
    HasFileElsewhere = Callable[[Path], bool]
    """Tells of a file that is not there whether its image was pulled from a PACS that still has it."""

_BATCH = 1000
_VECTOR_PROBLEMS = ("zero", "constant", "not finite", "wrong dimension", "duplicate vector")
_FILE_PROBLEMS = ("file changed", "file gone")
_REFUSED, _OTHERWISE = "refused by newer rules", "read differently by newer rules"
_EMPTY_STUDY = "study without images"
_OLD_READER = "reports read by an older version"
PROBLEMS = (
    *(*_VECTOR_PROBLEMS, "orphaned", _EMPTY_STUDY, *_FILE_PROBLEMS, _REFUSED, _OTHERWISE),
    *("root gone", "external", _OLD_READER),
)
_REPAIRED_BY_INGEST = frozenset((*_VECTOR_PROBLEMS, "file changed", "external", _OTHERWISE))
_READING_PROBLEMS = {"refused": _REFUSED, "different": _OTHERWISE}
_CONCURRENT_READS = 8
_EXAMPLES = 3
_NO_SIZE = -1  # bytes: no file has this size, so an ingest reads a file that is recorded with it again


@dataclass(frozen=True, slots=True)
class _Problem:
    kind: str
    """One of `PROBLEMS`."""
    images: tuple[ImageId, ...]
    """The images that have it; of two with the same vector, both."""
    file: str | None = None
    """The file that has it, if it is one of a file."""

    @property
    def example(self) -> str:
        """The file or the images, for people."""
        return self.file or " = ".join(self.images)


async def verify(store: Store, compare_reading: CompareReading, has_file_elsewhere: HasFileElsewhere) -> Verification:
    """Check every vector in the store, and the file it was made from.

    A duplicate vector is equal to that of an earlier image, bit by bit: the same picture under another id. An
    orphaned vector belongs to no image; neither does a study that a killed ingest left. A missing root is counted
    only if no image comes from it; otherwise its files are counted as gone, unless the PACS that they were pulled from
    has them. External rows are counted, not checked.
    Files that older rules read are read again. If an older version read the reports, studies are counted.
    """
    roots = await _missing_roots(store)
    found = Counter({"orphaned": await store.count_orphans(), "root gone": await store.count_unused_roots(roots)})
    found[_EMPTY_STUDY] = await store.count_empty_studies()
    if (await store.info()).reader_version < READER_VERSION:
        found[_OLD_READER] = max(1, await store.count(Filter(), distinct="study"))
    examples: dict[str, list[str]] = defaultdict(list)
    async for problems in _problems(store, compare_reading, has_file_elsewhere):
        found.update(problem.kind for problem in problems)
        for problem in problems:
            if len(examples[problem.kind]) < _EXAMPLES:
                examples[problem.kind].append(problem.example)
    images = (await store.totals()).images
    return Verification(images, {kind: found[kind] for kind in PROBLEMS}, examples=dict(examples))


async def repair(
    store: Store, compare_reading: CompareReading, has_file_elsewhere: HasFileElsewhere, reingest: Reingest
) -> Repair:
    """Remove what belongs to no image; read reports and ingest files again if that repairs a problem.

    An image that newer rules refuse is removed, and its file recorded with the reason. An image whose file is gone
    stays: only `forget` removes it. May be stopped and run again: the files to ingest are recorded first, so that an
    ordinary ingest completes the repair too.

    Raises:
        CxrError: As ingest does; what was repaired before stays repaired.
    """
    compare_reading = _cached(compare_reading)
    before = await verify(store, compare_reading, has_file_elsewhere)
    await store.rebuild_documents_if_older()
    await store.count_orphans(remove=True)
    await store.count_empty_studies(remove=True)
    await store.count_unused_roots(await _missing_roots(store), remove=True)
    await _record_readings(store, compare_reading)
    for root, files in (await _files_to_ingest(store, compare_reading, has_file_elsewhere)).items():
        await store.record_outcomes([Outcome(file, _NO_SIZE, 0, image) for file, image in files.items()])
        await reingest(root, frozenset(files))
    after = await verify(store, compare_reading, has_file_elsewhere)
    repaired = {kind: max(0, before.problems[kind] - after.problems[kind]) for kind in PROBLEMS}
    return Repair(after.images, after.problems, repaired, examples=after.examples)


async def _missing_roots(store: Store) -> list[str]:
    """Return the recorded roots that no longer exist; one that cannot be reached may come back and is not missing."""
    roots = (await store.info()).roots
    return await to_thread.run_sync(lambda: [root for root in roots if _is_missing(Path(root))])


def _is_missing(root: Path) -> bool:
    try:
        return not stat.S_ISDIR(root.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def _cached(compare_reading: CompareReading) -> CompareReading:
    """Return `compare_reading` with its results kept: a repair needs each more than once, and reading takes long."""
    results: dict[ImageId, ReadingComparison] = {}

    async def read(stored: StoredImage) -> ReadingComparison:
        image_id = stored.image.image_id
        if image_id not in results:
            results[image_id] = await compare_reading(stored)
        return results[image_id]

    return read


async def _record_readings(store: Store, compare_reading: CompareReading) -> None:
    """Remove images that newer rules refuse, and record of those that they read alike that they do."""
    after = None
    while batch := await store.images_after(after, limit=_BATCH):
        after = batch[-1].image.image_id
        readings = await _readings(batch, compare_reading)
        alike = [stored for stored in batch if _kind(stored, readings) == "same" and stored.vector is not None]
        if alike:
            vectors = [stored.vector for stored in alike if stored.vector is not None]
            await store.put([replace(stored.image, reading=READING) for stored in alike], np.stack(vectors))
        for stored in batch:
            if _kind(stored, readings) == "refused":
                await _refuse(store, stored, readings[stored.image.image_id].reason)


async def _refuse(store: Store, stored: StoredImage, reason: str | None) -> None:
    await store.forget(Filter(image_id=stored.image.image_id))
    status = await to_thread.run_sync(stored.image.file.stat)
    await store.record_outcomes(
        [Outcome(str(stored.image.file), status.st_size, status.st_mtime_ns, None, reason, READING)]
    )


def _kind(stored: StoredImage, readings: dict[ImageId, ReadingComparison]) -> str | None:
    found = readings.get(stored.image.image_id)
    return found.kind if found else None


async def _readings(images: Sequence[StoredImage], compare_reading: CompareReading) -> dict[ImageId, ReadingComparison]:
    """Return how newer rules read the images that older rules read and that have a sound vector."""
    readings: dict[ImageId, ReadingComparison] = {}
    slots = anyio.Semaphore(_CONCURRENT_READS)

    async def read(stored: StoredImage) -> None:
        async with slots:
            readings[stored.image.image_id] = await compare_reading(stored)

    async with anyio.create_task_group() as tasks:
        for stored in images:
            if not stored.external and stored.image.reading < READING and _is_sound(stored.vector):
                tasks.start_soon(read, stored)
    return readings


def _is_sound(vector: Vector | None) -> bool:
    return vector is not None and bool(np.isfinite(vector).all() and vector.any())


async def _problems(
    store: Store, compare_reading: CompareReading, has_file_elsewhere: HasFileElsewhere
) -> AsyncIterator[list[_Problem]]:
    """Yield the problems of all images, in batches."""
    fingerprint = (await store.info()).fingerprint
    dimension = fingerprint.dimension if fingerprint else 0
    first_with: dict[bytes, ImageId] = {}
    after = None
    while batch := await store.vectors_and_files_after(after, limit=_BATCH):
        after = batch[-1].image_id
        own = [row for row in batch if not row.external]
        problems = [_Problem("external", (row.image_id,)) for row in batch if row.external]
        problems += _vector_problems(own, dimension, first_with)
        files = await to_thread.run_sync(_file_problems, own, has_file_elsewhere)
        changed = {image for problem in files for image in problem.images}
        older = [row.image_id for row in own if row.reading < READING and row.image_id not in changed]
        read = (await store.get(older, with_vectors=True)).values() if older else ()
        readings = await _readings(list(read), compare_reading)
        kinds = ((image, _READING_PROBLEMS.get(reading.kind)) for image, reading in readings.items())
        yield problems + files + [_Problem(kind, (image,)) for image, kind in kinds if kind]


def _vector_problems(
    rows: Sequence[VectorAndFile], dimension: int, first_with: dict[bytes, ImageId]
) -> Iterator[_Problem]:
    """Yield at most one problem of each vector."""
    fitting: list[tuple[ImageId, Vector]] = []
    for row in rows:
        if row.vector is None or row.vector.size != dimension:
            yield _Problem("wrong dimension", (row.image_id,))
        else:
            fitting.append((row.image_id, row.vector))
    if not fitting:
        return
    vectors = np.stack([vector for _, vector in fitting])
    checks = {
        "constant": (vectors == vectors[:, :1]).all(axis=1) & (dimension > 1),
        "zero": ~vectors.any(axis=1),
        "not finite": ~np.isfinite(vectors).all(axis=1),
    }
    kinds = {position: kind for kind, has_it in checks.items() for position in np.flatnonzero(has_it).tolist()}
    for position, (image_id, vector) in enumerate(fitting):
        if kind := kinds.get(position):
            yield _Problem(kind, (image_id,))
            continue
        first = first_with.setdefault(blake2b(vector.data, digest_size=16).digest(), image_id)
        if first != image_id:
            yield _Problem("duplicate vector", (first, image_id))


def _file_problems(rows: Sequence[VectorAndFile], has_file_elsewhere: HasFileElsewhere) -> list[_Problem]:
    found = ((row, _file_problem(row)) for row in rows)
    return [
        _Problem(kind, (row.image_id,), row.file)
        for row, kind in found
        if kind and not (kind == "file gone" and has_file_elsewhere(Path(row.file)))
    ]


def _file_problem(row: VectorAndFile) -> str | None:
    """Compare the file with its outcome, which may name another image by now, or none."""
    try:
        status = os.stat(row.file)  # noqa: PTH116  # an archive has many: a Path would take as long as the system's call
    except OSError:
        return "file gone"
    if not row.outcome:
        return None
    unchanged = row.outcome.image_id == row.image_id and row.outcome.is_unchanged(status.st_size, status.st_mtime_ns)
    return None if unchanged else "file changed"


async def _files_to_ingest(
    store: Store, compare_reading: CompareReading, has_file_elsewhere: HasFileElsewhere
) -> dict[Path, dict[str, ImageId]]:
    """Return the existing files whose ingest repairs a problem, with their images, by root."""
    ids: dict[ImageId, None] = {}
    async for problems in _problems(store, compare_reading, has_file_elsewhere):
        ids.update(
            (image, None) for problem in problems if problem.kind in _REPAIRED_BY_INGEST for image in problem.images
        )
    roots = [Path(root) for root in (await store.info()).roots]
    files: dict[Path, dict[str, ImageId]] = defaultdict(dict)
    remaining = iter(ids)
    while batch := list(islice(remaining, _BATCH)):
        for stored in (await store.get(batch)).values():
            file = stored.image.file
            parents = [root for root in roots if file.is_relative_to(root)]
            if parents and await to_thread.run_sync(file.is_file):
                files[_root(stored, parents)][str(file)] = stored.image.image_id
    return files


def _root(stored: StoredImage, parents: list[Path]) -> Path:
    """Return the root the image was ingested from; for an external one the nearest root above its file."""
    root = Path(stored.image.root)
    return root if root in parents else max(parents, key=lambda parent: len(parent.parts))
