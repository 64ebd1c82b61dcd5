"""Search from 10,000 to 377,110 images, beside other engines: `python -m tests.bench.bench_search [SIZE ...]`.

Each engine works in processes of its own, on one core where the system can hold it to one. Archives are kept in
`CXR_BENCH_DIR` (`build/bench`, about 15 GB) and used again. The others are installed there, never into the project.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench.search.data import BENCH, FILTERS, SIZES, Data
from tests.bench.search.engines import ENGINES, PRERELEASE, REQUIREMENTS, RIVALS
from tests.bench.search.picture import growth

OURS, LANCE, VEC = "this store", "LanceDB IVF_RQ", "sqlite-vec float32"
PICTURE, FIGURES = Path("build/search-growth.svg"), Path("build/search.json")
TURNS = 5
UPSERTS_TO_REACH = 5000
_MEASURE = [sys.executable, "-m", "tests.bench.search.measure"]

Results = dict[str, dict[int, dict[str, Any]]]


def main(sizes: list[int] | None = None) -> int:
    sizes = sizes or list(SIZES)
    facts = environment()
    print(json.dumps(facts))
    install()
    Data(max(sizes))
    results: Results = {name: {} for name in ENGINES}
    for size in sizes:
        for name in ENGINES:
            if found := measured(name, size):
                results[name][size] = found
                print(json.dumps({"engine": name, "images": size, **found}), flush=True)
    firsts = first_answers([name for name in ENGINES if max(sizes) in results[name]], max(sizes))
    print(json.dumps({"first_answer_s": firsts}))
    reached = report(results, firsts, sizes)
    save(results, {"environment": facts, "engines": results, "first_answer_s": firsts, "reached": reached})
    return 0 if all(reached.values()) else 1


def environment() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def processor() -> str:
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return platform.processor()


def install() -> None:
    """Install the other engines in folders of the bench; one that cannot be installed is skipped."""
    for folder, wanted in (("current", REQUIREMENTS), ("prerelease", PRERELEASE)):
        for one in wanted:
            mark = RIVALS / folder / f".{one}"
            if not mark.exists():
                command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(RIVALS / folder), one]
                if subprocess.run(command, check=False).returncode == 0:
                    mark.touch()


def measured(name: str, size: int) -> dict[str, Any] | None:
    """Build and query; None if the engine is not installed or fails."""
    built = child("build", name, size)
    measured = child("query", name, size) if built else None
    return {**built, **measured} if built and measured else None


def child(what: str, name: str, size: int) -> dict[str, Any] | None:
    done = subprocess.run(
        [*_MEASURE, what, name, str(size)], env=alone(name), capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"{name} cannot {what} {size}: {(done.stderr.strip().splitlines() or ['?'])[-1]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def alone(name: str) -> dict[str, str]:
    """Return an environment with one thread per library, in which the engine finds its packages."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LANCE_CPU_THREADS", "RAYON_NUM_THREADS"), "1")
    path = {} if name == OURS else {"PYTHONPATH": str((RIVALS / "current").resolve())}
    return {**os.environ, **threads, **path}


def first_answers(names: list[str], size: int) -> dict[str, float]:
    """Return the seconds from a fresh interpreter to its first answer, in turns."""
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(TURNS):
        for name in names:
            began = time.perf_counter()
            with subprocess.Popen(
                [*_MEASURE, "first", name, str(size)], env=alone(name), stdout=subprocess.PIPE
            ) as run:
                assert run.stdout
                if b"answered" in run.stdout.readline():
                    taken[name].append(time.perf_counter() - began)
    return {name: round(statistics.median(times), 3) for name, times in taken.items() if times}


def report(results: Results, firsts: dict[str, float], sizes: list[int]) -> dict[str, bool]:
    """Print a table, and the targets at the largest size; return the targets."""
    for size in sizes:
        print(f"\n{size:,} images: p50 / p95 ms (recall)")
        for name, by_size in results.items():
            if found := by_size.get(size):
                cells = [
                    f"{which} {one['p50_ms']:.2f} / {one['p95_ms']:.2f} ({one['recall']:.3f})"
                    for which in FILTERS
                    if (one := found.get(which))
                ]
                print(f"  {name:<20} {'; '.join(cells)}; {found['private_mb']} MB private, {found['disk_gb']} GB disk")
    reached = aims(results, firsts, sizes)
    for aim, kept in reached.items():
        print(f"  {'yes' if kept else 'NO ':<4} {aim}")
    return reached


def aims(results: Results, firsts: dict[str, float], sizes: list[int]) -> dict[str, bool]:
    large, ours = max(sizes), results[OURS]
    top, reading = ours[large], ours[large]["reading"]
    recalls = [found[which]["recall"] for found in ours.values() for which in FILTERS]
    aims = {
        "recall 1.0 at every size, with every filter": min(recalls) == 1.0,
        f"no filter within 1.3 times reading the int8 bytes: {reading['none_by_reading']}": reading["none_by_reading"]
        <= 1.3,
        f"LATERAL no slower: {reading['LATERAL']} ms, {reading['none']} ms": reading["LATERAL"]
        <= 1.02 * reading["none"],
        f"one patient under 1/20 of that: {top['one patient']['p50_ms']} ms": top["one patient"]["p50_ms"]
        < top["none"]["p50_ms"] / 20,
        f"upserts a second in batches of 256: {top['upserts_a_second']}": top["upserts_a_second"] >= UPSERTS_TO_REACH,
    }
    if LANCE in firsts:
        aims[f"first answer {firsts[OURS]} s, under 1/4 of LanceDB's {firsts[LANCE]} s"] = (
            firsts[OURS] < firsts[LANCE] / 4
        )
    if large in results[VEC]:
        other = results[VEC][large]["none"]["p50_ms"]
        aims[f"10 times sqlite-vec float32: {other / top['none']['p50_ms']:.1f}"] = other >= 10 * top["none"]["p50_ms"]
    if len(sizes) > 1:
        small = ours[min(sizes)]["none"]["p50_ms"]
        aims[f"{min(sizes):,} images in under 1/20 of the time: {small} ms"] = small < top["none"]["p50_ms"] / 20
    return aims


def save(results: Results, figures: dict[str, Any]) -> None:
    lines = {
        name: {size: found["none"]["p50_ms"] for size, found in by_size.items()}
        for name, by_size in results.items()
        if by_size
    }
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(growth("Ten nearest, no filter: median time of an answer", lines), encoding="utf-8")
    FIGURES.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    print(f"\nWrote {PICTURE} and {FIGURES}; archives are in {BENCH}.")


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]]))
