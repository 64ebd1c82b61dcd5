"""CPU time and memory of `mcp-cxr check-data` at MIMIC-CXR's size: `python -m tests.bench check_data`.

One reading of the archive, then each list; one row a list. Vectors and labels are made up and no image has a file, so
that the list of inverted and rotated images, whose time is that of the embedder, is not made. The archive is that of
`bench_answers`; CXR_BENCH_DIR keeps it.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import os
import platform
import sys
import time
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np

from mcp_cxr.errors import EmbeddingUnavailable
from mcp_cxr.records import LABELS
from mcp_cxr.research.data_check import LIST_NAMES, LIST_TITLES, CheckPlan, RenderingSource, check_data
from tests.bench.bench_answers import _archive
from tests.bench.bench_evaluate import Memory, anonymous_mb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.records import Fingerprint, ImageId, ImageSpec, Rendering, StoredImage, StudyId
    from mcp_cxr.research.data_check import DataCheck, ListName
    from mcp_cxr.stores import Store

MAX_CPU_S = 400.0
"""Twice what it took when it was written, on two cores that other work had, too."""
_END = "end"
_STATUS = Path("/proc/self/status")


async def _no_service() -> Fingerprint:
    raise EmbeddingUnavailable("Not measured: made-up vectors have no encoder.")


async def _no_sample(_spec: ImageSpec, _most: int) -> list[Rendering]:
    return []


async def _no_rendering(_stored: StoredImage) -> Rendering:
    raise EmbeddingUnavailable("Not measured: made-up vectors have no images.")


class FourteenLabels:
    """The store of an archive, whose studies have a value of each of the 14 labels, made up from their id."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def images_after(self, after: ImageId | None, *, limit: int) -> list[StoredImage]:
        page = await self._store.images_after(after, limit=limit)
        return [replace(one, study=replace(one.study, labels=_labels_of(one.image.study_id))) for one in page]


def _labels_of(study: StudyId) -> dict[str, int]:
    """Return the values: each label is present in one study of eight."""
    draws = blake2b(study.encode(), digest_size=len(LABELS)).digest()
    return {label: int(draw < 32) for label, draw in zip(LABELS, draws, strict=True)}


class Steps:
    """The CPU time and the peak memory of each step, by the line of progress that begins it."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, float]] = []
        self._name = ""
        self._started = 0.0
        self._memory = Memory()

    def begin(self, name: str) -> None:
        """End the last step, and begin another one."""
        if self._name:
            self._memory.__exit__()
            self.rows.append((self._name, time.process_time() - self._started, self._memory.peak_mb))
        self._name, self._started, self._memory = name, time.process_time(), Memory()
        if name != _END:
            self._memory.__enter__()


async def measure(lists: Sequence[ListName]) -> tuple[DataCheck, Steps]:
    """Return these lists of a check of the whole archive, and what its steps took."""
    steps = Steps()
    async with _archive() as archive:
        source = RenderingSource(archive.embedder, _no_service, _no_sample, _no_rendering)
        print(f"before it, {anonymous_mb():.0f} MB")
        store: Any = FourteenLabels(archive.store)
        plan = CheckPlan(lists=tuple(lists))
        check = await check_data(store, source, plan, version="bench", on_progress=steps.begin)
        steps.begin(_END)
    return check, steps


def main(lists: Sequence[ListName] = LIST_NAMES) -> int:
    if not _STATUS.exists():
        print("Check of the data: not measured, because memory is read from /proc, which this system does not have.")
        return 0
    print(f"Check of the data: Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores")
    check, steps = anyio.run(measure, lists)
    print(f"{check.images:,} images of {check.studies:,} studies and {check.subjects:,} patients")
    found = {LIST_TITLES[one.name]: one for one in check.lists}
    for title, cpu_s, peak_mb in steps.rows:
        one = found.get(title.removesuffix(" ..."))
        print(f"  {title.removesuffix(' ...'):<52}{cpu_s:>7.1f} CPU s{peak_mb:>7.0f} MB  {_outcome(one)}")
    total = sum(cpu_s for _, cpu_s, _ in steps.rows)
    print(f"  {'all of it':<52}{total:>7.1f} CPU s; at most {MAX_CPU_S:.0f}")
    assert [one.name for one in check.lists] == list(lists)
    return 0 if total <= MAX_CPU_S else 1


def _outcome(one: object) -> str:
    total, not_made = getattr(one, "total", None), getattr(one, "not_made", None)
    return "" if one is None else not_made or f"{total:,} found"


if __name__ == "__main__":
    sys.exit(main())
