"""Encodes a gray image: the rendering for an embedder, the view for a person."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from mcp_cxr.images.render._resample import bicubic
from mcp_cxr.records import Rendering

if TYPE_CHECKING:
    from mcp_cxr.images.dicom import HeaderFacts
    from mcp_cxr.images.render._render_gray import GrayImage
    from mcp_cxr.records import ImageSpec

MAX_VIEW_BYTES: Final = 700_000
"""In base64 under the megabyte that a tool's result may have."""
MAX_VIEW_PX: Final = 4096
_VIEW_JPEG_QUALITY: Final = 90


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    """Window, region, inversion and size of a view.

    Raises:
        ValueError: An invalid value; the message says what is allowed.
    """

    window_center: float | None = None
    """In units after the modality step; given together with `window_width`. None: the default window of the header."""
    window_width: float | None = None
    """At least 1; LINEAR, PS3.3 C.11.2.1.2.1."""
    invert: bool = False
    region: tuple[float, float, float, float] | None = None
    """x0, y0, x1, y1 as fractions of width and height from the upper left; None: the whole image."""
    max_px: int = 1024
    """Longer side of the view at most; never enlarged."""

    def __post_init__(self) -> None:
        if (self.window_center is None) != (self.window_width is None):
            raise ValueError("Give window_center and window_width together, or neither.")
        if self.window_width is not None and not (math.isfinite(self.window_width) and self.window_width >= 1):
            raise ValueError("window_width must be at least 1.")
        if self.window_center is not None and not math.isfinite(self.window_center):
            raise ValueError("window_center must be a finite number.")
        if self.region is not None and not _is_region(self.region):
            raise ValueError("region must be [x0, y0, x1, y1] with 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1.")
        if not 1 <= self.max_px <= MAX_VIEW_PX:
            raise ValueError(f"max_px must be between 1 and {MAX_VIEW_PX}.")


def _is_region(region: tuple[float, ...]) -> bool:
    if len(region) != 4:  # noqa: PLR2004 # a host may send any list
        return False
    x0, y0, x1, y1 = region
    return 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A view of one or several images, for a person."""

    data: bytes
    """At most `MAX_VIEW_BYTES`."""
    mime_type: str
    """`image/png`, or `image/jpeg` if the PNG would be too large."""
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ImageView(EncodedImage):
    """A view of one image."""

    grayscale: dict[str, Any]
    header: HeaderFacts


def to_rendering(gray: GrayImage, spec: ImageSpec) -> Rendering:
    """Return the rendering: bicubic, `spec.size` squared regardless of proportions, in the embedder's mode."""
    grays = bicubic(gray.pixels, spec.size, width=gray.width, height=gray.height)
    if spec.mode == "L" and spec.jpeg_quality is None:
        return Rendering(grays, None)
    image = Image.fromarray(grays).convert(spec.mode)
    jpeg = None if spec.jpeg_quality is None else _encode(image, "JPEG", quality=spec.jpeg_quality)
    return Rendering(np.array(image), jpeg)


def to_view(gray: GrayImage, max_px: int) -> tuple[bytes, str, int, int]:
    """Return the encoded view, its MIME type, width and height."""
    scale = min(1, max_px / max(gray.width, gray.height))
    size = (max(1, round(gray.width * scale)), max(1, round(gray.height * scale)))
    image = Image.fromarray(gray.pixels)
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS, (0, 0, gray.width, gray.height))
    return encode_view(image)


def encode_view(image: Image.Image) -> tuple[bytes, str, int, int]:
    """Return `image` encoded in at most `MAX_VIEW_BYTES`, its MIME type, width and height."""
    data, mime_type = _encode(image, "PNG"), "image/png"
    while len(data) > MAX_VIEW_BYTES:
        if mime_type == "image/jpeg":  # JPEG is still too large: much noise, or many pixels
            image = image.reduce(2)
        data, mime_type = _encode(image, "JPEG", quality=_VIEW_JPEG_QUALITY), "image/jpeg"
    return data, mime_type, image.width, image.height


def _encode(image: Image.Image, form: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()
