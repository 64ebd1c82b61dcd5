"""What an image costs the client on its way to IRIS: `python -m tests.bench.bench_iris`.

Bytes and CPU of a vector's text, beside nine digits a number, and of images written by the real driver to the simulated
server, which is a process of its own. It says nothing about IRIS.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import numpy as np

from mcp_cxr.stores.iris import IrisStore
from mcp_cxr.stores.iris.driver import to_vector_cells
from tests.contract.stores.making import FINGERPRINT, image
from tests.faults.iris_stores import config
from tests.standins.iris import StandIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_cxr.records import Vectors

COUNT, DIMENSION, ROUNDS = 500, 1024, 5
BYTES_TO_REACH = 13_600
CPU_MS_TO_REACH = 0.25


def with_nine_digits(vectors: Vectors) -> list[str]:
    return [",".join([f"{number:.9g}" for number in vector.tolist()]) for vector in vectors]


def unit_vectors() -> Vectors:
    rows = np.random.default_rng(0).normal(size=(COUNT, DIMENSION))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def text(write: Callable[[Vectors], list[str]], vectors: Vectors) -> tuple[float, float]:
    """Return the bytes of a vector, and milliseconds of CPU, the least of the rounds."""
    spent: list[float] = []
    cells: list[str] = []
    for _ in range(ROUNDS):
        started = time.process_time()
        cells = write(vectors)
        spent.append(time.process_time() - started)
    assert all(
        (np.array(cell.split(","), np.float64).astype(np.float32) == row).all()
        for cell, row in zip(cells, vectors, strict=True)
    ), "each text restores its vector exactly"
    return sum(map(len, cells)) / COUNT, 1000 * min(spent) / COUNT


async def put(server: StandIn, vectors: Vectors) -> tuple[float, float]:
    """Return the bytes that an image sends, and milliseconds of this process's CPU, the least of the rounds."""
    images = [image(f"i{number:07d}", f"s{number // 2:07d}") for number in range(COUNT)]
    spent: list[float] = []
    async with IrisStore(config(server)) as store:
        await store.create(replace(FINGERPRINT, dimension=DIMENSION))
        await store.put(images, vectors)
        for _ in range(ROUNDS):
            server.reset_counters()
            started = time.process_time()
            await store.put(images, vectors)
            spent.append(time.process_time() - started)
    return server.counters["bytes_in"] / COUNT, 1000 * min(spent) / COUNT


def main() -> int:
    vectors = unit_vectors()
    before, now = text(with_nine_digits, vectors), text(to_vector_cells, vectors)
    with StandIn() as server:
        sent = anyio.run(put, server, vectors)
    print(f"A vector of {DIMENSION} numbers on its way to IRIS; {COUNT} vectors, least of {ROUNDS} rounds\n")
    print(f"{'':42} {'bytes':>8} {'CPU ms':>8}")
    for name, (size, cpu_ms) in {
        "text, nine digits a number": before,
        "text, as few digits as are exact": now,
        "image with its row and vector, written": sent,
        "to reach": (BYTES_TO_REACH, CPU_MS_TO_REACH),
    }.items():
        print(f"{name:42} {size:8,.0f} {cpu_ms:8.3f}")
    print(f"{'text, of nine digits':42} {now[0] / before[0]:8.2f} {now[1] / before[1]:8.2f}")
    return 0 if sent[0] <= BYTES_TO_REACH and sent[1] <= CPU_MS_TO_REACH else 1


if __name__ == "__main__":
    sys.exit(main())
