"""A grey film to what goes out: the picture an embedder wants, the view a person looks at."""

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
    from mcp_cxr.images.render._gray_image import GrayImage
    from mcp_cxr.records import ImageSpec

MAX_VIEW_BYTES: Final = 700_000
"""In base64 under the megabyte that a tool's result may have."""
MAX_VIEW_PX: Final = 4096
_VIEW_JPEG_QUALITY: Final = 90


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """How a person wants to see a film.

    Raises:
        ValueError: Values that make no picture; the message says what is allowed.
    """

    window_center: float | None = None
    """In the units after the modality step; with `window_width`, or neither: then as the header says."""
    window_width: float | None = None
    """At least 1; LINEAR, PS3.3 C.11.2.1.2.1."""
    invert: bool = False
    region: tuple[float, float, float, float] | None = None
    """x0, y0, x1, y1 as fractions of width and height from the upper left; None: the whole film."""
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
class ImageView:
    """A film as a person wants to see it."""

    data: bytes
    """At most `MAX_VIEW_BYTES`."""
    mime_type: str
    """`image/png`, or `image/jpeg` where the PNG would be too large."""
    width: int
    height: int
    grayscale: dict[str, Any]
    header: HeaderFacts


def to_picture(film: GrayImage, spec: ImageSpec) -> Rendering:
    """Squash to `spec.size` squared, bicubic, in the embedder's mode."""
    greys = bicubic(film.pixels, spec.size, width=film.width, height=film.height)
    if spec.mode == "L" and spec.jpeg_quality is None:
        return Rendering(greys, None)
    image = Image.fromarray(greys).convert(spec.mode)
    jpeg = None if spec.jpeg_quality is None else _encoded(image, "JPEG", quality=spec.jpeg_quality)
    return Rendering(np.array(image), jpeg)


def to_view(film: GrayImage, max_px: int) -> tuple[bytes, str, int, int]:
    """Return the encoded view, its MIME type, width and height."""
    scale = min(1, max_px / max(film.width, film.height))
    size = (max(1, round(film.width * scale)), max(1, round(film.height * scale)))
    image = Image.fromarray(film.pixels)
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS, (0, 0, film.width, film.height))
    return to_sendable(image)


def to_sendable(image: Image.Image) -> tuple[bytes, str, int, int]:
    """Return a picture of at most `MAX_VIEW_BYTES`, its MIME type, width and height."""
    data, mime_type = _encoded(image, "PNG"), "image/png"
    while len(data) > MAX_VIEW_BYTES:
        if mime_type == "image/jpeg":  # even so: a wall of noise, or very large
            image = image.reduce(2)
        data, mime_type = _encoded(image, "JPEG", quality=_VIEW_JPEG_QUALITY), "image/jpeg"
    return data, mime_type, image.width, image.height


def _encoded(image: Image.Image, form: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()
