"""What `mcp-cxr evaluate` costs at MIMIC-CXR's size: `python -m tests.bench evaluate`.

1,000 films ask for films like them, each label is asked for by its prompts, the index is held against an exact scan,
and the whole search is asked of 5,000 studies. The archive is that of `bench_answers`; CXR_BENCH_DIR keeps it.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import numpy as np

from mcp_cxr.evaluate import PROTOCOLS, EvaluationPlan
from tests.bench.bench_answers import _archive

if TYPE_CHECKING:
    from typing import Self

SECONDS_TO_KEEP = 180.0
QUERIES = 1000
_STATUS = Path("/proc/self/status")


class Memory:
    """Watches how much memory of its own this process holds; mapped files are not."""

    def __init__(self) -> None:
        self.most_mb = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            self.most_mb = max(self.most_mb, own_mb())


def own_mb() -> float:
    """Return the anonymous memory of this process."""
    (line,) = [line for line in _STATUS.read_text().splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) / 1024


async def measured() -> float:
    """Print each protocol's time and the memory it takes; return the seconds of the thousand questions."""
    async with _archive() as archive:
        images = (await archive.store.totals()).images
        print(f"{images:,} images; {QUERIES:,} questions; before it, {own_mb():.0f} MB")
        thousand = 0.0
        for name in PROTOCOLS:
            plan = EvaluationPlan(protocols=(name,), queries=QUERIES)
            with Memory() as memory:
                started = time.perf_counter()
                (found,) = (await archive.evaluate(plan)).protocols
                took = time.perf_counter() - started
            print(f"  {name:<10}{took:>7.1f} s  {memory.most_mb:>6.0f} MB  {found.skipped or ''}")
            thousand = took if name == "similar" else thousand
    return thousand


def main() -> int:
    if not _STATUS.exists():
        print("Evaluate: memory is read from /proc, which is not here; not measured.")
        return 0
    versions = f"Python {platform.python_version()}, numpy {np.__version__}, {platform.machine()}"
    print(f"Evaluate: {versions}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    took = anyio.run(measured)
    kept = took <= SECONDS_TO_KEEP
    print(
        f"  reading the archive and {QUERIES:,} questions: {took:.0f} s, at most {SECONDS_TO_KEEP:.0f}: "
        f"{'kept' if kept else 'NOT KEPT'}"
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
