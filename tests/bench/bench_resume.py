"""Time of a restart to its first new image, with all of MIMIC-CXR known: `python -m tests.bench resume`.

The folder has MIMIC's layout and numbers (377,110 images, about 230,000 studies with their reports); its files are
empty, because none is to be opened, except one new image at the end. The archive is filled through the store; the
directories are warm. The run goes on to its end: the reports of all known studies are read and compared.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import json
import os
import platform
import random
import resource
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import numpy as np

from mcp_cxr.images import PREPROCESSING
from mcp_cxr.layouts import mimic_ids
from mcp_cxr.records import Fingerprint, ImageId, ImageRecord, Outcome, Study, StudyId, SubjectId
from mcp_cxr.stores import EmbeddedStore
from tests.support.archives import balanced, opened
from tests.support.image_files import dicom
from tests.support.toy import DIMENSION, ToyEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_cxr.layouts import MimicIds

IMAGES = 377_110
SECONDS_TO_REACH = 30.0
"""Target for the first new image; `ingest_directory` has 35."""
REPORT = "FINAL REPORT\n FINDINGS: " + "The lungs are clear. " * 20 + "\n\n IMPRESSION: No acute process.\n"
_BATCH = 4096


def grow(folder: Path, images: int) -> None:
    """Make a tree of empty files: 5.5 images and 3.5 studies per patient, as in MIMIC."""
    rng = random.Random(1)  # noqa: S311  # no secret
    made = study = subject = 0
    while made < images:
        patient = folder / "files" / f"p1{subject % 10}" / f"p1{subject % 10}{subject:06}"
        subject += 1
        for _ in range(rng.choice((1, 1, 2, 3, 4, 6, 7))):
            place = patient / f"s{50_000_000 + study}"
            study += 1
            place.mkdir(parents=True)
            place.with_suffix(".txt").write_text(REPORT)
            for _ in range(rng.choice((1, 1, 2, 2, 2))):
                (place / ("-".join(f"{rng.getrandbits(32):08x}" for _ in range(5)) + ".dcm")).touch()
                made += 1


def image_files(folder: Path) -> Iterator[tuple[Path, MimicIds]]:
    for path in folder.rglob("*.dcm"):
        if ids := mimic_ids(path.as_posix()):
            yield path, ids


async def fill(data: Path, folder: Path) -> int:
    """Write what an ingest of all these files would write, with shorter vectors; return their number."""
    fingerprint, rows, done = Fingerprint(ToyEmbedder.name, DIMENSION, "test"), [], 0
    async with EmbeddedStore(data) as store:
        await store.create(fingerprint, root=str(folder))
        for row in image_files(folder):
            rows.append(row)
            if len(rows) == _BATCH:
                done += await write(store, folder, rows)
                rows = []
        return done + await write(store, folder, rows)


async def write(store: EmbeddedStore, folder: Path, rows: list[tuple[Path, MimicIds]]) -> int:
    if not rows:
        return 0
    studies = {ids.study: Study(StudyId(ids.study), SubjectId(ids.subject), report=REPORT) for _, ids in rows}
    await store.put_studies(list(studies.values()))
    images = [
        ImageRecord(
            ImageId(ids.image),
            StudyId(ids.study),
            SubjectId(ids.subject),
            view_position="PA",
            view_source="ViewPosition",
            image_path=str(path.relative_to(folder)),
            root=str(folder),
        )
        for path, ids in rows
    ]
    await store.put(images, np.random.default_rng(0).normal(size=(len(rows), DIMENSION)).astype(np.float32))
    stats = [(path, path.stat(), ids) for path, ids in rows]
    await store.record_outcomes(
        [Outcome(str(path), one.st_size, one.st_mtime_ns, ImageId(ids.image)) for path, one, ids in stats]
    )
    return len(rows)


async def restart(data: Path, folder: Path) -> dict[str, float]:
    """Ingest a folder with one new file; return seconds to that image and to the end, and figures."""
    reached = 0.0

    async def reach(_: int) -> None:
        nonlocal reached
        reached = time.perf_counter() - start

    start, cpu = time.perf_counter(), time.process_time()
    async with opened(data, ToyEmbedder(before_images=reach)) as archive:
        summary = balanced(await archive.ingest(folder))
    return {
        "skipped": summary.skipped,
        "added": summary.added,
        "studies_updated": summary.studies_updated or 0,
        "seconds_to_first_new": reached,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **{f"{name}_per_second": rate for name, rate in summary.stages.items()},
    }


def environment() -> str:
    return (
        f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, pictures {PREPROCESSING}"
    )


def main() -> int:
    images = int(os.environ.get("MCP_CXR_BENCH_IMAGES", IMAGES))
    print(f"A restart that knows {images:,} images\n{environment()}")
    with tempfile.TemporaryDirectory() as place:
        folder, data = Path(place) / "films", Path(place) / "data"
        grow(folder, images)
        known = anyio.run(fill, data, folder)
        dicom(folder / "files" / "p99" / "new.dcm", 1)
        found = anyio.run(restart, data, folder)
    print(json.dumps({name: round(value, 2) for name, value in found.items()}, indent=2))
    reached = found["seconds_to_first_new"] <= SECONDS_TO_REACH and found["skipped"] == known
    print(f"target: the new image within {SECONDS_TO_REACH:g} s: {'yes' if reached else 'NO'}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
