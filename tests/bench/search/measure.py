"""One engine in a process of its own: `python -m tests.bench.search.measure build|query|first ENGINE COUNT`."""

# ruff: noqa: T201  # prints to `bench_search`

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import numpy as np

from tests.bench.search.data import BENCH, QUERIES, Data
from tests.bench.search.engines import ENGINES, Engine, Ours

_BUDGET_S = 8.0  # for one filter; a slow engine gets fewer queries
_WARM_UP_S = 1.0
_FEWEST = 8


def folder_of(engine: str, count: int) -> Path:
    return BENCH / "archives" / f"{engine.replace(' ', '-')}-{count}"


def opened(engine: str, count: int) -> Engine:
    return ENGINES[engine](Data(count), folder_of(engine, count))


def hold_to_one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


async def build(engine: str, count: int) -> dict[str, Any]:
    """Build the archive unless it exists."""
    folder = folder_of(engine, count)
    facts = folder / "told.json"  # as in archives built before
    if not facts.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        began = time.perf_counter()
        found = await opened(engine, count).build()
        facts.write_text(json.dumps({**found, "build_s": round(time.perf_counter() - began, 1)}))
    disk = sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
    return {**json.loads(facts.read_text()), "disk_gb": round(disk / 1e9, 3)}


async def query(engine: str, count: int) -> dict[str, Any]:
    """Run all queries with each filter, some of them first to warm up."""
    data, one = Data(count), opened(engine, count)
    await one.open()
    order = [half * QUERIES + number for number in range(QUERIES) for half in (0, 1)]
    result: dict[str, Any] = {}
    for which in one.filters:
        await _timed(one, data, which, order, budget_s=_WARM_UP_S, fewest=2)
        times, found = await _timed(one, data, which, order, budget_s=_BUDGET_S, fewest=_FEWEST)
        result[which] = {
            "p50_ms": _ms(times, 50),
            "p95_ms": _ms(times, 95),
            "queries": len(times),
            "recall": round(float(np.mean([data.recall(which, number, hits) for number, hits in found.items()])), 4),
        }
    result["private_mb"] = _anonymous_mb()
    if isinstance(one, Ours):
        result["reading"] = await _beside_reading(one, data, order)
    return result


async def _timed(
    one: Engine, data: Data, which: str, order: list[int], *, budget_s: float, fewest: int
) -> tuple[list[float], dict[int, list[int]]]:
    times: list[float] = []
    found: dict[int, list[int]] = {}
    for number in order:
        began = time.perf_counter()
        found[number] = await one.search(data.queries[number], which, number)
        times.append(time.perf_counter() - began)
        if sum(times) > budget_s and len(times) >= fewest:
            break
    return times, found


async def _beside_reading(one: Ours, data: Data, order: list[int]) -> dict[str, float]:
    """Take turns, so that all get the same load: read all int8 bytes, query without a filter, query for LATERAL."""
    words = one.codes().view(np.uint64)
    taken: dict[str, list[float]] = {"reading": [], "none": [], "LATERAL": []}
    for number in order:
        began = time.perf_counter()
        words.sum()
        taken["reading"].append(time.perf_counter() - began)
        for which in ("none", "LATERAL"):
            began = time.perf_counter()
            await one.search(data.queries[number], which, number)
            taken[which].append(time.perf_counter() - began)
    medians = {name: _ms(times, 50) for name, times in taken.items()}
    best = {f"least_{name}": round(1000 * min(times), 3) for name, times in taken.items()}
    return {**medians, **best, "none_by_reading": round(medians["none"] / medians["reading"], 3)}


async def first(engine: str, count: int) -> str:
    """Open and run one query; the parent measures from the start of the interpreter."""
    one = opened(engine, count)
    await one.open()
    query = np.load(BENCH / "questions.npz")["vectors"][0]
    return f"answered {len(await one.search(query, 'none', 0))}"


def _ms(times: list[float], percentile: float) -> float:
    return round(1000 * float(np.percentile(times, percentile)), 3)


def _anonymous_mb() -> float | None:
    """Return the private memory of this process, mapped files excluded."""
    try:
        text = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^Anonymous:\s+(\d+) kB", text, re.MULTILINE)
    return round(int(found[1]) / 1000, 1) if found else None


if __name__ == "__main__":
    what, name, images = sys.argv[1:]
    if what != "build":
        hold_to_one_core()
    print(json.dumps(anyio.run({"build": build, "query": query, "first": first}[what], name, int(images))), flush=True)
