"""How much of a service's own capacity the client uses: `python -m tests.bench.bench_nvclip`.

The service is the simulated server, which works on one request at a time and sleeps as long as configured. The result
says how little the client adds; it predicts nothing about a NIM.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import base64
import importlib.metadata
import importlib.util
import io
import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import httpx
import numpy as np
from PIL import Image

from mcp_cxr.embeddings.nvclip import NvclipEmbedder
from mcp_cxr.records import Rejection, Rendering
from tests.standins.nvclip import StandIn
from tests.support.nvclip_clients import config_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROUNDS = 3
BATCH = 64
SHARE_TO_REACH = 0.90
CPU_MS_TO_REACH = 0.2


@dataclass(frozen=True)
class Service:
    """How the simulated server works, and how many pictures make a measurement of about a second or two."""

    name: str
    latency: tuple[float, float]
    many: int
    few: int
    """For the loop of one picture a request."""

    @property
    def capacity(self) -> float:
        """Pictures a second, full batches one after the other."""
        return BATCH / (self.latency[0] + self.latency[1] * BATCH)


@dataclass
class Measured:
    """Each round's pictures a second, and milliseconds of this process's CPU a picture."""

    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)


SERVICES = (
    Service("5 ms + 8 ms an item", (0.005, 0.008), many=256, few=64),
    Service("25 ms flat", (0.025, 0.0), many=2560, few=64),
)


def drawn_images(count: int) -> list[Rendering]:
    """Pictures of 224 x 224 whose JPEGs are about as large as those of images."""
    rng = np.random.default_rng(0)
    images: list[Rendering] = []
    for _ in range(count):
        gray = Image.fromarray(rng.integers(0, 256, (12, 12), np.uint8)).resize((224, 224), Image.Resampling.BICUBIC)
        pixels = gray.convert("RGB")
        encoded = io.BytesIO()
        pixels.save(encoded, "JPEG", quality=95)
        images.append(Rendering(np.asarray(pixels), encoded.getvalue()))
    return images


async def with_this_client(standin: StandIn, images: list[Rendering]) -> Callable[[], Awaitable[None]]:
    embedder = await NvclipEmbedder(config_for(standin)).__aenter__()
    await embedder.fingerprint()

    async def run() -> None:
        rows = await embedder.embed_images(images)
        assert not any(isinstance(row, Rejection) for row in rows)

    return run


async def with_a_plain_loop(standin: StandIn, images: list[Rendering]) -> Callable[[], Awaitable[None]]:
    client = httpx.AsyncClient(trust_env=False)

    async def run() -> None:
        for image in images:
            uri = "data:image/jpeg;base64," + base64.b64encode(image.jpeg or b"").decode()
            reply = await client.post(f"{standin.base_url}/embeddings", json={"input": [uri], "model": standin.model})
            np.array(reply.raise_for_status().json()["data"][0]["embedding"], np.float32)

    return run


async def with_openai(standin: StandIn, images: list[Rendering]) -> Callable[[], Awaitable[None]]:
    from openai import AsyncOpenAI  # pyright: ignore[reportMissingImports]  # measured only where it is installed

    client = AsyncOpenAI(base_url=standin.base_url, api_key="none", max_retries=0)

    async def run() -> None:
        for start in range(0, len(images), BATCH):
            uris = [
                "data:image/jpeg;base64," + base64.b64encode(image.jpeg or b"").decode()
                for image in images[start : start + BATCH]
            ]
            reply = await client.embeddings.create(model=standin.model, input=uris)
            np.array([item.embedding for item in reply.data], np.float32)

    return run


async def measure(run: Callable[[], Awaitable[None]], pictures: int, into: Measured) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    await run()
    into.rates.append(pictures / (time.perf_counter() - wall))
    into.cpu_ms.append((time.process_time() - cpu) * 1000 / pictures)


async def compare(standin: StandIn, service: Service, images: list[Rendering]) -> dict[str, Measured]:
    """Measure every client in turn, `ROUNDS` times over, so that a slow moment of the machine hits all."""
    standin.configure(latency=(0, 0))
    many, few = images[: service.many], images[: service.few]
    runs = {
        "this client": (await with_this_client(standin, many), len(many)),
        "one a request, in a loop": (await with_a_plain_loop(standin, few), len(few)),
    }
    if importlib.util.find_spec("openai"):
        runs["openai package, same batches"] = (await with_openai(standin, many), len(many))
    measured = {name: Measured() for name in runs}
    standin.configure(latency=service.latency)
    for _ in range(ROUNDS):
        for name, (run, pictures) in runs.items():
            await measure(run, pictures, measured[name])
    return measured


def report(service: Service, measured: dict[str, Measured]) -> bool:
    """Print a table; return whether this client reached what it is to reach."""
    ours = statistics.median(measured["this client"].rates)
    print(f"\n{service.name}: capacity {service.capacity:.1f} images/s, median of {ROUNDS} rounds")
    print(f"  {'':<30}{'images/s':>10}{'of capacity':>13}{'this client is':>16}{'client CPU/image':>18}")
    for name, found in measured.items():
        rate, cpu = statistics.median(found.rates), statistics.median(found.cpu_ms)
        print(f"  {name:<30}{rate:>10.1f}{rate / service.capacity:>13.1%}{ours / rate:>14.2f} x{cpu:>15.3f} ms")
    share, cpu = ours / service.capacity, statistics.median(measured["this client"].cpu_ms)
    reached = share >= SHARE_TO_REACH and cpu < CPU_MS_TO_REACH
    print(f"  to reach: {SHARE_TO_REACH:.0%} of capacity, CPU < {CPU_MS_TO_REACH} ms: {'yes' if reached else 'NO'}")
    return reached


def environment(images: list[Rendering]) -> str:
    names = [name for name in ("httpx", "anyio", "numpy", "openai") if importlib.util.find_spec(name)]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    size = statistics.mean(len(image.jpeg or b"") for image in images) / 1000
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, "
        f"load {os.getloadavg()[0]:.1f}; {versions}; JPEGs of {size:.1f} kB on average"
    )


def main() -> int:
    images = drawn_images(max(service.many for service in SERVICES))
    print("The NV-CLIP client against a simulated server on this machine. This predicts nothing about a NIM.")
    print(environment(images))
    with StandIn() as standin:
        reached = [report(service, anyio.run(compare, standin, service, images)) for service in SERVICES]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
