"""What a person waits for at 377,110 images, CPU and wall, beside another checkout: `python -m tests.bench waits`.

`OTHER_CHECKOUT` names a folder with another version of this project (`git worktree add`); both are measured in turn, in
processes of their own, on the archive of `python -m tests.bench answers`. It is a bare store behind `Archive`, with a
made-up embedder and no server; imports are not included.
"""

# ruff: noqa: ASYNC240, T201  # a bench prints, and may wait for the disk

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from mcp_cxr.archive import Archive
from mcp_cxr.images import ImageReader
from mcp_cxr.records import SearchArguments
from mcp_cxr.settings import Settings
from mcp_cxr.stores import EmbeddedStore
from tests.bench import bench_answers
from tests.bench.search.data import BENCH

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Measure = dict[str, tuple[float, float]]

AIMS = {
    "hybrid page, ms": 70,
    "the same again, ms": 10,
    "the next page, ms": 10,
    "page without reports shared, ms": 70,
    "with a finding ruled out, ms": 120,
    "page at offset 5,000, ms": 105,
    "first answer without the int8 copy, s": 3,
}
"""CPU time; the deep page's is 1.5 times that of the first."""
TURNS = 3
FINDINGS = "edema,cardiomegaly,atelectasis,pneumonia,consolidation,opacity,tube,line,spine,congestion".split(",")
VIEWS = (["PA"], ["AP"], ["LATERAL"], ["LL"], ["PA", "AP"], ["PA", "LATERAL"], ["AP", "LATERAL"], [])
ONE = "--one"


async def measure(folder: Path) -> dict[str, Any]:
    """Return CPU and wall time of each wait, the gain of eight clients, and the private memory after all of it."""
    found: Measure = {}
    async with EmbeddedStore(folder) as store, ImageReader() as reader:
        embedder = bench_answers.LabelSpaceEmbedder(bench_answers.LabelSpace(1, noise=1, seed=1))
        wide = next(value for name, value in vars(bench_answers).items() if name in ("WideEmbedder", "_Wide"))
        embedder.__class__, wide.name = wide, "wide"
        archive = Archive(Settings.model_validate({}), store, embedder, reader)
        gc.freeze()  # as `serve` does
        await archive.search("fracture")

        async def page(text: str, *, words: Any = "archive", **how: Any) -> None:
            await archive.search_with(SearchArguments(query=text, **how), searchable_words=words)

        async def times(name: str, questions: list[Callable[[], Awaitable[None]]]) -> None:
            taken = [await _times(question) for question in questions]
            found[name] = tuple(1000 * statistics.median(column) for column in zip(*taken, strict=True))  # type: ignore[assignment]

        await times("hybrid page, ms", [lambda text=text: page(text) for text in FINDINGS])
        await times("the same again, ms", [lambda text=text: page(text) for text in FINDINGS])
        await times("the next page, ms", [lambda text=text: page(text, offset=5) for text in FINDINGS])
        await times(
            "page without reports shared, ms", [lambda text=text: page(text, words="findings") for text in FINDINGS[:5]]
        )
        await times(
            "with a finding ruled out, ms", [lambda text=text: page(f"{text} without effusion") for text in FINDINGS]
        )
        await times(
            "page at offset 5,000, ms", [lambda text=text: page(f"left {text}", offset=5000) for text in FINDINGS]
        )
        answers = [await _answers_a_second(page, clients) for clients in (1, 8)]
        text = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    return {**found, "clients": answers, "memory": int(text.split("Anonymous:", 1)[1].split()[0]) / 1024}


async def without_copy(folder: Path) -> dict[str, Any]:
    """Return the time of the first answer after the int8 copy was lost; at the end there is one again."""
    (folder / "archive.int8").unlink()
    async with EmbeddedStore(folder) as store:
        query = bench_answers.Data(bench_answers.IMAGES).queries[0]
        cpu, wall = await _times(lambda: store.nearest(query, bench_answers.Filter(), limit=1000))
        for limit in range(1001, 1030):
            await store.nearest(query, bench_answers.Filter(), limit=limit)
    return {"first answer without the int8 copy, s": (cpu, wall)}


async def _answers_a_second(page: Callable[..., Awaitable[None]], clients: int) -> float:
    """Return answers a second to questions that were not asked before."""
    asked = iter([(f"right {text} {clients}", view) for text in FINDINGS[:6] for view in VIEWS])

    async def ask() -> None:
        for text, view in asked:
            await page(text, view=view)

    started = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(clients):
            tasks.start_soon(ask)
    return 6 * len(VIEWS) / (time.perf_counter() - started)


async def _times(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    await work()
    return time.process_time() - cpu, time.perf_counter() - wall


async def _one(folder: Path) -> None:
    print(json.dumps({**await measure(folder), **await without_copy(folder)}))


def main(arguments: list[str] | None = None) -> int:
    folder = BENCH / "answers"
    if arguments == [ONE]:
        anyio.run(_one, folder)
        return 0
    checkouts = {"this": Path.cwd()} | ({"other": Path(other)} if (other := os.environ.get("OTHER_CHECKOUT")) else {})
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in checkouts}
    for _ in range(TURNS):
        for name, checkout in checkouts.items():
            command = [sys.executable, str(Path(__file__).resolve()), ONE]
            environment = {**os.environ, "PYTHONPATH": str(checkout), "CXR_BENCH_DIR": str(BENCH.resolve())}
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=checkout, env=environment)
            runs[name].append(json.loads(done.stdout.splitlines()[-1]))
    print(f"load {os.getloadavg()[0]:.1f}; CPU (wall), median of {TURNS} runs in turn")
    for row, aim in AIMS.items():
        cells = {
            name: [statistics.median(column) for column in zip(*(run[row] for run in of), strict=True)]
            for name, of in runs.items()
        }
        print(
            f"  {row:<40} aim {aim:>4}; "
            + "; ".join(f"{name} {cpu:.1f} ({wall:.1f})" for name, (cpu, wall) in cells.items())
        )
    for name, of in runs.items():
        one, eight = (statistics.median(column) for column in zip(*(run["clients"] for run in of), strict=True))
        gain = statistics.median(run["clients"][1] / run["clients"][0] for run in of)
        memory = statistics.median(run["memory"] for run in of)
        print(f"  {name}: eight clients {gain:.2f} times one (aim 1.4; {eight:.1f} and {one:.1f} answers a second)")
        print(f"  {name}: {memory:.0f} MB private (aim 200)")
    return 0 if all(statistics.median(run[row][0] for run in runs["this"]) <= aim for row, aim in AIMS.items()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
