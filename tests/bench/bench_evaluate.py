"""Time and memory of `mcp-cxr evaluate` at MIMIC-CXR's size: `python -m tests.bench evaluate`.

It runs every protocol: 1,000 images as queries, the prompts of each label, the index against an exact scan, and the
search over a copy of 5,000 studies. The archive is that of `bench_answers`; CXR_BENCH_DIR keeps it.
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

MAX_SECONDS = 180.0
QUERIES = 1000
_STATUS = Path("/proc/self/status")


class Memory:
    """Records the peak of the process's anonymous memory, which mapped files are not part of."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
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
            self.peak_mb = max(self.peak_mb, anonymous_mb())


def anonymous_mb() -> float:
    """Return the anonymous memory of this process in MB."""
    (line,) = [line for line in _STATUS.read_text().splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) / 1024


async def measure() -> float:
    """Print the time and memory of each protocol; return the seconds of the thousand queries of `similar`."""
    async with _archive() as archive:
        images = (await archive.store.totals()).images
        print(f"{images:,} images; {QUERIES:,} queries; before it, {anonymous_mb():.0f} MB")
        similar_s = 0.0
        for name in PROTOCOLS:
            plan = EvaluationPlan(protocols=(name,), queries=QUERIES)
            with Memory() as memory:
                started = time.perf_counter()
                (result,) = (await archive.evaluate(plan)).protocols
                took = time.perf_counter() - started
            print(f"  {name:<10}{took:>7.1f} s  {memory.peak_mb:>6.0f} MB  {result.skipped or ''}")
            similar_s = took if name == "similar" else similar_s
    return similar_s


def main() -> int:
    if not _STATUS.exists():
        print("Evaluate: not measured, because memory is read from /proc, which this system does not have.")
        return 0
    versions = f"Python {platform.python_version()}, numpy {np.__version__}, {platform.machine()}"
    print(f"Evaluate: {versions}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    took = anyio.run(measure)
    fast_enough = took <= MAX_SECONDS
    print(
        f"  reading the archive and {QUERIES:,} queries: {took:.0f} s, at most {MAX_SECONDS:.0f}: "
        f"{'kept' if fast_enough else 'NOT KEPT'}"
    )
    return 0 if fast_enough else 1


if __name__ == "__main__":
    sys.exit(main())
