"""Pixel data to stored values: integers of 8 or 16 bits, rows x columns, before any grey-scale step.

Colour becomes grey here: the luma of ITU-R BT.601, which YBR data has as its first component.
"""

from __future__ import annotations

import io
import struct
import sys
from typing import TYPE_CHECKING, Any, Final, cast

import imagecodecs
import numpy as np
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import UID, RLELossless

from mcp_cxr.errors import CorruptImage, UnsupportedImage
from mcp_cxr.images.dicom import UNDEFINED_LENGTH, syntax_name
from mcp_cxr.images.pixels._codestream import FrameFacts, frame_facts
from mcp_cxr.images.pixels._raster import ArrayRaster, FileRaster, within_bits
from mcp_cxr.images.source import FAULTS, NeedsDecoding

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedIOBase
    from typing import TypeAlias

    from numpy.typing import NDArray

    from mcp_cxr.images.dicom import DicomFile, Layout, PixelElement
    from mcp_cxr.images.pixels._raster import Raster, StoredArray

    Samples: TypeAlias = NDArray[Any]
    """As decoded: shape (rows, columns) or (rows, columns, 3)."""

_LUMA: Final = (0.299, 0.587, 0.114)
_ITEM = b"\xfe\xff\x00\xe0"
_PHOTOMETRICS = frozenset(
    ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
)
_NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"})


def _jpeg(frame: bytes) -> Samples:
    """Nothing is converted, as both sides are called RGB: the photometric interpretation says what the samples are."""
    if frame_facts(frame).samples == 1:
        return imagecodecs.jpeg8_decode(frame)
    return imagecodecs.jpeg8_decode(frame, colorspace="RGB", outcolorspace="RGB")


_CODECS: Final[dict[str, Callable[[bytes], Samples]]] = {
    "1.2.840.10008.1.2.4.50": _jpeg,
    "1.2.840.10008.1.2.4.51": _jpeg,
    "1.2.840.10008.1.2.4.57": _jpeg,
    "1.2.840.10008.1.2.4.70": _jpeg,
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_decode,
    "1.2.840.10008.1.2.4.81": imagecodecs.jpegls_decode,
    "1.2.840.10008.1.2.4.90": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.91": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.201": imagecodecs.htj2k_decode,
    "1.2.840.10008.1.2.4.202": imagecodecs.htj2k_decode,
    "1.2.840.10008.1.2.4.203": imagecodecs.htj2k_decode,
}
_JPEG_2000: Final = frozenset({"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"})
_PLUGINS: Final = ("pylibjpeg", "pillow")
"""pydicom's plugins tried where imagecodecs gives up. Never gdcm: CVE-2026-3650 is open."""


def check_decodable(file: DicomFile, layout: Layout) -> PixelElement:
    """Return the pixel element of a file whose pixels this module can read.

    Raises:
        UnsupportedImage: No pixels, or none of a kind that is known here.
    """
    if file.pixels is None:
        raise UnsupportedImage("no pixel data")
    if file.syntax not in _NATIVE and file.syntax not in _CODECS and file.syntax != RLELossless:
        raise UnsupportedImage(f"transfer syntax not supported ({syntax_name(file.syntax)})")
    if layout.photometric not in _PHOTOMETRICS:
        raise UnsupportedImage("photometric interpretation not supported")
    return file.pixels


def open_raster(file: DicomFile, layout: Layout, *, halve: bool) -> Raster:
    """Return the one frame's values, decoded or ready to be read.

    Args:
        file: Its source is read from, now or by the raster.
        layout: How the pixels are stored.
        halve: Half of the rows and columns may do, and are all there is where that saves much: JPEG 2000 holds the
            half-size picture by itself. The lowest and the highest value are lost with the others.

    Raises:
        UnsupportedImage: As `check_decodable`.
        CorruptImage: The pixel data ends early, or is not what the header says.
        NeedsDecoding: See `DicomFile.plain_only`.
        Exception: Whatever a codec raises (`_edge.FAULTS`).
    """
    element = check_decodable(file, layout)
    if file.syntax in _NATIVE and layout.bits_allocated == 16 and layout.photometric.startswith("MONOCHROME"):  # noqa: PLR2004 # bits
        return _plain(file, layout, element)
    if file.plain_only and (file.syntax not in _NATIVE or layout.photometric == "PALETTE COLOR"):
        raise NeedsDecoding
    file.source.seek(element.offset)
    if file.syntax in _NATIVE:
        samples = _native(file, layout, element)
    elif element.length != UNDEFINED_LENGTH:
        raise CorruptImage("pixel data cannot be decoded")
    else:
        frame = _frame(file.source.read())
        half = _half_size(frame, layout) if halve and file.syntax in _JPEG_2000 else None
        if half is not None:
            return ArrayRaster(half)
        samples = _compressed(frame, file.syntax, layout)
    shape = (layout.rows, layout.columns) if layout.samples == 1 else (layout.rows, layout.columns, layout.samples)
    if samples.shape != shape or samples.dtype.kind not in "iu" or samples.dtype.itemsize > layout.bits_allocated // 8:
        raise CorruptImage("pixel data does not match rows and columns")
    return ArrayRaster(_grey(samples, file.facts, layout))


def _plain(file: DicomFile, layout: Layout, element: PixelElement) -> FileRaster:
    """Check the length before anything is read."""
    at = file.source.tell()
    there = min(element.length, file.source.seek(0, io.SEEK_END) - element.offset)
    file.source.seek(at)
    if there < 2 * layout.rows * layout.columns:
        raise CorruptImage("truncated pixel data")
    return FileRaster(
        source=cast("BufferedIOBase", file.source),  # typing.BinaryIO knows no readinto
        offset=element.offset,
        shape=(layout.rows, layout.columns),
        dtype=np.dtype(np.int16 if layout.signed else np.uint16),
        bits=layout.bits_stored,
        swapped=file.little_endian != (sys.byteorder == "little"),
    )


def _half_size(frame: bytes, layout: Layout) -> StoredArray | None:
    """Decode all but the finest wavelets; None where that cannot be done or would not be right."""
    said = frame_facts(frame)
    if said.signed or layout.signed or said.samples != 1:
        return None
    if (said.rows, said.columns) != (layout.rows, layout.columns):
        return None
    try:
        picture = Jpeg2KImageFile(io.BytesIO(frame))
        picture.reduce = 1
        values = np.asarray(picture)
        values = values >> 8 * values.itemsize - said.bits  # Pillow spreads them over all bits
    except FAULTS:
        return None
    if values.shape != (-(-layout.rows // 2), -(-layout.columns // 2)) or values.dtype.name not in ("uint8", "uint16"):
        return None
    if values.max() >= 1 << layout.bits_stored:  # bits above those stored may be in use; a mean of them means nothing
        return None
    return _centred(_centred(values).T).T.copy()


def _centred(values: NDArray[Any]) -> NDArray[Any]:
    """Move rows by a quarter of their height, to where the means of two rows each lie.

    A wavelet's coarse values stay on every second row, ISO 15444-1 annex F.3, half a row of the full size above those.
    """
    after = np.concatenate((values[1:], values[-1:]))
    return ((np.multiply(values, 3, dtype=np.uint32) + after + 2) >> 2).astype(values.dtype)


def _native(file: DicomFile, layout: Layout, element: PixelElement) -> Samples:
    expected = layout.rows * layout.columns * layout.samples * layout.bits_allocated // 8
    if layout.photometric == "YBR_FULL_422":
        expected = expected * 2 // 3  # two pixels share their colour, PS3.3 C.7.6.3.1.2
    data = file.source.read(min(expected, element.length))
    if len(data) < expected:
        raise CorruptImage("truncated pixel data")
    data += file.source.read(expected % 2) or b"\0" * (expected % 2)
    facts = _pixel_facts(layout)
    facts.add_new("PixelData", element.vr, data)
    return get_decoder(file.syntax).as_array(facts, index=0, raw=True)[0]


def _frame(encapsulated: bytes) -> bytes:
    """Join the fragments of one frame, PS3.5 A.4; the first item is the offset table.

    `pydicom.encaps` returns what there is of a fragment that is cut off; here that is an error.
    """
    fragments: list[bytes] = []
    at = 0
    while encapsulated[at : at + 4] == _ITEM:
        start = at + 8
        at = start + struct.unpack_from("<I", encapsulated, at + 4)[0]
        if at > len(encapsulated):
            raise CorruptImage("truncated pixel data")
        fragments.append(encapsulated[start:at])
    if len(fragments) < 2:  # noqa: PLR2004 # the offset table alone
        raise CorruptImage("truncated pixel data")
    return b"".join(fragments[1:])


def _compressed(frame: bytes, syntax: UID, layout: Layout) -> Samples:
    if syntax == RLELossless:
        return _run_lengths(frame, layout)
    said = frame_facts(frame)
    if (said.rows, said.columns, said.samples) != (layout.rows, layout.columns, layout.samples):
        raise CorruptImage("pixel data does not match rows and columns")
    try:
        samples = _CODECS[syntax](frame)
    except FAULTS:
        samples = _by_plugin(frame, syntax, layout)
    return _signed(samples, said, layout)


def _run_lengths(frame: bytes, layout: Layout) -> Samples:
    """PS3.5 annex G; the samples of a pixel lie in planes. `out` bounds what a run may grow to."""
    dtype = np.dtype(f"<{'i' if layout.signed else 'u'}{layout.bits_allocated // 8}")
    room = bytearray(layout.rows * layout.columns * layout.samples * dtype.itemsize)
    data = cast("bytes", imagecodecs.dicomrle_decode(frame, dtype=dtype, out=room))
    if len(data) < len(room):
        raise CorruptImage("truncated pixel data")
    planes = np.frombuffer(data, dtype).reshape(layout.samples, layout.rows, layout.columns)
    samples = planes[0] if layout.samples == 1 else np.moveaxis(planes, 0, -1)
    return within_bits(samples, layout.bits_stored, signed=layout.signed)


def _by_plugin(frame: bytes, syntax: UID, layout: Layout) -> Samples:
    facts = _pixel_facts(layout)
    facts.add_new("PixelData", "OB", encapsulate([frame]))
    decoder = get_decoder(syntax)
    for plugin in _PLUGINS:
        if plugin in decoder.available_plugins:
            return decoder.as_array(facts, index=0, raw=True, decoding_plugin=plugin)[0]
    raise CorruptImage("pixel data cannot be decoded")


def _pixel_facts(layout: Layout) -> Dataset:
    """The part of a header that pydicom needs to decode pixels, from values already checked."""
    facts = Dataset()
    facts.Rows, facts.Columns, facts.SamplesPerPixel = layout.rows, layout.columns, layout.samples
    facts.BitsAllocated, facts.BitsStored = layout.bits_allocated, layout.bits_stored
    facts.HighBit, facts.PixelRepresentation = layout.bits_stored - 1, int(layout.signed)
    facts.PhotometricInterpretation = layout.photometric
    if layout.samples > 1:
        facts.PlanarConfiguration = layout.planar
    return facts


def _signed(samples: Samples, said: FrameFacts, layout: Layout) -> Samples:
    """Give decoded samples the header's sign and width; a stream that has a sign of its own (JPEG 2000) keeps it."""
    if said.signed:
        return samples
    bits = max(said.bits, layout.bits_stored) if layout.signed else layout.bits_stored
    return within_bits(samples, bits, signed=layout.signed)


def _grey(samples: Samples, facts: Dataset, layout: Layout) -> StoredArray:
    if layout.photometric == "PALETTE COLOR":
        samples = apply_color_lut(samples, facts)
    if samples.ndim == 2:  # noqa: PLR2004 # grey
        return np.ascontiguousarray(samples)
    if layout.photometric.startswith("YBR_FULL"):
        return np.ascontiguousarray(samples[..., 0])
    return _luma(samples)


def _luma(samples: Samples) -> StoredArray:
    """Return the grey of red, green and blue, ITU-R BT.601, in the same dtype; a colour at a time, to spare memory."""
    grey = np.zeros(samples.shape[:2], np.float32)
    for colour, weight in enumerate(_LUMA):
        grey += samples[..., colour] * np.float32(weight)
    return np.rint(grey).astype(samples.dtype)
