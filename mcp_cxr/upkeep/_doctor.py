"""Checks what an archive leans on, and says what to do about each fault."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mcp_cxr.embeddings import NvclipEmbedder
from mcp_cxr.errors import ConfigError, EmbeddingError, StoreError, StoreMissing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.records import Fingerprint
    from mcp_cxr.stores import Store

_ROOT_GONE = (
    "This folder is gone: mount it, take it out of MCP_CXR_ROOTS, or ingest its films where they are now; once none is "
    "shown from it, `mcp-cxr table verify --repair` takes it out of the archive."
)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found."""

    name: str
    ok: bool
    detail: str
    advice: str | None = None
    """What to do; None where nothing is to be done."""

    def as_dict(self) -> dict[str, Any]:
        """Return the finding for JSON."""
        return asdict(self)


async def examine(store: Store, embedder: Embedder, roots: Sequence[Path]) -> list[CheckResult]:
    """Check the embedder, the store, whether both fit together, and the roots; one check's fault stops no other."""
    embedding, own = await _embedder(embedder)
    findings = [embedding, *await _store(store, own)]
    findings += [
        CheckResult("place", ok=False, detail=store.location, advice=danger)
        for danger in await store.location_warnings()
    ]
    return findings + [_root(root) for root in roots]


def _root(root: Path) -> CheckResult:
    is_there = os.path.isdir(root)  # noqa: PTH112  # Path's own raises where a folder cannot be reached
    return CheckResult("root", is_there, str(root), None if is_there else _ROOT_GONE)


async def _embedder(embedder: Embedder) -> tuple[CheckResult, Fingerprint | None]:
    """Ask for everything a service can show: whether it is ready, what it is, a picture and a text with their times."""
    try:
        check = await embedder.check() if isinstance(embedder, NvclipEmbedder) else None
        own = await embedder.fingerprint()
    except EmbeddingError as exc:
        return CheckResult("embedder", ok=False, detail=embedder.name, advice=str(exc)), None
    detail = own.description
    if check:
        detail += f", {own.service_description}; one picture {check.image_ms:.0f} ms, one text {check.text_ms:.0f} ms"
    return CheckResult("embedder", ok=True, detail=detail), own


async def _store(store: Store, own: Fingerprint | None) -> list[CheckResult]:
    try:
        collection, totals = await store.info(), await store.totals()
    except StoreMissing:
        trial = "" if own else " Without a service, MCP_CXR_EMBEDDER=offline lets you try everything but meaning."
        advice = f"Nothing has been ingested yet: run `mcp-cxr ingest PATH`.{trial}"
        return [CheckResult("store", ok=True, detail=f"{store.location}: empty", advice=advice)]
    except (StoreError, ConfigError) as exc:  # a refused login is one of configuration
        return [CheckResult("store", ok=False, detail=store.location, advice=str(exc))]
    detail = f"{store.location}: {totals.images} images"
    findings = [
        CheckResult(
            "store", ok=True, detail=f"{detail}; {store.connection_status}" if store.connection_status else detail
        )
    ]
    if own and collection.fingerprint:
        findings.append(_fit(own, collection.fingerprint))
    if totals.external:
        advice = "Ingest their files again to make them searchable."
        findings.append(
            CheckResult("external rows", ok=False, detail=f"{totals.external} of {totals.images}", advice=advice)
        )
    return findings


def _fit(own: Fingerprint, made_with: Fingerprint) -> CheckResult:
    """Tell whether the embedder is the one the archive was made with."""
    advice = None
    if (own.model, own.dimension) != (made_with.model, made_with.dimension):
        advice = f"Set the embedder this archive was made with ({made_with.model}), or make a new archive."
    elif own.preprocessing != made_with.preprocessing:
        advice = (
            f"Pictures are prepared otherwise now ({own.preprocessing}): set NVCLIP_IMAGE_SIZE as it was, use the "
            "mcp-cxr that made this archive, or make a new one."
        )
    elif own != made_with:
        advice = (
            f"The service was {made_with.service_description} then. The next search or ingest embeds some stored "
            "images again, and goes on only if the vectors are the same."
        )
    return CheckResult("fingerprint", own.same_space(made_with), f"made with {made_with.description}", advice)
