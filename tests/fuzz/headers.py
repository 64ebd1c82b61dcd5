"""`make soak`: DICOM files changed by their structure, each read as ingest, `show` and the viewer do.

Each ends in an image or in an `ImageError` with a reason, within ten seconds, without a warning, and without memory
beyond a bound. The seed of each file is printed if it does not; `--seed N --files 1` makes that file again.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import numpy as np

from mcp_cxr.errors import ImageError
from mcp_cxr.images import DisplayOptions, ImageReader
from mcp_cxr.records import ImageSpec
from tests.fuzz.header_changes import changed, elements_of
from tests.unit.images.making import coded, dicom_image, lut, phantom, saved

if TYPE_CHECKING:
    from tests.fuzz.header_changes import Element

SECONDS = 10
KIB = 512 * 1024
"""Most that the memory of this process may grow; files are read in worker processes with a bound of their own."""
SPEC = ImageSpec(32, "L")


@dataclass(slots=True)
class Outcomes:
    """What became of the files."""

    reasons: Counter[str] = field(default_factory=Counter[str])
    faults: list[str] = field(default_factory=list[str])
    slowest_s: float = 0.0
    grown_kib: int = 0


def valid_files(folder: Path) -> list[list[Element]]:
    """Return the elements of valid files of several kinds."""
    tables = {"VOILUTSequence": lut(np.arange(4096, dtype="<u2"), depth=12), "PixelPaddingValue": 0}
    words = {
        "SeriesDescription": "CHEST PA",
        "ViewPosition": "PA",
        "BodyPartExamined": "CHEST",
        "StudyDate": "21800506",
    }
    codes = {"ViewCodeSequence": coded("R-10214", "postero-anterior"), "PatientOrientation": ["L", "F"]}
    window = {"WindowCenter": [2000, 1800], "WindowWidth": [3000, 900], "WindowCenterWidthExplanation": ["A", "B"]}
    rescale = {"RescaleSlope": 2, "RescaleIntercept": -5, "PixelSpacing": [0.1, 0.1]}
    modality = {"ModalityLUTSequence": lut(np.arange(4096, dtype="<u2"), depth=12)}
    color = np.stack([phantom(64, 60) >> 4] * 3, axis=-1).astype(np.uint8)
    red_green_blue = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    signed = phantom(64, 60).astype(np.int16) - 2048
    kinds = (
        dicom_image(phantom(64, 60), **words, **window, **rescale),
        dicom_image(phantom(64, 60), **tables, **codes, **words),
        dicom_image(phantom(64, 60), **modality, **window, PhotometricInterpretation="MONOCHROME1"),
        dicom_image(signed, **window, BitsStored=16, HighBit=15),
        dicom_image((phantom(64, 60) >> 4).astype(np.uint8), **words, BitsStored=8, HighBit=7),
        dicom_image(color, **red_green_blue, BitsStored=8, HighBit=7),
    )
    return [elements_of(saved(facts, folder / "valid.dcm")) for facts in kinds]


async def read_changed(seeds: range, folder: Path) -> Outcomes:
    """Make a file for each seed and read it."""
    valid, outcomes = valid_files(folder), Outcomes()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with ImageReader(workers=2, deadline_s=SECONDS) as reader:
        for seed in seeds:
            chance = random.Random(seed)  # noqa: S311 - the file can be made again
            path = folder / "changed.dcm"
            path.write_bytes(changed(chance.choice(valid), chance))
            await _read(reader, path, seed, outcomes)
            path.unlink()
    outcomes.grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return outcomes


async def _read(reader: ImageReader, path: Path, seed: int, outcomes: Outcomes) -> None:
    started = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await reader.read_header(path)
            await reader.read_image(path, SPEC, any_body_part=True, any_pixels=True)
            await reader.render_view(path, DisplayOptions(max_px=40))
            await reader.render_view(path, DisplayOptions(max_px=40, window_center=1e300, window_width=1))
            await reader.read_values(path)
        outcomes.reasons["read"] += 1
    except ImageError as error:
        outcomes.reasons[error.reason] += 1
        if not error.reason or "took too long" in error.reason or "crashed" in error.reason:
            outcomes.faults.append(f"seed {seed}: {error.reason!r}")
    except Exception:  # noqa: BLE001 - whatever it is, it is a fault
        outcomes.faults.append(f"seed {seed}: {traceback.format_exc()}")
    seconds = time.monotonic() - started
    outcomes.slowest_s = max(outcomes.slowest_s, seconds)
    if seconds > SECONDS:
        outcomes.faults.append(f"seed {seed}: {seconds:.1f} s")


def main() -> int:
    """Read the files, print their outcomes, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument(
        "--seed", type=int, help="of the first file; the next ones follow. By default another each time"
    )
    asked = parser.parse_args()
    first = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**9)
    sys.stdout.write(f"{asked.files} changed headers, seeds {first} to {first + asked.files - 1}\n")
    with tempfile.TemporaryDirectory() as folder:
        found = anyio.run(read_changed, range(first, first + asked.files), Path(folder))
    for reason, count in found.reasons.most_common():
        sys.stdout.write(f"{count:>7} {reason}\n")
    sys.stdout.write(f"slowest {found.slowest_s:.1f} s; memory grew by {found.grown_kib / 1024:.0f} MiB\n")
    if found.grown_kib > KIB:
        found.faults.append(f"memory grew by more than {KIB / 1024:.0f} MiB")
    for fault in found.faults:
        sys.stdout.write(f"FAULT: {fault}\n")
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
