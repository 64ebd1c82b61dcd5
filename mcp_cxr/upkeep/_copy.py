"""Moves an archive from one store to another without embedding again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import StoreMissing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_cxr.records import Collection, StoredImage
    from mcp_cxr.stores import Store

_PAGE = 250


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy did."""

    copied: int
    """Images written to the target."""
    skipped: int
    """Images that were there already, the same in every part."""
    external: int
    """Images that another program wrote; they stay behind."""


async def copy(source: Store, target: Store, *, on_progress: Callable[[int], Awaitable[None]] | None = None) -> Copied:
    """Bring everything of ours in `source` into `target`: images, vectors, studies, and what became of their files.

    May be killed and run again: what is there and the same is left alone. What the target holds besides stays.

    Args:
        on_progress: Hears how many images have been looked at.

    Raises:
        StoreMissing: The source was never made, or holds no image of ours.
        FingerprintMismatch: The target holds vectors of another embedder.
        ConfigError: The target's ids were hashed with another key.
        StoreError: A store fails; what was written before stays.
    """
    await _join(await source.info(), source, target)
    copied = skipped = external = 0
    after = None
    while page := await source.images_after(after, limit=_PAGE):
        after = page[-1].image.image_id
        ours = [stored for stored in page if not stored.external]
        changed = await _differing(ours, target)
        await _write(changed, source, target)
        external += len(page) - len(ours)
        copied += len(changed)
        skipped += len(ours) - len(changed)
        if on_progress:
            await on_progress(copied + skipped + external)
    return Copied(copied, skipped, external)


async def _join(collection: Collection, source: Store, target: Store) -> None:
    """Give the target the source's fingerprint and key check, and its roots if it keeps any."""
    if collection.fingerprint is None:
        raise StoreMissing(f"{source.location} holds no vectors yet; there is nothing to copy.")
    await target.create(collection.fingerprint, key_check=collection.key_check)
    for root in collection.roots if target.is_private else ():
        await target.create(root=root)


async def _differing(ours: list[StoredImage], target: Store) -> list[StoredImage]:
    """Return those that the target lacks or has otherwise."""
    there = await target.get([stored.image.image_id for stored in ours], vectors=True)
    return [stored for stored in ours if not _same(stored, there.get(stored.image.image_id))]


def _same(here: StoredImage, there: StoredImage | None) -> bool:
    if there is None or there.external or here.vector is None or there.vector is None:
        return False
    return (here.image, here.study) == (there.image, there.study) and np.array_equal(here.vector, there.vector)


async def _write(changed: list[StoredImage], source: Store, target: Store) -> None:
    """Write in the order of an ingest: a file is done last."""
    if not changed:
        return
    studies = {stored.study.study_id: stored.study for stored in changed}
    await target.put_studies(list(studies.values()))
    await target.put(
        [stored.image for stored in changed],
        np.stack([stored.vector for stored in changed if stored.vector is not None]),
    )
    paths = [str(stored.image.file) for stored in changed]
    await target.record_outcomes(list((await source.outcomes(paths)).values()))
