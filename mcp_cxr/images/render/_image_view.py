"""`ImageView`, an image rendered for a person, and its options; `images._read.render_view` makes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mcp_cxr.images.dicom import HeaderFacts

MAX_VIEW_PX: Final = 4096


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
        if self.region is not None:
            object.__setattr__(self, "region", tuple(self.region))  # from a list, which could be no key of a cache


def _is_region(region: tuple[float, ...]) -> bool:
    if len(region) != 4:  # noqa: PLR2004 # a host may send any list
        return False
    x0, y0, x1, y1 = region
    return 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A view of one or several images, for a person."""

    data: bytes
    """At most `MAX_VIEW_BYTES` of `_encode`."""
    mime_type: str
    """`image/png`, or `image/jpeg` if the PNG would be too large."""
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ImageView(EncodedImage):
    """A view of one image."""

    grayscale: dict[str, Any]
    header: HeaderFacts
