"""How much of onnxruntime's own speed the local embedder keeps: `python -m tests.bench.bench_local`.

A vision tower of the size of CLIP ViT-B/32 with random weights, in batches of 8: the embedder beside a loop that calls
onnxruntime with the same options, in turns, alone and with images being decoded beside it. Then what two processes of
one encoder share in memory, and how long a first search takes from the start of the process.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np
import onnxruntime
from anyio import to_thread
from onnx import TensorProto, helper, numpy_helper

from mcp_cxr.embeddings import LocalConfig, LocalEmbedder
from mcp_cxr.images import ImageReader
from mcp_cxr.records import Rendering
from tests.server.archives import write_small_images
from tests.support.encoders import TinyEncoder, model_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

SIZE, PATCH, WIDTH, HEADS, LAYERS, DIMENSION = 224, 32, 768, 12, 12, 512
BATCH = 8
ROUNDS = 5
IMAGES = 32
SHARE_TO_REACH = 0.90
MEMORY = """
import sys, anyio, numpy as np
from pathlib import Path
from mcp_cxr.embeddings import LocalConfig, LocalEmbedder
from mcp_cxr.records import Rendering
async def main():
    async with LocalEmbedder(LocalConfig(Path(sys.argv[1]), "1", Path(sys.argv[2]))) as embedder:
        await embedder.embed_images([Rendering(np.full((224, 224), n, np.uint8)) for n in range(8)])
        print("ready", flush=True)
        sys.stdin.readline()
        for line in open("/proc/self/smaps_rollup"):
            if line.startswith(("Pss:", "Rss:")):
                print(line.split()[0], int(line.split()[1]) // 1024, flush=True)
anyio.run(main)
"""


class VisionTower:
    """Builds the graph of a vision transformer."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._rng = np.random.default_rng(20)

    def weight(self, *shape: int) -> str:
        values = self._rng.standard_normal(shape, np.float32) * np.float32(shape[0] ** -0.5)
        return self.constant(values)

    def constant(self, values: Any) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def linear(self, x: str, into: int, out: int) -> str:
        return self.add("Add", self.add("MatMul", x, self.weight(into, out)), self.constant(np.zeros(out, np.float32)))

    def normalized(self, x: str) -> str:
        scale, shift = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
        return self.add("LayerNormalization", x, self.constant(scale), self.constant(shift), axis=-1)

    def block(self, x: str) -> str:
        heads = self.constant(np.array([0, -1, HEADS, WIDTH // HEADS], np.int64))
        inside = self.normalized(x)
        parts = [self.add("Reshape", self.linear(inside, WIDTH, WIDTH), heads) for _ in range(3)]
        query, value = (self.add("Transpose", part, perm=[0, 2, 1, 3]) for part in (parts[0], parts[2]))
        products = self.add("MatMul", query, self.add("Transpose", parts[1], perm=[0, 2, 3, 1]))
        scaled = self.add("Mul", products, self.constant(np.float32((WIDTH // HEADS) ** -0.5)))
        attended = self.add("MatMul", self.add("Softmax", scaled, axis=-1), value)
        whole = self.constant(np.array([0, -1, WIDTH], np.int64))
        merged = self.add("Reshape", self.add("Transpose", attended, perm=[0, 2, 1, 3]), whole)
        x = self.add("Add", x, self.linear(merged, WIDTH, WIDTH))
        wide = self.linear(self.normalized(x), WIDTH, 4 * WIDTH)
        gelu = self.add("Mul", wide, self.add("Sigmoid", self.add("Mul", wide, self.constant(np.float32(1.702)))))
        return self.add("Add", x, self.linear(gelu, 4 * WIDTH, WIDTH))

    def model(self) -> Any:
        x = self.add(
            "Conv", "pixel_values", self.constant(self._kernels()), kernel_shape=[PATCH] * 2, strides=[PATCH] * 2
        )
        x = self.add("Reshape", x, self.constant(np.array([0, WIDTH, -1], np.int64)))
        x = self.add("Add", self.add("Transpose", x, perm=[0, 2, 1]), self.weight((SIZE // PATCH) ** 2, WIDTH))
        for _ in range(LAYERS):
            x = self.block(x)
        pooled = self.add("ReduceMean", self.normalized(x), axes=[1], keepdims=0)
        self.nodes.append(helper.make_node("MatMul", [pooled, self.weight(WIDTH, DIMENSION)], ["image_embeds"]))
        images = helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])
        vectors = helper.make_tensor_value_info("image_embeds", TensorProto.FLOAT, ["batch", DIMENSION])
        return model_of(self.nodes, [images], [vectors], self.weights)

    def _kernels(self) -> Any:
        return self._rng.standard_normal((WIDTH, 3, PATCH, PATCH), np.float32) * np.float32(0.02)


def write_folder(folder: Path) -> Path:
    """Write an encoder whose image tower has the size of ViT-B/32 and whose text tower is tiny, with external data."""
    encoder = TinyEncoder(text_dimension=DIMENSION, external=True)
    encoder.processor |= {"crop_size": SIZE}
    encoder.write(folder)
    (folder / "onnx/vision_model.onnx_data").unlink()
    encoder.save(VisionTower().model(), folder / "onnx/vision_model.onnx")
    return folder


def bare_session(folder: Path) -> Any:
    """Return onnxruntime's session with the options that the embedder sets, and no more."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.disable_prepacking", "1")
    path = str(folder / "onnx/vision_model.onnx")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


Rate = tuple[float, float]
"""Images a second, by the clock and by the CPU time of this process, which others on the machine do not change."""


def bare_rate(session: Any) -> Rate:
    batch = np.random.default_rng(0).standard_normal((BATCH, 3, SIZE, SIZE), np.float32)
    started = time.perf_counter(), time.process_time()
    for _ in range(IMAGES // BATCH):
        session.run(["image_embeds"], {"pixel_values": batch})
    return IMAGES / (time.perf_counter() - started[0]), IMAGES / (time.process_time() - started[1])


async def our_rate(embedder: LocalEmbedder, renderings: list[Rendering]) -> Rate:
    started = time.perf_counter(), time.process_time()
    await embedder.embed_images(renderings)
    return IMAGES / (time.perf_counter() - started[0]), IMAGES / (time.process_time() - started[1])


@asynccontextmanager
async def decoding(files: list[Path], embedder: LocalEmbedder) -> AsyncGenerator[None]:
    """Decode images in a loop, as an ingest does beside the embedder."""
    async with ImageReader() as reader, anyio.create_task_group() as tasks:

        async def decode() -> None:
            while True:
                for path in files:
                    await reader.read_image(path, embedder.image_spec)

        for _ in range(reader.workers):
            tasks.start_soon(decode)
        yield
        tasks.cancel_scope.cancel()


async def compare(folder: Path, known: Path, files: list[Path]) -> list[float]:
    """Print the rates of both, alone and beside decoding; return the share that is kept in each."""
    rng = np.random.default_rng(0)
    renderings = [Rendering(rng.integers(0, 256, (SIZE, SIZE), np.uint8)) for _ in range(IMAGES)]
    session, shares = bare_session(folder), []
    async with LocalEmbedder(LocalConfig(folder, "1", known)) as embedder:
        await embedder.embed_images(renderings)
        for what in ("alone", "decoding beside"):
            rates: tuple[list[Rate], list[Rate]] = ([], [])
            async with decoding(files, embedder) if what != "alone" else _nothing():
                for _ in range(ROUNDS):
                    rates[0].append(await to_thread.run_sync(bare_rate, session))
                    rates[1].append(await our_rate(embedder, renderings))
            # Each round's pair met the same machine; the median of their ratios is what a busy one says best.
            shares.append(statistics.median(ours[0] / bare[0] for bare, ours in zip(*rates, strict=True)))
            (bare, bare_cpu), (ours, ours_cpu) = (map(statistics.median, zip(*each, strict=True)) for each in rates)
            print(f"  {what:16} bare {bare:6.2f} images/s, local {ours:6.2f}; share kept {shares[-1]:.3f}")
            if what == "alone":
                print(f"  {'':16} by CPU time: bare {bare_cpu:6.2f}, local {ours_cpu:6.2f}; {ours_cpu / bare_cpu:.3f}")
    return shares


@asynccontextmanager
async def _nothing() -> AsyncGenerator[None]:
    yield


def print_memory(folder: Path, known: Path) -> None:
    """Print the memory of two processes at once; Pss counts a shared page by halves."""
    command = [sys.executable, "-c", MEMORY, str(folder), str(known)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    figures: list[str] = []
    for process in processes:
        assert process.stdin
        assert process.stdout
        process.stdin.write("\n")
        process.stdin.flush()
        figures.append(" ".join(process.stdout.readline().split() + process.stdout.readline().split()))
    for process in processes:
        process.communicate()
    weights = sum(path.stat().st_size for path in folder.rglob("*_data")) >> 20
    print(f"  {weights} MB of weights; MB of each of two processes: {'; '.join(figures)}")


def print_cold_search(folder: Path, work: Path) -> None:
    """Print the seconds of a search by words from the start of its process."""
    variables = {"MCP_CXR_EMBEDDER": "local", "MCP_CXR_MODEL_DIR": str(folder), "MCP_CXR_DATA_DIR": str(work / "data")}
    command = [sys.executable, "-m", "mcp_cxr"]
    images = work / "images"
    options: dict[str, Any] = {"capture_output": True, "env": os.environ | variables}
    subprocess.run([*command, "ingest", str(images)], check=True, **options)
    for query in ("left effusion", "right effusion"):
        started = time.perf_counter()
        subprocess.run([*command, "search", query, "--mode", "vector"], check=True, **options)
        print(f"  a search by meaning, from process start to its end: {time.perf_counter() - started:.2f} s")


def main() -> int:
    """Measure, print, and return 1 if less than the share is kept."""
    print(
        f"local encoder: onnxruntime {importlib.metadata.version('onnxruntime')}, {len(os.sched_getaffinity(0))} cores,"
    )
    print(f"  {platform.platform()}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        folder, known = write_folder(work / "model"), work / "encoders.json"
        write_small_images(work / "images", 16)
        shares = anyio.run(compare, folder, known, sorted((work / "images").rglob("*.dcm")))
        print_memory(folder, known)
        print_cold_search(folder, work)
    return int(min(shares) < SHARE_TO_REACH)


if __name__ == "__main__":
    sys.exit(main())
