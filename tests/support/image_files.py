"""Small images, drawn as a test needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mcp_cxr.demo import to_dicom

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_ROWS, _COLUMNS = 48, 40


def pixels(seed: int) -> NDArray[np.uint16]:
    """12 bits, bright in other places for each seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(300, 3800, (6, 5), np.uint16)
    return np.kron(coarse, np.ones((8, 8), np.uint16)) + rng.integers(0, 100, (_ROWS, _COLUMNS), np.uint16)


def write_dicom(path: Path, pixels: NDArray[np.uint16], **tags: Any) -> None:
    """Write an image; arguments as for `to_dicom`."""
    path.write_bytes(to_dicom(pixels, **tags))


def dicom(path: Path, seed: int, **tags: Any) -> Path:
    """Write an image whose ids are made of `seed` unless `tags` say otherwise; None leaves a tag out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    named: dict[str, Any] = {
        "SOPInstanceUID": f"2.25.{seed}",
        "StudyInstanceUID": f"2.25.9{seed}",
        "PatientID": f"MRN-{seed}",
    }
    write_dicom(path, pixels(seed), **(named | tags))
    return path


def plain(path: Path, seed: int) -> Path:
    """Write a PNG or JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((pixels(seed) >> 4).astype(np.uint8)).save(path)
    return path


def truncated(path: Path, seed: int, **tags: Any) -> Path:
    """Write an image that ends in the middle of its pixels."""
    content = dicom(path, seed, **tags).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def mimic_place(folder: Path, image: int, *, study: int | None = None, subject: int | None = None) -> Path:
    """Where MIMIC-CXR would keep an image of these numbers; study and subject are the image's unless given."""
    study, subject = image if study is None else study, image if subject is None else subject
    name = "-".join([f"{image:08x}"] * 5)
    return folder / "files" / "p10" / f"p10{subject:06}" / f"s5{study:07}" / f"{name}.dcm"


def mimic(folder: Path, image: int, *, study: int | None = None, subject: int | None = None, **tags: Any) -> Path:
    """Write an image in MIMIC-CXR's layout."""
    return dicom(mimic_place(folder, image, study=study, subject=subject), image, **tags)


def report(image: Path, text: str) -> Path:
    """Write the report of an image's study where MIMIC-CXR has it."""
    path = image.parent.with_suffix(".txt")
    path.write_text(text, encoding="utf-8")
    return path
