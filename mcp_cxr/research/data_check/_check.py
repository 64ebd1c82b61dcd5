"""Makes the lists of a check, one after the other, from one reading of the archive."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anyio import to_thread

from mcp_cxr.errors import ConfigError
from mcp_cxr.records import LOCAL_ENCODER
from mcp_cxr.research.data_check._dates import list_dates
from mcp_cxr.research.data_check._duplicates import list_duplicates
from mcp_cxr.research.data_check._facts import ArchiveFacts
from mcp_cxr.research.data_check._labels import list_labels
from mcp_cxr.research.data_check._orientation import list_orientation
from mcp_cxr.research.data_check._outliers import list_outliers
from mcp_cxr.research.data_check._reports import list_reports
from mcp_cxr.research.data_check._result import LIST_NAMES, LIST_TITLES, CheckList, DataCheck, ListName
from mcp_cxr.research.data_check._views import VIEW_LISTS, list_views
from mcp_cxr.research.probes import ExampleReader
from mcp_cxr.research.vectors import read_vectors

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_cxr.records import Fingerprint, StoredImage, Vectors
    from mcp_cxr.research.data_check._orientation import RenderingSource
    from mcp_cxr.research.probes import Examples
    from mcp_cxr.stores import Store

MOST_ENTRIES = 1000
MOST_UNKNOWN_VIEWS = 50_000
"""Each image of unknown view gets a suggestion: MIMIC-CXR has 15,769."""


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """What to check."""

    lists: tuple[ListName, ...] = LIST_NAMES
    most: int = MOST_ENTRIES
    """Entries of each list that are kept; those of unknown views all are, up to 50,000."""
    today: dt.date = field(default_factory=lambda: dt.datetime.now(dt.UTC).date())
    """A study after it lies in the future."""

    def __post_init__(self) -> None:
        if unknown := [name for name in self.lists if name not in LIST_NAMES]:
            raise ConfigError(f"Unknown list {unknown[0]!r}. Known: {', '.join(LIST_NAMES)}.")
        if self.most < 1:
            raise ConfigError("Keep at least one entry of each list.")
        if not self.lists:
            raise ConfigError(f"Name at least one list: {', '.join(LIST_NAMES)}.")


async def check_data(
    store: Store, source: RenderingSource, plan: CheckPlan, *, version: str, on_progress: Callable[[str], None]
) -> DataCheck:
    """Look for data that may be wrong. Nothing is changed.

    Args:
        store: The archive.
        source: Renders and embeds images, for the list of inverted and rotated ones alone.
        plan: What to check.
        version: Of mcp-cxr.
        on_progress: Called with a line of text at each step.

    Raises:
        ConfigError: The archive has no images.
        StoreError: The store fails or was never made.
    """
    started = time.perf_counter()
    fingerprint = (await store.info()).fingerprint
    on_progress("Reading the archive ...")
    read = await _read(store)
    if fingerprint is None or not read.facts.image_ids:
        raise ConfigError("The archive has no images to check; ingest some.")
    maker = _ListMaker(store, source, plan, fingerprint, read)
    lists: list[CheckList] = []
    for name in LIST_NAMES:
        if name in plan.lists and not any(one.name == name for one in lists):
            on_progress(f"{LIST_TITLES[name]} ...")
            lists += [one for one in await maker.make(name) if one.name in plan.lists]
    return DataCheck(
        date=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        version=version,
        model=_model_of(fingerprint),
        images=len(read.facts.image_ids),
        studies=len(read.facts.studies),
        subjects=len(read.facts.subject_ids),
        seconds=round(time.perf_counter() - started, 1),
        lists=tuple(lists),
    )


def _model_of(fingerprint: Fingerprint) -> str:
    is_local = fingerprint.model == LOCAL_ENCODER and fingerprint.service
    return f"encoder {fingerprint.service}" if is_local else fingerprint.model


@dataclass(frozen=True, slots=True)
class _ArchiveData:
    """What was read of the archive."""

    facts: ArchiveFacts
    examples: Examples

    @property
    def vectors(self) -> Vectors:
        return self.examples.vectors


async def _read(store: Store) -> _ArchiveData:
    facts, examples = ArchiveFacts(), ExampleReader()

    def keep(stored: StoredImage) -> bool:
        return facts.add(stored) and examples.add(stored)

    read = await read_vectors(store, keep)
    return _ArchiveData(facts, examples.examples(read.image_ids, read.vectors))


@dataclass(frozen=True, slots=True)
class _ListMaker:
    """Makes each list by its name."""

    store: Store
    source: RenderingSource
    plan: CheckPlan
    fingerprint: Fingerprint
    read: _ArchiveData

    async def make(self, name: ListName) -> list[CheckList]:
        """Return the list; of the views both, which are made together."""
        facts, most = self.read.facts, self.plan.most
        if name == "reports":
            return [await list_reports(self.store, facts, most=most)]
        if name == "orientation":
            return [await list_orientation(self.store, facts, self.read.vectors, self.source, most=most)]
        if name == "duplicates":
            return [await self._duplicates()]
        if name == "outliers":
            sample = await self.store.reference_sample()
            return [await to_thread.run_sync(lambda: list_outliers(facts, self.read.vectors, sample, most=most))]
        return await to_thread.run_sync(self._computed, name)

    def _computed(self, name: ListName) -> list[CheckList]:
        facts, most = self.read.facts, self.plan.most
        if name == "labels":
            return [list_labels(facts, self.read.examples, most=most)]
        if name in VIEW_LISTS:
            return list_views(facts, self.read.vectors, most=most, most_unknown=MOST_UNKNOWN_VIEWS)
        return [list_dates(facts, today=self.plan.today, most=most)]

    async def _duplicates(self) -> CheckList:
        embedder = self.source.embedder
        if advice := self.fingerprint.other_model_advice(embedder.name):
            return CheckList(
                "duplicates", not_made=f"Near duplicates are found with the archive's own embedder. {advice}"
            )
        mean = (await self.store.reference_sample()).vectors.mean(axis=0)
        vectors, least = self.read.vectors, embedder.near_duplicate_cosine
        return await to_thread.run_sync(
            lambda: list_duplicates(self.read.facts, vectors, mean, least=least, most=self.plan.most)
        )
