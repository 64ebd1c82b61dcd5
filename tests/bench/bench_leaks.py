"""Near duplicates across a split: recall of planted copies, and pairs of two patients, over a range of thresholds.

With the demonstration encoder and the pixel sketch on drawings, and with made-up vectors like those of CLIP. Then the
work of a whole archive: CPU time and memory for 377,110 made-up vectors.
"""

# ruff: noqa: T201  # a bench prints
from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import anyio
import numpy as np

from mcp_cxr.archive import mark_as_demo, open_archive
from mcp_cxr.demo import ENCODER_FOLDER, write_data_set
from mcp_cxr.research.vectors import near_duplicates
from tests.bench.search.data import SIZES, Data
from tests.server.archives import environment, settings
from tests.support.planted_copies import PlantedCopies, plant_copies

STUDIES, SEED = 60, 31  # training saw none of these patients
THRESHOLDS = (0.9999, 0.999, 0.995, 0.99, 0.982, 0.95)
MADE_UP = 10_000
NOISE = {"cosine 0.9995": 0.9995, "cosine 0.997": 0.997, "cosine 0.99": 0.99}
"""Kinds of made-up copies, by their cosine with the original from the archive's mean."""


async def drawings(folder: Path, embedder: str) -> PlantedCopies:
    """Return planted copies of drawings, embedded by the demonstration encoder or the pixel sketch."""
    variables = environment(folder / embedder)
    if embedder == "local":
        (folder / embedder).mkdir(mode=0o700)
        mark_as_demo(folder / embedder)
        variables |= {"MCP_CXR_EMBEDDER": "local", "MCP_CXR_MODEL_DIR": str(ENCODER_FOLDER)}
    async with open_archive(settings(variables)) as archive:
        await archive.ingest(folder / "images")
        return await plant_copies(archive)


def made_up() -> PlantedCopies:
    """Return vectors like those of CLIP, and copies at known cosines."""
    data = Data(MADE_UP)
    vectors = np.array(data.vectors)
    mean, draw = vectors.mean(axis=0), np.random.default_rng(3)
    copies: dict[str, np.ndarray] = {}
    for kind, cosine in NOISE.items():
        rows = vectors - mean
        noise = draw.standard_normal(rows.shape, np.float32)
        noise -= np.vecdot(noise, rows)[:, None] / np.vecdot(rows, rows)[:, None] * rows
        noise *= np.linalg.norm(rows, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
        copies[kind] = (mean + cosine * rows + np.sqrt(1 - cosine**2) * noise).astype(np.float32)
    return PlantedCopies(vectors, copies, data.facts.subject, mean)


def print_table(title: str, planted: PlantedCopies) -> None:
    """Print recall by kind and threshold, and the pairs of two patients among unchanged images."""
    print(f"\n{title}: {len(planted.originals)} images\n")
    print(f"| copies found, cosine at least | {' | '.join(map(str, THRESHOLDS))} |")
    print(f"|---|{'---|' * len(THRESHOLDS)}")
    for kind in planted.copies:
        shares = (planted.found(kind, least)[0] for least in THRESHOLDS)
        print(f"| {kind} | {' | '.join(f'{100 * share:.0f} %' for share in shares)} |")
    others = (planted.found(next(iter(planted.copies)), least)[1] for least in THRESHOLDS)
    print(f"| pairs of two patients | {' | '.join(map(str, others))} |")


def print_whole_archive() -> None:
    """Print CPU time and memory for splits of the largest archive."""
    data = Data(SIZES[-1])
    mean, draw = np.array(data.vectors[::100]).mean(axis=0), np.random.default_rng(5)
    split = draw.choice(3, int(data.facts.subject.max()) + 1, p=[0.7, 0.1, 0.2])[data.facts.subject]
    official = (draw.random(int(data.facts.subject.max()) + 1) < 0.02)[data.facts.subject].astype(np.int64)
    for name, sets in (("2 % test", official), ("70/10/20", split)):
        started = time.process_time()
        found = near_duplicates(data.vectors, mean=mean, least=0.995, sets=sets)
        seconds, peak = time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{data.count:,} vectors, {name}: {found.total} pairs, {seconds:.0f} s of CPU, {peak:.1f} GiB at most")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        write_data_set(Path(folder) / "images", studies=STUDIES, seed=SEED)
        for embedder, title in (("local", "Demonstration encoder"), ("offline", "Pixel sketch")):
            print_table(title, anyio.run(drawings, Path(folder), embedder))
    print_table("Made-up vectors", made_up())
    print_whole_archive()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
