"""A folder into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import to_thread

from mcp_cxr.errors import NotFound, StoreMissing, unwrap_exception_group
from mcp_cxr.ingest._identity import Identities
from mcp_cxr.ingest._known import KnownFiles
from mcp_cxr.ingest._pipeline import IngestCallbacks, Pipeline
from mcp_cxr.ingest._plan import StopSignal
from mcp_cxr.ingest._walk import candidates
from mcp_cxr.mimic import read_companions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from typing import Literal

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.images import Reader
    from mcp_cxr.ingest._identity import IdKey
    from mcp_cxr.ingest._plan import IngestPlan
    from mcp_cxr.records import Collection, Fingerprint, IngestSummary
    from mcp_cxr.stores import Store


async def ingest(
    plan: IngestPlan,
    *,
    store: Store,
    embedder: Embedder,
    reader: Reader,
    id_policy: Literal["hash", "keep"],
    id_key: IdKey,
    confirm: Callable[[], Awaitable[Fingerprint]],
    stop_signal: StopSignal | None = None,
    callbacks: IngestCallbacks | None = None,
) -> IngestSummary:
    """Bring every readable film below `plan.path` into the store; make the store where there is none.

    May be run again at any time, killed at any point, and run from several processes: nothing is lost or doubled.
    A service that fails ends the run with `remaining`; no file is blamed for it.

    Args:
        confirm: Raises `FingerprintMismatch` where the embedder does not fit what the store holds.

    Raises:
        NotFound: Nothing below the path looks like an image.
        EmbeddingError: The embedder cannot be asked at all.
        FingerprintMismatch: The store holds vectors of another embedder.
        ConfigError: The id key is lost or another one; a companion file is damaged.
        StoreError: The store fails; what was written before stays.
    """
    if not await to_thread.run_sync(_holds_candidates, plan.path):
        raise NotFound(f"No DICOM, PNG or JPEG files below {plan.path}; name the folder that holds the films.")
    companions = await to_thread.run_sync(read_companions, plan.folders)
    collection = await _prepare(plan, store, embedder)
    if not plan.dry_run:
        await confirm()
    identities = Identities(id_policy, id_key, key_check=collection.key_check if collection else None)
    known = KnownFiles(plan, store, collection is not None, reader, identities, companions)
    stop_signal = stop_signal or StopSignal()
    pipeline = Pipeline(plan, store, embedder, confirm, known, stop_signal, callbacks or IngestCallbacks())
    with unwrap_exception_group():
        tally = await pipeline.run()
    left = not tally.walk_ended or tally.found > tally.processed or not tally.is_refreshed
    total = (await store.totals()).images if collection else 0
    return tally.summary(dry_run=plan.dry_run, total_in_store=total, advice=stop_signal.reason if left else None)


def _holds_candidates(path: Path) -> bool:
    """Whether there are films: a folder named by mistake makes no archive, and becomes no root of one."""
    return next(candidates(path), None) is not None


async def _prepare(plan: IngestPlan, store: Store, embedder: Embedder) -> Collection | None:
    """Make the store and claim it for this embedder; a dry run only looks."""
    if not plan.dry_run:
        await store.create(await embedder.fingerprint(), root=str(plan.root) if store.is_private else None)
    try:
        return await store.info()
    except StoreMissing:
        return None
