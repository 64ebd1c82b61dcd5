"""Finds what is wrong in a collection, and mends what can be mended from the films' files."""

from __future__ import annotations

import stat
from collections import Counter, defaultdict
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.records import Outcome, Repair, Verification

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from mcp_cxr.records import ImageId, StoredImage
    from mcp_cxr.stores import Store

    Again = Callable[[Path, frozenset[str]], Awaitable[object]]
    """Ingests these files below this root anew."""

_PAGE = 1000
_OF_VECTORS = ("zero", "constant", "not finite", "wrong dimension", "duplicate vector")
_OF_FILES = ("file changed", "file gone")
PROBLEMS = (*_OF_VECTORS, "orphaned", *_OF_FILES, "root gone", "external")
_MENDED_FROM_FILES = frozenset((*_OF_VECTORS, "file changed", "external"))
_NEVER_MET = -1  # bytes: a file of that size is never found, so that what is recorded so is looked at anew


@dataclass(frozen=True, slots=True)
class _Flaw:
    problem: str
    """One of `PROBLEMS`."""
    images: tuple[ImageId, ...]
    """Whose it is; of two with the same vector, both."""


async def verify(store: Store) -> Verification:
    """Walk the whole collection: its vectors, and the files they came from.

    A duplicate vector is one that an image before it has too, to the bit: the same picture under another id. An
    orphaned one belongs to no image. A root that is gone is counted where no image comes from it; where some do, their
    files are gone. Foreign rows are counted as such and not looked at further.
    """
    found = Counter(
        {"orphaned": await store.count_orphans(), "root gone": await store.count_unused_roots(await _gone(store))}
    )
    async for flaws in _walk(store):
        found.update(flaw.problem for flaw in flaws)
    images = (await store.totals()).images
    return Verification(images, {name: found[name] for name in PROBLEMS})


async def repair(store: Store, again: Again) -> Repair:
    """Remove orphaned vectors and roots that are gone, and have films embedded anew where that mends a flaw.

    That needs their files. What a file that is gone became stays: only `forget` removes images. May be killed and run
    again: what is to be embedded anew is recorded first, so that an ordinary ingest does the rest too.

    Raises:
        CxrError: As ingest does; what was mended before stays.
    """
    before = await verify(store)
    await store.count_orphans(remove=True)
    await store.count_unused_roots(await _gone(store), remove=True)
    for root, files in (await _to_mend(store)).items():
        await store.record_outcomes([Outcome(file, _NEVER_MET, 0, image) for file, image in files.items()])
        await again(root, frozenset(files))
    after = await verify(store)
    mended = {name: max(0, before.problems[name] - after.problems[name]) for name in PROBLEMS}
    return Repair(after.images, after.problems, mended)


async def _gone(store: Store) -> list[str]:
    """Return the recorded roots that are no folders any more; one that only cannot be reached may come back."""
    roots = (await store.info()).roots
    return await to_thread.run_sync(lambda: [root for root in roots if _is_gone(Path(root))])


def _is_gone(root: Path) -> bool:
    try:
        return not stat.S_ISDIR(root.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


async def _walk(store: Store) -> AsyncIterator[list[_Flaw]]:
    """Yield the flaws of the images, a page at a time."""
    fingerprint = (await store.info()).fingerprint
    dimension = fingerprint.dimension if fingerprint else 0
    seen: dict[bytes, ImageId] = {}
    after = None
    while page := await store.images_after(after, limit=_PAGE):
        after = page[-1].image.image_id
        ours = [stored for stored in page if not stored.external]
        flaws = [_Flaw("external", (stored.image.image_id,)) for stored in page if stored.external]
        flaws += (flaw for stored in ours if (flaw := _vector_flaw(stored, dimension, seen)))
        yield flaws + await _file_flaws(store, ours)


def _vector_flaw(stored: StoredImage, dimension: int, seen: dict[bytes, ImageId]) -> _Flaw | None:
    vector, image_id = stored.vector, stored.image.image_id
    if vector is None or vector.size != dimension:
        return _Flaw("wrong dimension", (image_id,))
    if not np.isfinite(vector).all():
        return _Flaw("not finite", (image_id,))
    if not vector.any():
        return _Flaw("zero", (image_id,))
    if dimension > 1 and (vector == vector[0]).all():
        return _Flaw("constant", (image_id,))
    first = seen.setdefault(blake2b(vector.tobytes(), digest_size=16).digest(), image_id)
    return None if first == image_id else _Flaw("duplicate vector", (first, image_id))


async def _file_flaws(store: Store, images: list[StoredImage]) -> list[_Flaw]:
    places = {stored.image.image_id: str(stored.image.file) for stored in images}
    outcomes = await store.outcomes(places.values())

    def look() -> list[_Flaw]:
        found = ((image_id, _file_problem(image_id, place, outcomes.get(place))) for image_id, place in places.items())
        return [_Flaw(problem, (image_id,)) for image_id, problem in found if problem]

    return await to_thread.run_sync(look)


def _file_problem(image_id: ImageId, place: str, met: Outcome | None) -> str | None:
    """Tell whether the file is still the one that became this image; by now it may have become another one, or none."""
    try:
        status = Path(place).stat()
    except OSError:
        return "file gone"
    unchanged = not met or (met.image_id == image_id and met.is_unchanged(status.st_size, status.st_mtime_ns))
    return None if unchanged else "file changed"


async def _to_mend(store: Store) -> dict[Path, dict[str, ImageId]]:
    """Return the files to embed anew with their images, by root; files that are not there are left out."""
    ids: dict[ImageId, None] = {}
    async for flaws in _walk(store):
        ids.update((image, None) for flaw in flaws if flaw.problem in _MENDED_FROM_FILES for image in flaw.images)
    roots = [Path(root) for root in (await store.info()).roots]
    files: dict[Path, dict[str, ImageId]] = defaultdict(dict)
    for chunk in _chunks(ids):
        for stored in (await store.get(chunk)).values():
            place = stored.image.file
            below = [root for root in roots if place.is_relative_to(root)]
            if below and await to_thread.run_sync(place.is_file):
                files[_root(stored, below)][str(place)] = stored.image.image_id
    return files


def _root(stored: StoredImage, below: list[Path]) -> Path:
    """Return the root it was ingested from; for a foreign image the nearest one."""
    own = Path(stored.image.root)
    return own if own in below else max(below, key=lambda root: len(root.parts))


def _chunks(ids: Iterable[ImageId]) -> Iterator[list[ImageId]]:
    left = iter(ids)
    while chunk := list(islice(left, _PAGE)):
        yield chunk
