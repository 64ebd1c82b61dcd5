"""Images out of a real PACS, by the pull and by plain retrieval: `python -m tests.bench pacs`.

Debian's Orthanc holds 24 uncompressed images of MIMIC's size at 16 bits in 12 studies, on loopback and on the same
cores. Plain retrieval requests the same files over as many connections as the pull has, knows every URL beforehand, and
writes what comes to the disk. The pull is measured up to the archive, with its queries, checks and names in the spool;
and as a whole, with reading the files and the offline embedder, which is not held to the target. In turns, so that all
meet the same machine; of each way the fastest turn counts, as other work only slows one down.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import anyio
import httpx
import numpy as np

from mcp_cxr.archive import open_pacs
from mcp_cxr.demo import to_dicom
from mcp_cxr.images import ImageReader
from mcp_cxr.pacs import PacsQuery, Pull, PullPlan, Spool
from mcp_cxr.settings import Settings
from tests.pacs.hospital import Study
from tests.pacs.orthanc import Orthanc
from tests.support.archives import opened
from tests.unit.images.making import radiograph

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence

    from mcp_cxr.records import ImageId, IngestSummary, Outcome, StoredImage

STUDIES, CONNECTIONS, ROUNDS = 12, 4, 5
SHARE_TO_REACH = 0.8
ACCEPT = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*', "Accept-Encoding": "identity"}


class NoArchive:
    """A destination that adds nothing: what is fetched stays in the spool."""

    takes_reports = False

    async def ingest(self, files: Collection[Path]) -> IngestSummary:
        return SimpleNamespace(added=len(files), next=None)  # pyright: ignore[reportReturnType]  # what is read of it

    async def outcomes(self, files: Collection[Path]) -> Mapping[str, Outcome]:  # the protocol's name
        return {}

    async def stored(self, image_ids: Sequence[ImageId]) -> Mapping[ImageId, StoredImage]:  # the same
        return {}

    async def put_report(self, image_id: str, text: str) -> None:
        raise AssertionError


def files(studies: list[Study]) -> Iterator[bytes]:
    drawn = radiograph()
    for study in studies:
        for instance, view in enumerate(("PA", "LL"), 1):
            pixels = np.roll(drawn, 14 * study.number + 7 * instance, axis=1)
            yield to_dicom(pixels, Modality="DX", BodyPartExamined="CHEST", ViewPosition=view, **study.tags(instance))  # pyright: ignore[reportArgumentType]  # none is an argument's name


async def plainly(pacs: Orthanc, studies: list[Study], folder: Path) -> int:
    """Retrieve every instance; return the bytes of their bodies."""
    paths = [f"studies/{one.uid}/series/{one.uid}.1/instances/{one.uid}.1.{n}" for one in studies for n in (1, 2)]
    await anyio.Path(folder).mkdir()
    sizes: list[int] = []

    async def worker(client: httpx.AsyncClient) -> None:
        while paths:
            number, path = len(paths), paths.pop()
            async with (
                client.stream("GET", f"{pacs.dicomweb}/{path}", headers=ACCEPT) as reply,
                await anyio.open_file(folder / str(number), "wb") as file,
            ):
                reply.raise_for_status()
                sizes.extend([await file.write(chunk) async for chunk in reply.aiter_raw()])

    async with httpx.AsyncClient(timeout=60) as client, anyio.create_task_group() as tasks:
        for _ in range(CONNECTIONS):
            tasks.start_soon(worker, client)
    return sum(sizes)


async def by_pull(pacs: Orthanc, folder: Path) -> int:
    """Pull everything into a spool."""
    settings = Settings(MCP_CXR_DATA_DIR=str(folder))  # pyright: ignore[reportCallIssue]  # by the variable's name
    plan = PullPlan(query=PacsQuery(), source_name=pacs.dicomweb)
    async with open_pacs(settings, pacs.dicomweb) as source, ImageReader() as reader:
        return (await Pull(plan, source, Spool(folder / "pacs"), NoArchive(), reader).run()).fetched_bytes


async def into_an_archive(pacs: Orthanc, folder: Path) -> int:
    """Pull everything into an archive."""
    async with opened(folder) as archive, open_pacs(archive.settings, pacs.dicomweb) as source:
        summary = await archive.pull(PullPlan(query=PacsQuery(), source_name=pacs.dicomweb), source)
    if summary.added != 2 * STUDIES:
        raise RuntimeError(f"not all images were added: {summary}")
    return summary.fetched_bytes


async def timed(work: Callable[[], Awaitable[int]]) -> tuple[float, float]:
    """Return megabytes a second, and the CPU seconds of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    size = await work()
    return size / 1e6 / (time.perf_counter() - wall), time.process_time() - cpu


async def measured(pacs: Orthanc, studies: list[Study], folder: Path) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for turn in range(ROUNDS):
        ways: dict[str, Callable[[Path], Awaitable[int]]] = {
            "plain retrieval": lambda place: plainly(pacs, studies, place),
            "pull, without reading": lambda place: by_pull(pacs, place),
            "pull into an archive": lambda place: into_an_archive(pacs, place),
        }
        for name, way in ways.items():
            place = folder / f"{turn}-{name}"
            found.setdefault(name, []).append(await timed(lambda way=way, place=place: way(place)))
            shutil.rmtree(place)
    return found


def main() -> int:
    studies = [Study(number, number % 8) for number in range(STUDIES)]
    with tempfile.TemporaryDirectory() as folder, Orthanc(Path(folder) / "orthanc") as pacs:
        pacs.add(files(studies))
        found = anyio.run(measured, pacs, studies, Path(folder))
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, {2 * STUDIES} images")
    for name, turns in found.items():
        rates, cpu = [rate for rate, _ in turns], statistics.median(seconds for _, seconds in turns)
        each = ", ".join(f"{rate:.0f}" for rate in rates)
        print(f"  {name:24} {max(rates):6.0f} MB/s, CPU {cpu:.2f} s ({each})")
    plain, pulled = (max(rate for rate, _ in found[name]) for name in list(found)[:2])
    print(f"  The pull reaches {pulled / plain:.0%} of plain retrieval; to reach: {SHARE_TO_REACH:.0%}.")
    return int(pulled / plain < SHARE_TO_REACH)


if __name__ == "__main__":
    raise SystemExit(main())
