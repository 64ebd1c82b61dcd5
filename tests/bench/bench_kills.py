"""Kills writing processes, and writes with several at once: `python -m tests.bench.bench_kills`.

Thirty rounds on each store, IRIS on the simulated server, which runs in its own process; then one folder is ingested
into the simulated server by one process and by four.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anyio

from mcp_cxr.demo import write_data_set
from mcp_cxr.stores.iris import IrisConfig, IrisStore
from tests.standins.iris import StandIn
from tests.support.archive_locations import FolderLocation, ServerLocation
from tests.support.iris import variables
from tests.support.kills import kill_rounds, walk

ROUNDS, DIMENSION, SHARDS = 30, 1024, 4


def main() -> int:
    for store in ("embedded", "iris"):
        with tempfile.TemporaryDirectory() as folder, StandIn() as server:
            place = FolderLocation(Path(folder)) if store == "embedded" else ServerLocation.on(server)
            seed, began = int(time.time()), time.perf_counter()
            done = anyio.run(lambda: kill_rounds(place, rounds=ROUNDS, dimension=DIMENSION, seed=seed))  # noqa: B023  # called before the next iteration
            took = {"seed": seed, **done, "seconds": round(time.perf_counter() - began)}
        print(f"{store}: killed at random moments while it wrote, a reader running; nothing lost, duplicated or wrong.")
        print(json.dumps(took))
    anyio.run(shards)
    return 0


async def shards() -> None:
    """Ingest a folder by one process, and by four at once into another table.

    Raises:
        AssertionError: The archives differ in an id, a bit of a vector or metadata.
    """
    with tempfile.TemporaryDirectory() as folder, StandIn() as server:
        images = write_data_set(Path(folder) / "images", studies=60).folder
        key = Path(folder) / "id.key"
        key.write_bytes(os.urandom(32))
        key.chmod(0o600)
        environment = variables(
            server, MCP_CXR_ID_KEY_FILE=str(key), MCP_CXR_EMBEDDER="offline", MCP_CXR_DATA_DIR=folder
        )
        ingest(images, 1, environment | {"IRIS_TABLE": "Bench.Alone"})
        ingest(images, SHARDS, environment | {"IRIS_TABLE": "Bench.Parts"})
        alone, together = [await held(server, table) for table in ("Bench.Alone", "Bench.Parts")]
    assert alone == together
    assert len(alone) > 100
    print(f"iris: {len(alone)} images ingested by {SHARDS} processes at once equal those of one process, bit by bit.")


def ingest(images: Path, parts: int, environment: dict[str, str]) -> None:
    """Run `parts` processes at once, each with its part of the images."""
    command = [sys.executable, "-m", "mcp_cxr", "ingest", str(images), "--shard"]
    running = [
        subprocess.Popen([*command, f"{part}/{parts}"], env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
        for part in range(parts)
    ]
    assert [process.wait() for process in running] == [0] * parts


async def held(server: StandIn, table: str) -> list[tuple[object, ...]]:
    """Return the record, study and vector bytes of each image."""
    config = IrisConfig(port=server.port, username=server.username, password=server.password, table=table)
    async with IrisStore(config) as store:
        rows = [one async for one in walk(store)]
    return [(one.image, one.study, one.vector is not None and one.vector.tobytes()) for one in rows]


if __name__ == "__main__":
    sys.exit(main())
