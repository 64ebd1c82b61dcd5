"""What an embedder is given and makes: renderings, vectors, and the fingerprint that says what made them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


Vector: TypeAlias = "NDArray[np.float32]"
"""float32, shape (dimension,)."""
Vectors: TypeAlias = "NDArray[np.float32]"
"""float32, shape (n, dimension)."""

Resampling: TypeAlias = Literal["bicubic", "bilinear", "box", "hamming", "lanczos"]


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """The rendering that an embedder expects."""

    size: int
    """Rows and columns; the image is resized to a square, aspect ratio not kept."""
    mode: Literal["L", "RGB"]
    jpeg_quality: int | None = None
    """JPEG quality of the encoded form; None: pixels are enough."""
    resampling: Resampling | None = None
    """Filter of the last step, as Pillow computes it. None: bicubic in half of the time, one gray level off in some
    pixels."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """An image rendered to an embedder's `ImageSpec`."""

    pixels: NDArray[np.uint8]
    """uint8, shape (size, size), or (size, size, 3) for RGB; dense tissue is bright, as MONOCHROME2."""
    jpeg: bytes | None = None
    """The rendering as JPEG, if the spec has a `jpeg_quality`."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an embedder returned no vector for one rendering: a fault of that image, not of the service."""

    reason: str


LOCAL_ENCODER = "local"
"""The model of every encoder in the process: which one it is, its digest and its canned vectors say."""
_PIXEL_SKETCH = "offline-sketch"
"""How the model of each version of the pixel sketch begins."""
_ANOTHER_ARCHIVE = (
    "Or use mode='words', or set MCP_CXR_DATA_DIR to a new folder (with IRIS: IRIS_TABLE to a new table) and ingest."
)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What vectors were made with; vectors are comparable only within one fingerprint."""

    model: str
    dimension: int
    preprocessing: str
    """Version of the steps from a file to its rendering."""
    service: str | None = None
    """Version of the service; if it changes, some images are embedded again and compared."""
    dialect: str | None = None
    canned: str | None = field(default=None, compare=False, repr=False)
    """Vectors of two drawings and two texts, as base64 of float16, by which encoders in the process are compared."""

    @property
    def facts(self) -> dict[str, Any]:
        """What people and models are shown of it: all but the canned vectors."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.compare}

    @property
    def description(self) -> str:
        """Model, dimension and preprocessing, for people."""
        return f"{self.model}, {self.dimension} dimensions, preprocessing {self.preprocessing}"

    @property
    def service_description(self) -> str:
        """Dialect and version of the service, for people."""
        return f"{self.dialect or 'unknown dialect'} {self.service or 'of unknown version'}"

    def other_model_advice(self, configured: str) -> str | None:
        """Return what to set if the configured embedder is of another model; the embedder is not called.

        Args:
            configured: Name of the configured embedder.
        """
        if configured == self.model:
            return None
        if self.model == LOCAL_ENCODER:
            return (
                f"This archive was made with the encoder {self.service} of a model folder: set MCP_CXR_EMBEDDER=local "
                "and MCP_CXR_MODEL_DIR."
            )
        if self.model.startswith(_PIXEL_SKETCH):
            return "This archive was made with the pixel sketch: set MCP_CXR_EMBEDDER=offline."
        if not self.dialect:  # no service: an embedder that this version does not know
            return f"This archive was made with {self.model}: set MCP_CXR_EMBEDDER to the embedder of that model."
        is_service = configured != LOCAL_ENCODER and not configured.startswith(_PIXEL_SKETCH)
        kind = "" if is_service else "MCP_CXR_EMBEDDER=nvclip and "
        return f"This archive was made with {self.model}: set {kind}NVCLIP_MODEL={self.model}."

    def mismatch(self, current: Fingerprint) -> str:
        """Return why vectors of `current` cannot be compared with those of this fingerprint, and what to do."""
        way = (
            "Set MCP_CXR_MODEL_DIR to the folder it was made with"
            if self.model == LOCAL_ENCODER
            else "Set NVCLIP_IMAGE_SIZE to its old value"
        )
        advice = self.other_model_advice(current.model) or (
            f"This archive was made with {self.description}; the configured embedder is {current.description}. {way},"
            " or install the version of mcp-cxr that made it."
        )
        return f"{advice} {_ANOTHER_ARCHIVE}"

    def is_comparable_with(self, other: Fingerprint) -> bool:
        """Whether vectors of both can be compared."""
        return (self.model, self.dimension, self.preprocessing) == (other.model, other.dimension, other.preprocessing)
