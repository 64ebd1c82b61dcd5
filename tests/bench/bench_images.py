"""How long an image of MIMIC's size takes from its file to 224 x 224 grays: `python -m tests.bench.bench_images`.

Side by side, in turns, on one core, in time of that core (others may use the machine): the usual pipeline
(tests/unit/images/oracle.py), this package, and mere reading of the bytes; then, by the clock, an `ImageReader` with
one worker process on one core and with two on two, as ingest has them. The images are made: shades, ribs, a marker
and a detector's noise in 12 bits, with the identity rescale that images for presentation have. Files are warm in the
page cache.

The usual pipeline decodes JPEG lossless and JPEG-LS only where pylibjpeg and pylibjpeg-libjpeg are installed, which
nothing else here needs; without them these rows have no ratio. With pylibjpeg-openjpeg, pydicom prefers it to Pillow.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import sys
import tempfile
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import imagecodecs
import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from mcp_cxr.images import ImageReader, read_image
from mcp_cxr.records import ImageSpec
from tests.unit.images.making import dicom_image, lut, radiograph, saved
from tests.unit.images.oracle import difference, usual_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SPEC = ImageSpec(224, "L")
ROUNDS = 7
IMAGES = 24
"""For the images a second of a `ImageReader`."""
READ_SHARE_TO_REACH = 0.25
WIDE = {"WindowCenter": 2010, "WindowWidth": 3620}
CUTTING = {"WindowCenter": 1700, "WindowWidth": 1500}
"""Cuts off dark and bright ends of the image, as a window set by its histogram does."""
SIGMOID = (4095 / (1 + np.exp(-10 * (np.arange(4096) / 4095 - 0.5)))).astype("<u2")


@dataclass
class Case:
    """One way of storing the image, and what it took."""

    name: str
    to_reach: float | None
    """Times the usual pipeline; None: told, not asked for."""
    elements: dict[str, Any]
    syntax: UID = ExplicitVRLittleEndian
    path: Path = field(default_factory=Path)
    usual: list[float] = field(default_factory=list[float])
    ours: list[float] = field(default_factory=list[float])
    reading: list[float] = field(default_factory=list[float])
    error: tuple[int, float] | None = None

    @property
    def ratio(self) -> float | None:
        """How many times as fast as the usual pipeline; None where that cannot decode it."""
        return statistics.median(self.usual) / statistics.median(self.ours) if self.usual else None

    @property
    def read_share(self) -> float:
        """The time mere reading takes, as a share of our time."""
        return statistics.median(self.reading) / statistics.median(self.ours)


def cases() -> list[Case]:
    table = {"VOILUTSequence": lut(SIGMOID, depth=12)}
    return [
        Case("uncompressed, window", 20, WIDE),
        Case("uncompressed, VOI LUT", 20, table),
        Case("uncompressed, MONOCHROME1", 20, WIDE | {"PhotometricInterpretation": "MONOCHROME1"}),
        Case("uncompressed, no window", None, {}),
        Case("uncompressed, clipping window", None, CUTTING),
        Case("RLE", 5, WIDE, RLELossless),
        Case("JPEG lossless", 5, WIDE, JPEGLosslessSV1),
        Case("JPEG-LS", 2.5, WIDE, JPEGLSLossless),
        Case("JPEG 2000, clipping window", 4, CUTTING, JPEG2000Lossless),
        Case("JPEG 2000, wide window", None, WIDE, JPEG2000Lossless),
        Case("JPEG 2000, no window", None, {}, JPEG2000Lossless),
    ]


def _jpeg_2000(pixels: NDArray[np.uint16]) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(pixels, reversible=True, level=0, codecformat="j2k", bitspersample=12))


ENCODERS: dict[UID, Callable[[NDArray[np.uint16]], bytes]] = {
    JPEGLosslessSV1: lambda pixels: bytes(imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=12)),
    JPEGLSLossless: lambda pixels: bytes(imagecodecs.jpegls_encode(pixels)),
    JPEG2000Lossless: _jpeg_2000,
}


def write(case: Case, pixels: NDArray[np.uint16], folder: Path) -> None:
    facts = dicom_image(
        pixels, RescaleSlope=1, RescaleIntercept=0, **case.elements
    )  # as images for presentation have it
    if case.syntax == RLELossless:
        facts.compress(RLELossless, generate_instance_uid=False)
    elif case.syntax in ENCODERS:
        facts.file_meta.TransferSyntaxUID = case.syntax
        facts.add_new("PixelData", "OB", encapsulate([ENCODERS[case.syntax](pixels)]))
        facts["PixelData"].is_undefined_length = True
    case.path = saved(facts, folder / f"{case.name}.dcm")


def timed(work: Callable[[], object]) -> float:
    """Milliseconds of this process on its core. The first call is not counted: it warms what the last one cooled."""
    work()
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def measure(case: Case) -> None:
    """Take turns, so that a busy machine slows all three alike."""
    ours = read_image(case.path, SPEC).rendering.pixels
    with suppress(RuntimeError, NotImplementedError):  # pydicom has no decoder for it here
        case.error = difference(ours, usual_pipeline(case.path, 224))
    for _ in range(ROUNDS):
        if case.error:
            case.usual.append(timed(lambda: usual_pipeline(case.path, 224)))
        case.ours.append(timed(lambda: read_image(case.path, SPEC)))
        case.reading.append(timed(case.path.read_bytes))


async def images_a_second(path: Path, workers: int) -> float:
    """How many images a `ImageReader` turns into pictures, in so many processes; starting them is not counted."""
    async with ImageReader(workers=workers) as reader:

        async def read(times: int) -> None:
            for _ in range(times):
                await reader.read_image(path, SPEC, in_worker=True)

        async def all_at_once(times: int) -> float:
            start = time.perf_counter()
            async with anyio.create_task_group() as tasks:
                for _ in range(workers):
                    tasks.start_soon(read, times // workers)
            return time.perf_counter() - start

        await all_at_once(workers)
        return IMAGES / statistics.median([await all_at_once(IMAGES) for _ in range(3)])


def show(done: list[Case]) -> bool:
    print(
        f"\n{'one core':30} {'usual ms':>9} {'ours ms':>8} {'read ms':>8} {'x usual':>8} {'of read':>8}  error  asked"
    )
    passed = True
    for case in done:
        ratio, ours, reading = case.ratio, statistics.median(case.ours), statistics.median(case.reading)
        usual = f"{statistics.median(case.usual):9.1f}" if case.usual else f"{'-':>9}"
        error = f"{case.error[0]}/{case.error[1]:.2f}" if case.error else "-"
        asked = f"{case.to_reach:g}x" if case.to_reach else ""
        if case.to_reach and ratio is not None:
            is_reached = ratio >= case.to_reach
            if case.syntax == ExplicitVRLittleEndian:
                asked += f", {READ_SHARE_TO_REACH} of read"
                is_reached &= case.read_share >= READ_SHARE_TO_REACH
            asked += "" if is_reached else "  MISSED"
            passed &= is_reached
        times = f"{ratio:7.1f}x" if ratio is not None else f"{'-':>8}"
        print(f"{case.name:30} {usual} {ours:8.1f} {reading:8.2f} {times} {case.read_share:8.2f}  {error:6} {asked}")
    return passed


def show_cores(done: list[Case], cores: set[int]) -> None:
    print(f"\n{'ImageReader':30} {'one core /s':>12} {'two cores /s':>13}")
    for case in done:
        use({min(cores)})
        one = anyio.run(images_a_second, case.path, 1)
        use(cores)
        two = anyio.run(images_a_second, case.path, 2)
        print(f"{case.name:30} {one:12.1f} {two:13.1f}  {two / one:.2f}x")


def use(cores: set[int]) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def environment() -> str:
    names = ("pydicom", "numpy", "pillow", "imagecodecs", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg")
    versions = {each.metadata["Name"].lower(): each.version for each in importlib.metadata.distributions()}
    found = ", ".join(f"{name} {versions[name]}" for name in names if name in versions)
    return f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, {found}"


def main() -> None:
    warnings.filterwarnings("ignore", "Applying a VOI LUT on a float")  # the usual pipeline's
    cores = set(sorted(os.sched_getaffinity(0))[:2]) if hasattr(os, "sched_getaffinity") else {0}
    print(environment())
    pixels, done = radiograph(), cases()
    print(f"{pixels.shape[1]} x {pixels.shape[0]}, 12 bits stored, to 224 x 224; median of {ROUNDS}, in turns")
    with tempfile.TemporaryDirectory() as folder:
        use({min(cores)})
        for case in done:
            write(case, pixels, Path(folder))
            measure(case)
        passed = show(done)
        show_cores(done, cores)
    sys.exit(None if passed else 1)


if __name__ == "__main__":
    main()
