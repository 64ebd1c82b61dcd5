"""Checks what an archive depends on, with advice for each fault."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import to_thread

from mcp_cxr.embeddings import CheckableEmbedder
from mcp_cxr.errors import ConfigError, EmbeddingError, StoreError, StoreMissing
from mcp_cxr.language import READER_VERSION
from mcp_cxr.records import LOCAL_ENCODER
from mcp_cxr.upkeep._fingerprint_check import WITHOUT_A_SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.ingest import IdKey
    from mcp_cxr.records import Fingerprint
    from mcp_cxr.stores import Store

_ROOT_MISSING = (
    "This folder is missing: mount it, or remove it from MCP_CXR_ROOTS. If its images moved, ingest them where they are"
    " now; `mcp-cxr table verify --repair` then removes this root."
)
_ALWAYS_SHARED = "ids, labels, header values, findings of reports"
_SHARED = {"reports": "report text", "images": "images", "dates": "study dates except MIMIC-CXR's"}
"""What each name of MCP_CXR_SHARE gives the model beside that."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Result of one check."""

    name: str
    ok: bool | None
    """None: not checked, because another check failed."""
    detail: str
    advice: str | None = None
    """What to do; None if nothing."""


async def run_checks(
    store: Store,
    embedder: Embedder,
    roots: Sequence[Path],
    id_key: IdKey | None = None,
    share: Mapping[str, bool] | None = None,
) -> list[CheckResult]:
    """Check the embedder, the store, whether their fingerprints match, and the roots; a failed check stops no other.

    Args:
        store: The archive.
        embedder: Embeds one image and one text, unless another made the archive.
        roots: Folders that must exist.
        id_key: The key that hashes ids, compared with the check value of the archive; None: not checked.
        share: Whether a host's model is given each part of MCP_CXR_SHARE, to be shown; None: not shown.
    """
    other = await _other_model(store, embedder)
    embedder_result, fingerprint = (_not_asked(embedder), None) if other else await _check_embedder(embedder)
    results = [embedder_result, *await _check_store(store, fingerprint), *other]
    results += [
        CheckResult(
            "file system" if store.is_private else "privileges", ok=False, detail=store.location, advice=warning
        )
        for warning in await store.location_warnings()
    ]
    results += await _check_id_key(store, id_key)
    results += [] if share is None else [_describe_share(share)]
    return [*results, *(_check_root(root) for root in roots)]


def _describe_share(share: Mapping[str, bool]) -> CheckResult:
    """Return what MCP_CXR_SHARE gives a host's model, and what it does not."""
    given = ", ".join([_ALWAYS_SHARED, *(_SHARED[name] for name, is_given in share.items() if is_given)])
    withheld = ", ".join(_SHARED[name] for name, is_given in share.items() if not is_given) or "nothing"
    return CheckResult("share", ok=True, detail=f"given to the model: {given}; withheld: {withheld}")


async def _check_id_key(store: Store, id_key: IdKey | None) -> list[CheckResult]:
    """Return the failure of a key that is missing or not the one that hashed the archive's ids; nothing if it is."""
    from mcp_cxr.ingest import check_value_of_key  # loaded late: a search needs no ingest

    try:
        key_check = check_value_of_key((await store.info()).key_check)
    except (StoreError, ConfigError):  # reported by `_check_store`
        return []
    if id_key is None or key_check is None:
        return []
    try:
        await to_thread.run_sync(partial(id_key.read, key_check=key_check))
    except ConfigError as exc:
        return [CheckResult("id key", ok=False, detail="ids cannot be hashed", advice=str(exc))]
    return [CheckResult("id key", ok=True, detail="the key that hashed this archive's ids")]


def _check_root(root: Path) -> CheckResult:
    if not root.is_absolute():
        return CheckResult(
            "root", ok=False, detail=str(root), advice=f"{root} is a relative path; use an absolute path."
        )
    exists = os.path.isdir(root)  # noqa: PTH112  # Path.is_dir raises if the folder cannot be reached
    return CheckResult("root", exists, str(root), None if exists else _ROOT_MISSING)


def _can_create(folder: Path) -> bool:
    """Whether a folder exists, or its first existing parent is a folder in which it can be created."""
    existing = next(parent for parent in (folder, *folder.parents) if os.path.lexists(parent))
    return os.path.isdir(existing) and os.access(existing, os.W_OK | os.X_OK)  # noqa: PTH112  # as in `_check_root`


async def _other_model(store: Store, embedder: Embedder) -> list[CheckResult]:
    """Return the failure of an archive that was made with another model; it is known without the embedder's service."""
    try:
        made_with = (await store.info()).fingerprint
    except (StoreError, ConfigError):  # reported by `_check_store`
        return []
    advice = made_with.other_model_advice(embedder.name) if made_with else None
    if not made_with or not advice:
        return []
    return [CheckResult("fingerprint", ok=False, detail=f"made with {made_with.description}", advice=advice)]


def _not_asked(embedder: Embedder) -> CheckResult:
    return CheckResult(
        "embedder", ok=None, detail=f"{embedder.name}; not checked: this archive was made with another embedder"
    )


async def _check_embedder(embedder: Embedder) -> tuple[CheckResult, Fingerprint | None]:
    """Check that a service is ready or an encoder loads, and time the embedding of one image and one text."""
    try:
        check = await embedder.check() if isinstance(embedder, CheckableEmbedder) else None
        fingerprint = await embedder.fingerprint()
    except EmbeddingError as exc:
        return CheckResult("embedder", ok=False, detail=embedder.name, advice=str(exc)), None
    detail = fingerprint.description
    if check:
        times = f"one image {check.image_ms:.0f} ms, one text {check.text_ms:.0f} ms"
        detail += f", {fingerprint.service_description}; {times}; reads {embedder.max_text_words} words of a text"
    return CheckResult("embedder", ok=True, detail=detail), fingerprint


async def _check_store(store: Store, fingerprint: Fingerprint | None) -> list[CheckResult]:
    try:
        info, totals = await store.info(), await store.totals()
    except StoreMissing as exc:
        if exc.external:
            detail = f"{store.location}: only rows of another program ({exc.external})"
            return [CheckResult("store", ok=True, detail=detail, advice=str(exc))]
        if store.is_private and not _can_create(Path(store.location).parent):
            detail = f"{store.location} cannot be created"
            return [CheckResult("store", ok=False, detail=detail, advice="Set MCP_CXR_DATA_DIR to a writable folder.")]
        trial = "" if fingerprint else f" {WITHOUT_A_SERVICE}"
        advice = f"Nothing has been ingested yet: run `mcp-cxr ingest PATH`.{trial}"
        return [CheckResult("store", ok=True, detail=f"{store.location}: empty", advice=advice)]
    except (StoreError, ConfigError) as exc:  # a refused login is a ConfigError
        return [CheckResult("store", ok=False, detail=store.location, advice=str(exc))]
    detail = f"{store.location}: {totals.images} images"
    if store.connection_status:
        detail += f"; {store.connection_status}"
    results = [CheckResult("store", ok=True, detail=detail)]
    if info.reader_version < READER_VERSION:
        advice = "Search by words is refused: run `mcp-cxr table verify --repair` or ingest again; nothing is embedded."
        results.append(CheckResult("reports", ok=False, detail="read by an older version of mcp-cxr", advice=advice))
    if fingerprint and info.fingerprint:
        results.append(_compare(fingerprint, info.fingerprint))
    if totals.external:
        advice = "Ingest their files again to make them searchable."
        results.append(
            CheckResult("external rows", ok=False, detail=f"{totals.external} of {totals.images}", advice=advice)
        )
    return results


def _compare(current: Fingerprint, made_with: Fingerprint) -> CheckResult:
    """Compare the embedder's fingerprint with the one the archive was made with."""
    advice = None
    if current.dimension != made_with.dimension:
        advice = made_with.mismatch(current)
    elif current.preprocessing != made_with.preprocessing:
        setting = "MCP_CXR_MODEL_DIR" if current.model == LOCAL_ENCODER else "NVCLIP_IMAGE_SIZE"
        advice = (
            f"Preprocessing is {current.preprocessing} now: set {setting} to its old value, or install the"
            " mcp-cxr version that made this archive."
        )
    elif current != made_with:
        again = "compares their canned vectors" if current.canned else "embeds some stored images again"
        advice = (
            f"The embedder was {made_with.service_description} then. The next search or ingest {again},"
            " and continues only if the vectors are the same."
        )
    detail = f"made with {made_with.description}"
    return CheckResult("fingerprint", current.is_comparable_with(made_with), detail, advice)
