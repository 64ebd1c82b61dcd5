"""Images of MIMIC's size into the archive, by the command and by the usual loop: `python -m tests.bench ingest`.

300 uncompressed images of 2544 x 3056 at 16 bits lie on disk, warm in the page cache; the embedding service is the
simulated server with no delay, on the same two cores. `mcp-cxr ingest`, from its first look at the folder to its
summary, is compared with what two cores could do at the CPU time of an image, summed over its processes, the start of
its workers included, and the service; and with the loop that people write first: pydicom's usual pipeline, one request
and one commit an image. Also printed: the most memory that its processes and the service held at once (PSS: shared
pages are counted once). Linux only.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import base64
import io
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
from PIL import Image

from tests.standins.nvclip import StandIn
from tests.unit.images.making import dicom_image, radiograph, saved
from tests.unit.images.oracle import usual_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGES = 300
IN_THE_LOOP = 24
SHARE_TO_REACH, TIMES_TO_REACH, MB_TO_REACH = 0.85, 20, 1024
CHECKOUT = Path(__file__).parents[2]
_TICKS = os.sysconf("SC_CLK_TCK")


def write_images(folder: Path, count: int) -> list[Path]:
    """Write images of one noise, each shifted, in MIMIC's layout: two a study, with its report."""
    pixels = radiograph()
    for number in range(count):
        place = folder / "files" / "p10" / f"p10{number // 4:06}" / f"s{50_000_000 + number // 2}"
        place.mkdir(parents=True, exist_ok=True)
        place.with_suffix(".txt").write_text("IMPRESSION: No acute process.\n")
        one = dicom_image(np.roll(pixels, 7 * number, axis=1), RescaleSlope=1, RescaleIntercept=0, **WINDOW)
        saved(one, place / f"{'-'.join([f'{number:08x}'] * 5)}.dcm")
    return sorted(folder.rglob("*.dcm"))


WINDOW = {"WindowCenter": 2010, "WindowWidth": 3620}


class Watch(threading.Thread):
    """Looks at a process and all below it five times a second: the CPU they took, the memory they hold."""

    def __init__(self, *roots: int) -> None:
        super().__init__(daemon=True)
        self._roots, self._ended = roots, threading.Event()
        self.cpu_s_of: dict[int, float] = {}
        self._before = {pid: _cpu_s(pid) for pid in roots}
        self.peak_mb = 0.0

    def begin_anew(self) -> None:
        """Leave out what CPU they took until now."""
        for pid in _family(self._roots):
            self._before[pid] = _cpu_s(pid)

    def run(self) -> None:
        while not self._ended.wait(0.2):
            self.look()

    def look(self) -> None:
        memory = 0.0
        for pid in _family(self._roots):
            with suppress(OSError, IndexError):  # it has ended meanwhile
                self.cpu_s_of[pid] = _cpu_s(pid) - self._before.get(pid, 0.0)
                memory += _pss_mb(pid)
        self.peak_mb = max(self.peak_mb, memory)

    def end(self) -> None:
        self.look()
        self._ended.set()
        self.join()

    @property
    def cpu_s(self) -> float:
        return sum(self.cpu_s_of.values())


def _family(roots: tuple[int, ...]) -> Iterator[int]:
    ahead = list(roots)
    while ahead:
        pid = ahead.pop()
        yield pid
        with suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                ahead += map(int, (task / "children").read_text().split())


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _pss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/smaps_rollup").read_text().split("Pss:", 1)[1].split()[0]) / 1024


def by_command(folder: Path, data: Path, standin: StandIn) -> dict[str, Any]:
    """Run `mcp-cxr ingest` and watch it together with the service."""
    variables = {"MCP_CXR_DATA_DIR": str(data), "NVCLIP_BASE_URL": standin.base_url}
    command = [sys.executable, "-m", "mcp_cxr", "ingest", str(folder), "--json"]
    launched = time.perf_counter()
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=CHECKOUT, env=os.environ | variables, **pipes) as process:
        watch = Watch(process.pid, standin.pid)
        watch.start()
        _await(process, "Scanning")
        started = time.perf_counter()
        watch.begin_anew()
        _await(process, "img/sec")
        ended = time.perf_counter()
        watch.end()
        output, _ = process.communicate()
    summary = json.loads(output)
    if summary["added"] != IMAGES:
        raise RuntimeError(f"The command added {summary['added']} of {IMAGES} images.")
    watched = {"cpu_s": watch.cpu_s, "peak_mb": watch.peak_mb, "cpu_s_of": watch.cpu_s_of}
    return summary | watched | {"wall_s": ended - started, "wall_with_start_s": ended - launched}


def _await(process: subprocess.Popen[str], told: str) -> None:
    if not any(told in line for line in process.stderr or ()):
        raise RuntimeError(f"The command ended before it told of {told}.")


def by_loop(paths: list[Path], data: Path, standin: StandIn) -> float:
    """Return images a second of the usual loop."""
    data.mkdir()
    start = time.perf_counter()
    with closing(sqlite3.connect(data / "loop.sqlite3")) as connection, httpx.Client(trust_env=False) as client:
        connection.execute("CREATE TABLE images (id TEXT PRIMARY KEY, path TEXT, vector BLOB)")
        for path in paths:
            encoded = io.BytesIO()
            Image.fromarray(usual_pipeline(path, 224)).convert("RGB").save(encoded, "JPEG", quality=95)
            uri = "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode()
            reply = client.post(f"{standin.base_url}/embeddings", json={"input": [uri], "model": standin.model})
            vector = np.array(reply.raise_for_status().json()["data"][0]["embedding"], np.float32)
            connection.execute("INSERT INTO images VALUES (?, ?, ?)", (path.stem, str(path), vector.tobytes()))
            connection.commit()
    return len(paths) / (time.perf_counter() - start)


def report(command: dict[str, Any], loop_rate: float, cores: int) -> bool:
    rate = IMAGES / command["wall_s"]
    cpu_s = command["cpu_s"] / IMAGES
    share, times = rate / (cores / cpu_s), rate / loop_rate
    figures = {
        "images_per_second": rate,
        "images_per_second_with_the_interpreter_s_start": IMAGES / command["wall_with_start_s"],
        "cpu_ms_per_image": cpu_s * 1000,
        "cpu_s_of_each_process": list(command["cpu_s_of"].values()),
        "share_of_cores": share,
        "loop_images_per_second": loop_rate,
        "times_the_loop": times,
        "peak_mb": command["peak_mb"],
        "stages": command["stages"],
        "slowest_stage": command["slowest_stage"],
    }
    print(
        json.dumps({name: round(one, 3) if isinstance(one, float) else one for name, one in figures.items()}, indent=2)
    )
    reached = share >= SHARE_TO_REACH and times >= TIMES_TO_REACH and command["peak_mb"] < MB_TO_REACH
    print(
        f"to reach: {SHARE_TO_REACH:.0%} of {cores} cores, {TIMES_TO_REACH} times the loop, under {MB_TO_REACH} MB: "
        f"{'yes' if reached else 'NO'}"
    )
    return reached


def environment(cores: int) -> str:
    load = os.getloadavg()[0]
    return (
        f"{platform.platform()}, {cores} cores of {os.cpu_count()}, load {load:.1f}, Python {platform.python_version()}"
    )


def main() -> int:
    warnings.filterwarnings("ignore", "Applying a VOI LUT on a float")  # the usual pipeline's
    cores = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, cores)
    print(f"{IMAGES} images of 2544 x 3056 into the archive, the service beside it\n{environment(len(cores))}")
    with tempfile.TemporaryDirectory() as place, StandIn() as standin:
        paths = write_images(Path(place) / "films", IMAGES)
        os.sync()  # else what the images left to be written stalls the commits of both
        for path in paths:
            path.read_bytes()
        loop_rate = by_loop(paths[:: IMAGES // IN_THE_LOOP], Path(place) / "loop", standin)
        command = by_command(Path(place) / "films", Path(place) / "data", standin)
    return 0 if report(command, loop_rate, len(cores)) else 1


if __name__ == "__main__":
    sys.exit(main())
