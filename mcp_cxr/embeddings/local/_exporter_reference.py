"""Reads `reference.npz`, in which an exporter wrote what the model itself makes of some images and texts."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mcp_cxr.embeddings.local._model_files import folder_error, open_model_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mcp_cxr.records import Vectors

REFERENCE_FILE: Final = "reference.npz"
_MAX_BYTES: Final = 256 << 20
_MAX_ARRAYS: Final = 16


@dataclass(frozen=True, slots=True)
class Reference:
    """Inputs and the vectors that they must get."""

    images: NDArray[np.uint8]
    """Shape (n, rows, columns)."""
    texts: list[str]
    image_vectors: Vectors
    text_vectors: Vectors


def read_reference(folder: Path) -> Reference | None:
    """Return the reference of a model folder; None if it has none.

    Raises:
        EmbeddingRejected: The file is too large, damaged, or does not hold the four arrays.
    """
    path = folder.resolve() / REFERENCE_FILE
    if not path.exists():
        return None
    try:
        with open_model_file(path) as file:
            _check_sizes(file)
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return _reference({name: arrays[name] for name in arrays.files})
    except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, SyntaxError) as exc:
        raise folder_error(
            f"{REFERENCE_FILE} is damaged or does not hold the four arrays of docs/models.md; export it again."
        ) from exc


def _check_sizes(file: Any) -> None:  # noqa: ANN401 - a file
    """Refuse an archive that would grow beyond its bounds.

    Raises:
        ValueError: It would.
    """
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    if len(members) > _MAX_ARRAYS or sum(each.file_size for each in members) > _MAX_BYTES:
        raise ValueError("too large")


def _reference(arrays: dict[str, NDArray[Any]]) -> Reference:
    images, texts = arrays["images"], arrays["texts"]
    vectors = [arrays[name].astype(np.float32) for name in ("image_vectors", "text_vectors")]
    counts = [len(images), len(texts)]
    if images.dtype != np.uint8 or images.ndim != 3 or texts.dtype.kind != "U" or texts.ndim != 1:  # noqa: PLR2004  # gray images
        raise ValueError("other kinds of arrays")
    if [len(each) for each in vectors] != counts or any(each.ndim != 2 for each in vectors):  # noqa: PLR2004  # rows of numbers
        raise ValueError("other shapes")
    with np.errstate(all="ignore"):
        units = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in vectors]
    return Reference(images, [str(text) for text in texts], *units)
