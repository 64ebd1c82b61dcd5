"""PNG and JPEG: the stored pixels as they are.

EXIF orientation is not applied: the usual readers of these collections do not, so their facts speak of the pixels as
stored. Transparency is dropped, colour becomes its luma (ITU-R BT.601). No tag, text or EXIF of the file is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from mcp_cxr.errors import CorruptImage, UnsupportedImage
from mcp_cxr.images.dicom import MAX_PIXELS, HeaderFacts

if TYPE_CHECKING:
    from typing import BinaryIO, Literal

    from PIL.ImageFile import ImageFile

    from mcp_cxr.images.pixels._raster import StoredArray

# The plugins themselves instead of `Image.open`: nothing but PNG and JPEG can be meant, and its check against huge
# pictures warns by a process-wide setting, where `open_plain` refuses.
_PLUGINS: Final = {"png": PngImageFile, "jpeg": JpegImageFile}


def open_plain(source: BinaryIO, kind: Literal["png", "jpeg"]) -> ImageFile:
    """Read the header of a PNG or JPEG.

    Raises:
        UnsupportedImage: More than `MAX_PIXELS`.
        Exception: Whatever Pillow raises (`_edge.FAULTS`).
    """
    picture = _PLUGINS[kind](source)
    columns, rows = picture.size
    if rows < 1 or columns < 1:
        raise CorruptImage("no rows or columns")
    if rows * columns > MAX_PIXELS:
        raise UnsupportedImage("more than 64 megapixels")
    return picture


def plain_header(picture: ImageFile, kind: Literal["png", "jpeg"]) -> HeaderFacts:
    """Return the little a PNG or JPEG says of itself."""
    columns, rows = picture.size
    return HeaderFacts(kind=kind, rows=rows, columns=columns, tags={"Rows": rows, "Columns": columns})


def plain_values(picture: ImageFile) -> StoredArray:
    """Decode to grey, 8 or 16 bits.

    Raises:
        Exception: Whatever Pillow raises (`_edge.FAULTS`); cut off files too.
    """
    if picture.mode.startswith("I"):  # 16 bits; converting to L would clip at 255
        return np.ascontiguousarray(np.asarray(picture).astype(np.uint16))
    return np.array(picture.convert("L"))
