"""Images that a person waits for, as the program is started by its user: `python -m tests.bench image_speed`.

`view_image` over stdio, and `mcp-cxr ingest` of a mix of DICOM and of JPEG as MIMIC-CXR-JPG has them, with the offline
embedder. Each is run in turns with the commit of `BEFORE`, from a worktree of its own; then the mix is read by a pool
of two processes of pydicom and OpenCV that resizes before it applies the window, if OpenCV is installed. CPU time is
that of all processes, the least of several runs; a busy machine shows in the wall time. All files are in the page
cache. Bytecode is written before, as an installer does.

`CXR_BENCH_MIX` names a folder of DICOM files for the mix; else uncompressed images, images with a VOI LUT and RLE
images are drawn. Linux only; needs git.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import importlib.util
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
from PIL import Image
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from pydicom.uid import RLELossless

from tests.bench.bench_images import SIGMOID, WIDE
from tests.bench.bench_ingest import CHECKOUT, Watch
from tests.stdio.conftest import INITIALIZE
from tests.unit.images.making import dicom_image, lut, radiograph, saved

if TYPE_CHECKING:
    from collections.abc import Generator

BEFORE = "409dc1b"
ROUNDS = 2
VIEWS = 10
JPEGS = 45
PLAIN, WITH_LUT, RLE = 102, 33, 15
POOL = """
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

def read(path):
    import cv2, numpy, pydicom
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
    cv2.setNumThreads(1)
    facts = pydicom.dcmread(path)
    values = facts.pixel_array
    table = numpy.arange(65536)[: int(cv2.minMaxLoc(values)[1]) + 1]
    grays = apply_voi_lut(apply_modality_lut(table, facts), facts)
    small = grays[cv2.resize(values, (224, 224), interpolation=cv2.INTER_AREA)]
    if facts.PhotometricInterpretation == "MONOCHROME1":
        small = small.max() - small
    return ((small - small.min()) / (small.max() - small.min()) * 255).astype(numpy.uint8)

with ProcessPoolExecutor(2) as pool:
    list(pool.map(read, sorted(Path(sys.argv[1]).rglob("*.dcm"))))
"""


def write_mix(folder: Path) -> Path:
    """Draw a mix: two thirds plain, a fifth with a VOI LUT, a tenth RLE."""
    pixels, place = radiograph(), folder / "mix"
    place.mkdir()
    for number in range(PLAIN + WITH_LUT + RLE):
        with_lut = PLAIN <= number < PLAIN + WITH_LUT
        elements = {"VOILUTSequence": lut(SIGMOID, depth=12)} if with_lut else WIDE
        unique = {"SOPInstanceUID": f"2.25.{number + 1}", "StudyInstanceUID": f"2.25.{number + 1000}"}
        facts = dicom_image(np.roll(pixels, 7 * number, axis=1), **elements, **unique)
        if number >= PLAIN + WITH_LUT:
            facts.compress(RLELossless, generate_instance_uid=False)
        saved(facts, place / f"{number:03}.dcm")
    return place


def write_jpegs(folder: Path) -> Path:
    """Draw JPEG files as MIMIC-CXR-JPG has them: 8 bits, histogram equalized, quality 95."""
    place = folder / "jpeg"
    place.mkdir()
    pixels = radiograph(2500, 3056) >> 4
    counts = np.cumsum(np.bincount(pixels.reshape(-1), minlength=256))
    equalized = (255 * counts / counts[-1]).astype(np.uint8)[pixels]
    for number in range(JPEGS):
        Image.fromarray(np.roll(equalized, 7 * number, axis=1)).save(place / f"{number:03}.jpg", quality=95)
    return place


@contextmanager
def worktree(folder: Path) -> Generator[Path]:
    """Yield the files of the commit that everything is compared with."""
    place = folder / "before"
    git = ["git", "-C", str(CHECKOUT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(place), BEFORE], check=True)
    try:
        yield place
    finally:
        subprocess.run([*git, "remove", "--force", str(place)], check=True)


def environment(tree: Path, data: Path) -> dict[str, str]:
    variables = {"MCP_CXR_DATA_DIR": str(data), "MCP_CXR_EMBEDDER": "offline", "MCP_CXR_SHARE": "images"}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | variables | {"PYTHONPATH": os.pathsep.join([str(tree), os.environ.get("PYTHONPATH", "")])}


def timed(command: list[str], variables: dict[str, str], folder: Path) -> tuple[float, float, str]:
    """Run a command; return its CPU time, with that of its processes, and its wall time, in seconds, and its output."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    output = subprocess.run(command, env=variables, cwd=folder, check=True, capture_output=True, text=True).stdout
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall, output


def ingest(tree: Path, images: Path, data: Path, *, limit: int) -> tuple[float, float]:
    shutil.rmtree(data, ignore_errors=True)
    command = [sys.executable, "-P", "-m", "mcp_cxr", "ingest", str(images), "--limit", str(limit), "--json"]
    cpu, wall, output = timed(command, environment(tree, data), data.parent)
    if json.loads(output)["added"] != limit:
        raise RuntimeError(f"Not all of {limit} images were added: {output}")
    return cpu, wall


def measure_ingest(trees: dict[str, Path], images: Path, data: Path) -> dict[str, dict[str, float]]:
    """Return by tree: CPU seconds of the start, CPU ms of a further image and of all, wall seconds."""
    count = sum(1 for each in images.rglob("*") if each.suffix in (".dcm", ".jpg"))
    some = count // 3
    runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in trees}
    for _ in range(ROUNDS):
        for name, tree in trees.items():
            few = ingest(tree, images, data, limit=some)[0]
            runs[name].append((few, *ingest(tree, images, data, limit=count)))
    figures: dict[str, dict[str, float]] = {}
    for name, of_tree in runs.items():
        few, every, wall = (min(column) for column in zip(*of_tree, strict=True))
        steady = (every - few) / (count - some)
        figures[name] = {"start_s": every - steady * count, "steady_ms": 1000 * steady}
        figures[name] |= {"all_ms": 1000 * every / count, "wall_s": wall, "wall_ms": 1000 * wall / count}
    return figures


def measure_pool(images: Path, folder: Path) -> tuple[float, float] | None:
    """Return the CPU and wall seconds of the pool, which stores nothing; None without OpenCV."""
    if not importlib.util.find_spec("cv2"):
        return None
    runs = [timed([sys.executable, "-c", POOL, str(images)], dict(os.environ), folder)[:2] for _ in range(ROUNDS)]
    return min(cpu for cpu, _ in runs), min(wall for _, wall in runs)


def views(tree: Path, data: Path, image_ids: list[str]) -> dict[str, tuple[float, float]]:
    """Return CPU and wall ms of a view by `first` and `again`, of a server over stdio and its processes."""
    command = [sys.executable, "-P", "-m", "mcp_cxr", "serve"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment(tree, data), cwd=data.parent, text=True, **pipes) as process:

        def send(message: dict[str, Any]) -> None:
            assert process.stdin
            process.stdin.write(json.dumps({"jsonrpc": "2.0"} | message) + "\n")
            process.stdin.flush()

        def call(method: str, params: dict[str, Any]) -> dict[str, Any]:
            assert process.stdout
            send({"id": 1, "method": method, "params": params})
            return json.loads(process.stdout.readline())

        def look(image_id: str) -> None:
            answer = call("tools/call", {"name": "view_image", "arguments": {"image_id": image_id}})
            if answer["result"].get("isError"):
                raise RuntimeError(str(answer))

        call("initialize", INITIALIZE)
        send({"method": "notifications/initialized"})
        look(image_ids[-1])  # imports
        took: dict[str, tuple[float, float]] = {}
        for name in ("first", "again"):
            watch, started = Watch(process.pid), time.perf_counter()
            watch.begin_anew()
            for image_id in image_ids[:-1]:
                look(image_id)
            wall = time.perf_counter() - started
            watch.look()
            took[name] = 1000 * watch.cpu_s / (len(image_ids) - 1), 1000 * wall / (len(image_ids) - 1)
        process.kill()
    return took


def measure_views(trees: dict[str, Path], images: Path, data: Path) -> dict[str, dict[str, tuple[float, float]]]:
    ingest(CHECKOUT, images, data, limit=VIEWS + 1)
    command = [sys.executable, "-P", "-m", "mcp_cxr", "search", "--view", "UNKNOWN", "--view", "PA", "--view", "AP"]
    command += ["--view", "LATERAL", "--view", "OTHER", "--group", "none", "--limit", "100", "--json"]
    found = json.loads(timed(command, environment(CHECKOUT, data), data.parent)[2])
    image_ids = [image["image_id"] for image in found["images"]]
    least: dict[str, dict[str, tuple[float, float]]] = {}
    for _ in range(ROUNDS):
        for name, tree in trees.items():
            for kind, figures in views(tree, data, image_ids).items():
                best = least.setdefault(name, {}).setdefault(kind, figures)
                least[name][kind] = min(best[0], figures[0]), min(best[1], figures[1])
    return least


def levels_of_jpeg_2000() -> list[float]:
    """Return CPU ms of OpenJPEG for the whole image, and without its finest one and two levels of wavelets."""
    frame = imagecodecs.jpeg2k_encode(radiograph(), level=0, reversible=True, codecformat="j2k", bitspersample=12)
    took: list[float] = []
    for level in range(3):
        runs: list[float] = []
        for _ in range(ROUNDS):
            started = time.process_time()
            image = Jpeg2KImageFile(io.BytesIO(frame))
            image.reduce = level
            image.load()
            runs.append(1000 * (time.process_time() - started))
        took.append(min(runs))
    return took


def show(name: str, aim: str, before: str, now: str) -> None:
    print(f"{name:52} {aim:>8} {before:>20} {now:>20}", flush=True)


def show_ingest(what: str, figures: dict[str, dict[str, float]], *, aim: str) -> None:
    before, now = figures["before"], figures["now"]
    steady = "steady_ms"
    show(f"ingest, {what}: a further image", aim, f"{before[steady]:.1f} ms", f"{now[steady]:.1f} ms")
    show(f"ingest, {what}: start of the processes", "0.5 s", f"{before['start_s']:.2f} s", f"{now['start_s']:.2f} s")
    whole = [f"{one['all_ms']:.1f} ({one['wall_ms']:.1f}) ms" for one in (before, now)]
    show(f"ingest, {what}: an image, start included", "", *whole)


def main() -> int:
    with tempfile.TemporaryDirectory(dir=os.environ.get("CXR_BENCH_DIR")) as place, worktree(Path(place)) as before:
        folder, data = Path(place), Path(place) / "data"
        trees = {"before": before, "now": CHECKOUT}
        mix = Path(os.environ["CXR_BENCH_MIX"]) if "CXR_BENCH_MIX" in os.environ else write_mix(folder)
        jpegs = write_jpegs(folder)
        for each in trees.values():
            ingest(each, jpegs, data, limit=3)  # writes bytecode
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; least of {ROUNDS} runs, in turns; CPU (wall)")
        show("", "aim", BEFORE, "reached")
        looked = measure_views(trees, mix, data)
        for kind, aim in (("first", "90 ms"), ("again", "10 ms")):
            shown = [f"{cpu:.0f} ({wall:.0f}) ms" for cpu, wall in (looked[name][kind] for name in trees)]
            show(f"view_image over stdio, 1,024 px, {kind}", aim, *shown)
        show_ingest("JPEG", measure_ingest(trees, jpegs, data), aim="25 ms")
        mixed = measure_ingest(trees, mix, data)
        show_ingest("mix", mixed, aim="12 ms")
        if pool := measure_pool(mix, folder):
            cpu, wall = (1000 * one / (PLAIN + WITH_LUT + RLE) for one in pool)
            show("mix: an image by a pool of pydicom and OpenCV", "", f"{cpu:.1f} ({wall:.1f}) ms", "")
            times = [f"{cpu / mixed[name]['all_ms']:.1f} ({wall / mixed[name]['wall_ms']:.1f})" for name in trees]
            show("mix: times as fast as that pool", "(2)", *times)
    levels = ", ".join(f"{ms:.0f}" for ms in levels_of_jpeg_2000())
    print(f"OpenJPEG, CPU ms without the finest 0, 1, 2 levels of wavelets: {levels}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
