"""Ingests a folder into the store."""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from mcp_cxr.errors import NotFound, StoreMissing, unwrap_exception_group
from mcp_cxr.ingest._classify import ClassifyStage
from mcp_cxr.ingest._counts import IngestCounts
from mcp_cxr.ingest._decode import DecodeStage
from mcp_cxr.ingest._embed import EmbedStage
from mcp_cxr.ingest._ids import IdAssigner
from mcp_cxr.ingest._internal_errors import InternalErrors
from mcp_cxr.ingest._plan import StopSignal, no_images_message
from mcp_cxr.ingest._record_outcomes import IngestCallbacks, OutcomeRecorder
from mcp_cxr.ingest._run import Run, Stages
from mcp_cxr.ingest._same_id import SameIdFiles
from mcp_cxr.ingest._stored_paths import StoredPaths
from mcp_cxr.ingest._study_facts import refresh_studies
from mcp_cxr.ingest._write import WriteStage
from mcp_cxr.layouts import read_layouts
from mcp_cxr.records import STUDY_FACTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from typing import Literal

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.images import ImageReader
    from mcp_cxr.ingest._ids import IdKey
    from mcp_cxr.ingest._plan import IngestPlan
    from mcp_cxr.layouts import Layouts
    from mcp_cxr.records import Fingerprint, IngestSummary, StoreInfo, StudyFact, StudyId
    from mcp_cxr.stores import Store

_STUDIES_AT_ONCE = 4096


async def ingest(
    plan: IngestPlan,
    *,
    store: Store,
    embedder: Embedder,
    image_reader: ImageReader,
    id_policy: Literal["hash", "keep"],
    id_key: IdKey,
    check_fingerprint: Callable[[], Awaitable[Fingerprint]],
    stop_signal: StopSignal | None = None,
    callbacks: IngestCallbacks | None = None,
) -> IngestSummary:
    """Add every readable image below `plan.path` to the store; create the store if there is none.

    It may be run again at any time, killed at any point, and run in several processes: nothing is lost or duplicated.
    If the embedding service fails, the run ends with `remaining` files; none of them counts as an error.

    Args:
        check_fingerprint: Raises `FingerprintMismatch` if the embedder does not match the stored vectors.

    Raises:
        NotFound: No file below the path looks like an image.
        EmbeddingError: The embedder cannot be reached.
        FingerprintMismatch: The store holds vectors of another embedder.
        ConfigError: The id key is missing or a different one.
        StoreError: The store fails; what was written before stays.
    """
    # Checked first: a folder given by mistake must not create an archive or become a root of one.
    stop_signal = stop_signal or StopSignal()
    if not await to_thread.run_sync(plan.has_candidates, stop_signal.ends_walk):
        return await _without_images(plan, stop_signal)
    layouts = await to_thread.run_sync(partial(read_layouts, plan.folders, only=plan.layout))
    callbacks = callbacks or IngestCallbacks()
    stored = await _prepare(plan, store, embedder, callbacks)
    if not plan.dry_run:
        await check_fingerprint()
    id_assigner = IdAssigner(id_policy, id_key, key_check=stored.key_check if stored else None)
    errors = InternalErrors(stop_signal)
    same_id = SameIdFiles(image_reader)
    paths = StoredPaths(store, plan.root)
    stages = Stages(
        ClassifyStage(plan, store, stored is not None, image_reader, id_assigner, layouts, paths, same_id, errors),
        DecodeStage(plan, image_reader, embedder.image_spec, layouts, errors),
        EmbedStage(embedder, check_fingerprint, stop_signal, errors),
        WriteStage(store, id_assigner, same_id, errors),
    )
    recorder = OutcomeRecorder(store, plan.dry_run, callbacks)
    run = Run(plan, stages, recorder, stop_signal, store.preferred_batch_size, image_reader.workers)
    with layouts, unwrap_exception_group():
        async with anyio.create_task_group() as clock:
            clock.start_soon(run.send_progress_regularly)
            await run.process_files()
            await _refresh(plan, recorder.counts, store, layouts, id_assigner, stop_signal)
            clock.cancel_scope.cancel()
        await recorder.send_progress()
        await to_thread.run_sync(plan.non_image_cache.save)
    recorder.counts.placeholders = id_assigner.placeholders
    recorder.counts.studies_of_one_patient = id_assigner.studies_of_one_patient()
    total = (await store.totals()).images if stored else 0
    return await _summary(plan, store, layouts, recorder.counts, total_in_store=total, advice=stop_signal.reason)


async def _without_images(plan: IngestPlan, stop_signal: StopSignal) -> IngestSummary:
    """Return the summary of a walk that was stopped before it met an image.

    Raises:
        NotFound: It was not stopped: there is none.
    """
    await to_thread.run_sync(plan.non_image_cache.save)
    if stop_signal.reason:
        return IngestCounts().summary(dry_run=plan.dry_run, total_in_store=0, advice=stop_signal.reason)
    raise NotFound(await to_thread.run_sync(no_images_message, plan.path))


async def _summary(
    plan: IngestPlan, store: Store, layouts: Layouts, counts: IngestCounts, *, total_in_store: int, advice: str | None
) -> IngestSummary:
    """Return the summary, with what came with the images and what did not join."""
    is_unfinished = not counts.walk_ended or counts.walked > counts.processed or not counts.studies_refreshed
    is_complete = not is_unfinished and plan.limit is None and plan.shard is None
    study_facts = await _study_facts(store, counts.study_ids) if counts.study_ids and not is_unfinished else {}
    return counts.summary(
        dry_run=plan.dry_run,
        total_in_store=total_in_store,
        advice=advice if is_unfinished else None,
        companions=layouts.table_uses(),
        unused=layouts.unused(is_complete=is_complete),
        study_facts=study_facts,
        notes=layouts.warnings(is_complete=is_complete),
    )


async def _study_facts(store: Store, study_ids: Collection[StudyId]) -> dict[StudyFact, int]:
    """Return how many of these studies have each fact."""
    total: Counter[StudyFact] = Counter()
    remaining = iter(study_ids)
    while batch := list(islice(remaining, _STUDIES_AT_ONCE)):
        total.update(await store.count_study_facts(batch))
    return {fact: total[fact] for fact in STUDY_FACTS}


async def _refresh(
    plan: IngestPlan,
    counts: IngestCounts,
    store: Store,
    layouts: Layouts,
    id_assigner: IdAssigner,
    stop_signal: StopSignal,
) -> None:
    """Update the study facts of images stored earlier, if there are any."""
    if (counts.skipped or counts.other_file_same_id) and not plan.dry_run and not stop_signal.reason:
        updated = await refresh_studies(
            plan.candidates(stop_signal.ends_walk), store, layouts, id_assigner, stop_signal
        )
        counts.studies_refreshed = updated is not None
        if updated:
            counts.studies_updated += updated.changed
            counts.study_ids |= updated.study_ids


async def _prepare(plan: IngestPlan, store: Store, embedder: Embedder, callbacks: IngestCallbacks) -> StoreInfo | None:
    """Create the store, or upgrade an old one, and bind it to this embedder; return what it records about itself.

    A dry run changes nothing.
    """
    if not plan.dry_run:
        await store.create(await embedder.fingerprint(), root=str(plan.root) if store.is_private else None)
        studies = await store.rebuild_documents_if_older()
        if studies is not None and callbacks.on_reports_reread:
            await callbacks.on_reports_reread(studies)
    try:
        return await store.info()
    except StoreMissing:
        return None
