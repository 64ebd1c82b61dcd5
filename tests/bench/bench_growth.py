"""How the embedded store grows to 1,000,000 images: `python -m tests.bench growth`.

One archive is filled as an ingest fills it (studies, images, outcomes), and measured on its way: search, the first
answer of a process, the writing of an image, `verify`, `forget`, disk and memory. It is a bare store behind `Archive`,
with a made-up embedder and no server. Times are CPU times, because other programs use the machine. The archive takes
7 GB in the folder that CXR_BENCH_DIR names, and is removed at the end. Draws `docs/scale-growth.svg`.
"""

# ruff: noqa: ASYNC240, T201  # a bench prints, and may wait for a process and the disk

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np

from mcp_cxr.archive import Archive
from mcp_cxr.images import ImageReader
from mcp_cxr.records import Filter, ImageId, Outcome
from mcp_cxr.settings import Settings
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.upkeep import verify
from tests.bench.bench_answers import IMAGES, WideEmbedder, image_of, reports
from tests.bench.search.data import BENCH, Data
from tests.bench.search.picture import growth

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from mcp_cxr.records import Study, Vectors

SIZES = (10_000, 47_000, 94_000, 188_000, 377_110, 1_000_000)
BATCH = 256
FOLDER, PICTURE = BENCH / "growth", Path("docs/scale-growth.svg")
QUESTIONS = "edema,cardiomegaly,atelectasis,pneumonia,effusion,consolidation,opacity,tube,line,spine,congestion".split(
    ","
)
DRAWN = ("vectors alone, ms", "hybrid page, ms", "the same again, ms", "forget an image, ms", "verify, ms")
FIRST = "--first"
FIRST_ANSWER = "first answer, imports aside, ms"


async def grow(sizes: tuple[int, ...]) -> dict[str, dict[int, float]]:
    """Fill the archive, and return each measure by size."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    found: dict[str, dict[int, float]] = {}
    studies, before = reports(sizes[-1]), 0
    for size in sizes:
        measures = await _fill(range(before, size), studies) | await _measure(size)
        before = size
        print(json.dumps({"images": size, **measures}), flush=True)
        for name, value in measures.items():
            found.setdefault(name, {})[size] = value
    shutil.rmtree(FOLDER)
    return found


async def _fill(numbers: range, studies: Iterator[Study]) -> dict[str, float]:
    data, slowest = Data(IMAGES), 0.0
    written, started = _bytes_written(), time.process_time()
    async with EmbeddedStore(FOLDER) as store:
        await store.create(await WideEmbedder.made().fingerprint(), root="/")
        study = None if not numbers.start else image_of(numbers.start - 1, data).study_id
        for start in range(numbers.start, numbers.stop, BATCH):
            images = [image_of(number, data) for number in range(start, min(start + BATCH, numbers.stop))]
            new = []
            while study != images[-1].study_id:
                new.append(next(studies))
                study = new[-1].study_id
            await store.put_studies(new)
            put = time.process_time()
            await store.put(images, _vectors(data, start, len(images)))
            slowest = max(slowest, time.process_time() - put)
            await store.record_outcomes([Outcome(str(one.file), 8_000_000, 1, ImageId(one.image_id)) for one in images])
    count = len(numbers)
    return {
        "write an image, ms": 1000 * (time.process_time() - started) / count,
        "slowest put, ms": 1000 * slowest,
        "written to disk for an image, KB": (_bytes_written() - written) / count / 1024,
    }


async def _measure(size: int) -> dict[str, float]:
    found = _in_new_process()
    async with _archive(WideEmbedder.made()) as archive:
        await archive.search("fracture")
        found["hybrid page, ms"] = statistics.median([await _cpu_ms(archive, text) for text in QUESTIONS])
        found["the same again, ms"] = await _cpu_ms(archive, QUESTIONS[0])
        deep = [await _cpu_ms(archive, f"left {text}", offset=min(5000, size // 4)) for text in QUESTIONS]
        found["page at offset 5,000, ms"] = statistics.median(deep)
        vectors = []
        for query in Data(IMAGES).queries[:9]:
            started = time.process_time()
            await archive.store.nearest(query, Filter(), limit=10)
            vectors.append(1000 * (time.process_time() - started))
        found["vectors alone, ms"] = statistics.median(vectors)
        hit = (await archive.search("effusion", mode="words")).images[0]
        started = time.process_time()
        await archive.store.forget(Filter(image_id=ImageId(hit.image_id)))
        found["forget an image, ms"] = 1000 * (time.process_time() - started)
        started = time.process_time()
        await verify(archive.store, _never, lambda _: False)
        found["verify, ms"] = 1000 * (time.process_time() - started)
    found["disk, MB"] = sum(path.stat().st_blocks * 512 for path in FOLDER.iterdir()) / 1e6
    (FOLDER / "archive.int8").unlink()  # the next writes make it again
    found["first answer without the int8 copy, ms"] = _in_new_process()[FIRST_ANSWER]
    return found


def _in_new_process() -> dict[str, float]:
    first = subprocess.run([sys.executable, "-m", __spec__.name, FIRST], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(first.stdout.splitlines()[-1])
    return found


async def _never(_: object) -> Any:
    raise AssertionError("no image was read by older rules")


async def _first() -> None:
    """Print the CPU time of the first answer, imports aside, and the memory of the process after some more."""
    embedder = WideEmbedder.made()
    imported = time.process_time()
    async with _archive(embedder) as archive:
        await archive.search("pneumothorax")
        first = 1000 * (time.process_time() - imported)
        for text in QUESTIONS:
            await archive.search(text)
        text = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
        memory = int(text.split("Anonymous:", 1)[1].split()[0]) / 1024
    print(json.dumps({FIRST_ANSWER: first, "private memory, MB": memory}))


async def _cpu_ms(archive: Archive, text: str, **how: Any) -> float:
    started = time.process_time()
    await archive.search(text, **how)
    return 1000 * (time.process_time() - started)


@asynccontextmanager
async def _archive(embedder: WideEmbedder) -> AsyncGenerator[Archive]:
    async with EmbeddedStore(FOLDER) as store, ImageReader() as reader:
        yield Archive(Settings.model_validate({}), store, embedder, reader)


def _vectors(data: Data, start: int, count: int) -> Vectors:
    """Return vectors; beyond the data's, noise makes others of them."""
    numbers = np.arange(start, start + count)
    vectors = data.vectors[numbers % IMAGES].copy()
    if start + count > IMAGES:
        vectors += np.random.default_rng(start).standard_normal(vectors.shape, np.float32) * np.float32(0.005)
    return vectors


def _bytes_written() -> int:
    text = Path("/proc/self/io").read_text(encoding="ascii")
    return int(text.split("write_bytes:", 1)[1].split()[0])


def main(arguments: list[str] | None = None) -> int:
    if arguments == [FIRST]:
        anyio.run(_first)
        return 0
    found = anyio.run(grow, SIZES)
    lines = {name: found[name] for name in DRAWN}
    PICTURE.write_text(growth("CPU milliseconds by number of images (embedded store)", lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
