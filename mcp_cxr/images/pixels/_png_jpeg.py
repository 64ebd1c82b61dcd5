"""Reads PNG and JPEG files: the stored pixels, unrotated.

EXIF orientation is not applied: common readers of these data sets do not, so their tables describe the pixels as
stored. Transparency is dropped, color becomes its luma (ITU-R BT.601). No tag, text or EXIF of the file is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from mcp_cxr.errors import CorruptImage, UnsupportedImage
from mcp_cxr.images.dicom import MAX_PIXELS, HeaderFacts
from mcp_cxr.images.files import translate_library_errors

if TYPE_CHECKING:
    from typing import BinaryIO, Literal

    from PIL.ImageFile import ImageFile

    from mcp_cxr.images.pixels._raster import StoredArray

# The plugins themselves instead of `Image.open`: no other format can be opened, and its check against huge
# images is a warning with a process-wide limit, while `open_png_jpeg` refuses.
_PLUGINS: Final = {"png": PngImageFile, "jpeg": JpegImageFile}


def open_png_jpeg(source: BinaryIO, kind: Literal["png", "jpeg"]) -> ImageFile:
    """Read the header of a PNG or JPEG.

    Raises:
        UnsupportedImage: More than `MAX_PIXELS`.
        CorruptImage: Pillow cannot read it.
    """
    with translate_library_errors("damaged header"):
        image = _PLUGINS[kind](source)
    columns, rows = image.size
    if rows < 1 or columns < 1:
        raise CorruptImage("no rows or columns")
    if rows * columns > MAX_PIXELS:
        raise UnsupportedImage("more than 64 megapixels")
    return image


def png_jpeg_header(image: ImageFile, kind: Literal["png", "jpeg"]) -> HeaderFacts:
    """Return the facts of a PNG or JPEG: kind and size."""
    columns, rows = image.size
    return HeaderFacts(kind=kind, rows=rows, columns=columns, tags={"Rows": rows, "Columns": columns})


def png_jpeg_values(image: ImageFile) -> StoredArray:
    """Decode to gray, 8 or 16 bits.

    Raises:
        CorruptImage: Pillow cannot decode it, or it ends early.
    """
    with translate_library_errors("pixel data cannot be decoded"):
        if image.mode.startswith("I"):  # 16 bits; converting to L would clip at 255
            return np.ascontiguousarray(np.asarray(image).astype(np.uint16))
        return np.asarray(image if image.mode == "L" else image.convert("L"))
