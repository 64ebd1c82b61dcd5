"""Copies an archive from one store to another without embedding again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import StoreMissing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_cxr.records import StoredImage
    from mcp_cxr.stores import Store

_BATCH = 250


@dataclass(frozen=True, slots=True)
class CopySummary:
    """Counts of a copy."""

    copied: int
    """Images written to the target."""
    skipped: int
    """Images that the target had already, equal in every part."""
    external: int
    """External images, which are not copied."""


async def copy(
    source: Store, target: Store, *, on_progress: Callable[[int], Awaitable[None]] | None = None
) -> CopySummary:
    """Copy images, vectors, studies and file outcomes from `source` to `target`, except external rows.

    May be stopped and run again: what is equal in the target is skipped. What else the target holds stays.

    Args:
        on_progress: Called with the number of images compared so far.

    Raises:
        StoreMissing: The source was never created, or holds no vectors.
        FingerprintMismatch: The target holds vectors of another embedder.
        ConfigError: The target's ids were hashed with another key.
        StoreError: A store fails; what was written before stays.
    """
    await _prepare(source, target)
    copied = skipped = external = 0
    after = None
    while batch := await source.images_after(after, limit=_BATCH):
        after = batch[-1].image.image_id
        own = [stored for stored in batch if not stored.external]
        changed = await _differing(own, target)
        await _write(changed, source, target)
        external += len(batch) - len(own)
        copied += len(changed)
        skipped += len(own) - len(changed)
        if on_progress:
            await on_progress(copied + skipped + external)
    return CopySummary(copied, skipped, external)


async def _prepare(source: Store, target: Store) -> None:
    """Create the target with the source's fingerprint and key check, and its roots if the target is private."""
    info = await source.info()
    if info.fingerprint is None:
        raise StoreMissing(f"{source.location} holds no vectors yet; there is nothing to copy.")
    await target.create(info.fingerprint, key_check=info.key_check)
    await target.rebuild_documents_if_older()
    for root in info.roots if target.is_private else ():
        await target.create(root=root)


async def _differing(images: list[StoredImage], target: Store) -> list[StoredImage]:
    """Return the images that the target lacks, or whose copy there differs."""
    existing = await target.get([stored.image.image_id for stored in images], with_vectors=True)
    return [stored for stored in images if not _are_equal(stored, existing.get(stored.image.image_id))]


def _are_equal(stored: StoredImage, copy: StoredImage | None) -> bool:
    if copy is None or copy.external or stored.vector is None or copy.vector is None:
        return False
    return (stored.image, stored.study) == (copy.image, copy.study) and np.array_equal(stored.vector, copy.vector)


async def _write(changed: list[StoredImage], source: Store, target: Store) -> None:
    """Write in the order of an ingest: outcomes of files last."""
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
