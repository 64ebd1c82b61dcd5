"""Thirty rounds of killing a process that writes the embedded store: `python -m tests.bench.bench_kills`."""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import anyio

from tests.support.kills import kill_rounds

ROUNDS, DIMENSION = 30, 1024


def main() -> int:
    seed = int(time.time())
    began = time.perf_counter()

    async def run(folder: str) -> dict[str, int]:
        return await kill_rounds(Path(folder), rounds=ROUNDS, dimension=DIMENSION, seed=seed)

    with tempfile.TemporaryDirectory() as folder:
        done = anyio.run(run, folder)
    print(
        "Killed at random moments while it wrote, a reader running, the copy deleted at random: nothing lost, doubled"
    )
    print(f"or wrong. {json.dumps({'seed': seed, **done, 'seconds': round(time.perf_counter() - began)})}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
