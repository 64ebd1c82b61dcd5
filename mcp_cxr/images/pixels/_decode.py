"""Decodes pixel data to stored values: integers of 8 or 16 bits, rows x columns, before any grayscale step.

Color becomes gray here: the luma of ITU-R BT.601, which is the first component of YBR data.
"""

from __future__ import annotations

import io
import struct
import sys
from dataclasses import replace
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
from mcp_cxr.images.files import LIBRARY_ERRORS, NeedsDecoding, translate_library_errors
from mcp_cxr.images.pixels._codestream import StreamHeader, read_stream_header
from mcp_cxr.images.pixels._raster import (
    OTHER_SIGN,
    SIGN,
    ArrayRaster,
    FileRaster,
    checked_shift,
    contradicts_sign,
    mask_to_bits,
    note_stray_bits,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedIOBase
    from typing import TypeAlias

    from numpy.typing import NDArray

    from mcp_cxr.images.dicom import DicomFile, PixelLayout
    from mcp_cxr.images.pixels._raster import Raster, StoredArray

    Samples: TypeAlias = NDArray[Any]
    """As decoded: shape (rows, columns) or (rows, columns, 3)."""

_UNDECODABLE: Final = "pixel data cannot be decoded"
_LUMA: Final = (0.299, 0.587, 0.114)
_ITEM = b"\xfe\xff\x00\xe0"
_PHOTOMETRICS = frozenset(
    ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
)
_NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"})


def _jpeg(frame: bytes) -> Samples:
    """Decode without color conversion, hence RGB on both sides: the photometric interpretation defines the samples."""
    if read_stream_header(frame).samples == 1:
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
"""Plugins of pydicom that are tried if imagecodecs fails. Never gdcm: CVE-2026-3650 is open."""


def check_decodable(file: DicomFile) -> None:
    """Refuse a file whose pixels this module cannot read.

    Raises:
        UnsupportedImage: Its transfer syntax or photometric interpretation is not supported.
    """
    if file.syntax not in _NATIVE and file.syntax not in _CODECS and file.syntax != RLELossless:
        raise UnsupportedImage(f"transfer syntax not supported ({syntax_name(file.syntax)})")
    if file.layout.photometric not in _PHOTOMETRICS:
        raise UnsupportedImage("photometric interpretation not supported")


def open_raster(file: DicomFile, *, halve: bool) -> Raster:
    """Return the stored values of the one frame, decoded or ready to be read from the file.

    Args:
        file: Checked by `check_decodable`. Its source is read from, now or by the raster.
        halve: Half of the rows and columns are enough. Used for JPEG 2000, which contains the half-size image; the
            lowest and highest value of the full size are then unknown.

    Raises:
        CorruptImage: The pixel data ends early, contradicts the header, or cannot be decoded.
        NeedsDecoding: See `DicomFile.uncompressed_only`.
    """
    layout, notes = file.layout, ()
    if file.syntax in _NATIVE and layout.bits_allocated == 16 and layout.photometric.startswith("MONOCHROME"):  # noqa: PLR2004 # bits
        return _file_raster(file)
    if file.uncompressed_only and (file.syntax not in _NATIVE or layout.photometric == "PALETTE COLOR"):
        raise NeedsDecoding
    file.source.seek(file.pixels.offset)
    if file.syntax in _NATIVE:
        samples = _decode_native(file)
    elif file.pixels.length != UNDEFINED_LENGTH:
        raise CorruptImage(_UNDECODABLE)
    else:
        frame = _join_fragments(file.source.read())
        half = _half_size(frame, layout) if halve and file.syntax in _JPEG_2000 else None
        if half is not None:
            return ArrayRaster(half)
        samples, layout, notes = _decode_frame(frame, file.syntax, layout)
    shape = (layout.rows, layout.columns) if layout.samples == 1 else (layout.rows, layout.columns, layout.samples)
    if samples.shape != shape or samples.dtype.kind not in "iu" or samples.dtype.itemsize > layout.bits_allocated // 8:
        raise CorruptImage("pixel data does not match rows and columns")
    samples, more_notes = _stored_bits(samples, layout)
    return ArrayRaster(_to_gray(samples, file.elements, layout), (*notes, *more_notes))


def _stored_bits(samples: Samples, layout: PixelLayout) -> tuple[Samples, tuple[str, ...]]:
    """Return the samples limited to their stored bits, with the header's sign, and notes on other bits in use."""
    bits = layout.bits_stored
    samples = np.ascontiguousarray(samples)
    shift, notes = checked_shift(lambda: [samples], bits, layout.shift)
    if layout.photometric.startswith("MONOCHROME") and contradicts_sign(samples, bits, shift, signed=layout.signed):
        layout, notes = replace(layout, signed=not layout.signed), (*notes, _other_sign(layout))
    unsigned = samples.view(f"u{samples.itemsize}")
    if not (layout.signed or shift) and unsigned.max() < 1 << bits:
        return unsigned, notes
    if bits + shift < 8 * samples.dtype.itemsize:
        notes += note_stray_bits([samples], bits + shift, signed=layout.signed)
    return mask_to_bits(samples, bits, signed=layout.signed, shift=shift), notes


def _file_raster(file: DicomFile) -> FileRaster:
    """Return a raster over the file, after its length is checked."""
    layout = file.layout
    available = min(file.pixels.length, file.source.seek(0, io.SEEK_END) - file.pixels.offset)
    if available < 2 * layout.rows * layout.columns:
        raise CorruptImage("truncated pixel data")
    raster = FileRaster(
        source=cast("BufferedIOBase", file.source),  # typing.BinaryIO knows no readinto
        offset=file.pixels.offset,
        shape=(layout.rows, layout.columns),
        dtype=np.dtype(np.int16 if layout.signed else np.uint16),
        bits=layout.bits_stored,
        shift=layout.shift,
        swapped=file.little_endian != (sys.byteorder == "little"),
    )
    if contradicts_sign(raster.sampled_rows(), layout.bits_stored, layout.shift, signed=layout.signed):
        other = np.dtype(np.uint16 if layout.signed else np.int16)
        return replace(raster, dtype=other, notes=(_other_sign(layout),))
    return raster


def _other_sign(layout: PixelLayout) -> str:
    return f"{OTHER_SIGN}: read as {'unsigned' if layout.signed else 'signed'}"


def _half_size(frame: bytes, layout: PixelLayout) -> StoredArray | None:
    """Decode all but the finest wavelets; None if that is not possible or would be wrong."""
    stream = read_stream_header(frame)
    if stream.signed or layout.signed or layout.shift or stream.samples != 1:
        return None
    if (stream.rows, stream.columns) != (layout.rows, layout.columns):
        return None
    try:
        image = Jpeg2KImageFile(io.BytesIO(frame))
        image.reduce = 1
        values = np.asarray(image)
    except LIBRARY_ERRORS:
        return None
    if (
        stream.bits > 8 * values.itemsize
        or values.shape != (-(-layout.rows // 2), -(-layout.columns // 2))
        or values.dtype.name not in ("uint8", "uint16")
    ):
        return None
    values = values >> 8 * values.itemsize - stream.bits  # Pillow scales values to all bits
    if values.max() >= 1 << layout.bits_stored or contradicts_sign(
        values, layout.bits_stored, 0, signed=False
    ):  # bits above BitsStored may be in use, and their mean would be meaningless
        return None
    return _centered(_centered(values).T).T.copy()


def _centered(values: NDArray[Any]) -> NDArray[Any]:
    """Shift rows by a quarter of their height, to the centers of the means of two rows each.

    The coarse values of a wavelet lie on every second row (ISO 15444-1 annex F.3), half a full-size row higher.
    """
    after = np.concatenate((values[1:], values[-1:]))
    return ((np.multiply(values, 3, dtype=np.uint32) + after + 2) >> 2).astype(values.dtype)


def _decode_native(file: DicomFile) -> Samples:
    layout = file.layout
    expected = layout.rows * layout.columns * layout.samples * layout.bits_allocated // 8
    if layout.photometric == "YBR_FULL_422":
        expected = expected * 2 // 3  # two pixels share their color, PS3.3 C.7.6.3.1.2
    data = file.source.read(min(expected, file.pixels.length))
    if len(data) < expected:
        raise CorruptImage("truncated pixel data")
    data += file.source.read(expected % 2) or b"\0" * (expected % 2)
    elements = _pixel_elements(replace(layout, bits_stored=layout.bits_allocated))  # the others are dealt with later
    with translate_library_errors(_UNDECODABLE):
        elements.add_new("PixelData", file.pixels.vr, data)
        return get_decoder(file.syntax).as_array(elements, index=0, raw=True)[0]


def _join_fragments(encapsulated: bytes) -> bytes:
    """Join the fragments of one frame, PS3.5 A.4; the first item is the offset table.

    `pydicom.encaps` returns a truncated fragment as it is; here that is an error.
    """
    fragments: list[bytes] = []
    at = 0
    while encapsulated[at : at + 4] == _ITEM:
        start = at + 8
        if start > len(encapsulated):
            raise CorruptImage("truncated pixel data")
        at = start + struct.unpack_from("<I", encapsulated, at + 4)[0]
        if at > len(encapsulated):
            raise CorruptImage("truncated pixel data")
        fragments.append(encapsulated[start:at])
    if len(fragments) < 2:  # noqa: PLR2004 # the offset table alone
        raise CorruptImage("truncated pixel data")
    return b"".join(fragments[1:])


def _decode_frame(frame: bytes, syntax: UID, layout: PixelLayout) -> tuple[Samples, PixelLayout, tuple[str, ...]]:
    """Return samples, how their bits are used, and a note if the frame's own header changes that."""
    if syntax == RLELossless:
        return _decode_rle(frame, layout), layout, ()
    stream = read_stream_header(frame)
    if (stream.rows, stream.columns, stream.samples) != (layout.rows, layout.columns, layout.samples):
        raise CorruptImage("pixel data does not match rows and columns")
    try:
        samples = _CODECS[syntax](frame)
    except LIBRARY_ERRORS:
        samples = _decode_with_plugin(frame, syntax, layout)
    return samples, *_layout_in_stream(stream, layout)


def _decode_rle(frame: bytes, layout: PixelLayout) -> Samples:
    """PS3.5 annex G; the samples of a pixel lie in planes. `out` limits the decoded size."""
    dtype = np.dtype(f"<{'i' if layout.signed else 'u'}{layout.bits_allocated // 8}")
    room = bytearray(layout.rows * layout.columns * layout.samples * dtype.itemsize)
    with translate_library_errors(_UNDECODABLE):
        data = cast("bytes", imagecodecs.dicomrle_decode(frame, dtype=dtype, out=room))
    if len(data) < len(room):
        raise CorruptImage("truncated pixel data")
    planes = np.frombuffer(data, dtype).reshape(layout.samples, layout.rows, layout.columns)
    return planes[0] if layout.samples == 1 else np.moveaxis(planes, 0, -1)


def _decode_with_plugin(frame: bytes, syntax: UID, layout: PixelLayout) -> Samples:
    elements = _pixel_elements(layout)
    elements.add_new("PixelData", "OB", encapsulate([frame]))
    decoder = get_decoder(syntax)
    for plugin in _PLUGINS:
        if plugin in decoder.available_plugins:
            with translate_library_errors(_UNDECODABLE):
                return decoder.as_array(elements, index=0, raw=True, decoding_plugin=plugin)[0]
    raise CorruptImage(_UNDECODABLE)


def _pixel_elements(layout: PixelLayout) -> Dataset:
    """Return the elements that pydicom needs to decode pixels, from values already checked."""
    elements = Dataset()
    elements.Rows, elements.Columns, elements.SamplesPerPixel = layout.rows, layout.columns, layout.samples
    elements.BitsAllocated, elements.BitsStored = layout.bits_allocated, layout.bits_stored
    elements.HighBit, elements.PixelRepresentation = layout.bits_stored - 1, int(layout.signed)
    elements.PhotometricInterpretation = layout.photometric
    if layout.samples > 1:
        elements.PlanarConfiguration = layout.planar
    return elements


def _layout_in_stream(stream: StreamHeader, layout: PixelLayout) -> tuple[PixelLayout, tuple[str, ...]]:
    """Return how a stream uses the bits of its samples, and a note if that moves the sign.

    A stream with its own sign (JPEG 2000) keeps it. Otherwise the sign is the highest bit of the header or of the
    stream, whichever has fewer: the other one only leaves room above it. Samples that were moved up before they were
    compressed need a stream as deep as (0028,0102) High Bit.
    """
    if stream.signed:
        return replace(layout, bits_stored=layout.bits_allocated, shift=0, signed=True), ()
    bits, shift = layout.bits_stored, layout.shift if stream.bits >= layout.bits_stored + layout.shift else 0
    if not layout.signed or stream.bits == bits + shift:
        return replace(layout, shift=shift), ()
    sign = min(stream.bits, bits)
    return replace(layout, bits_stored=sign, shift=shift), (
        f"{SIGN} {sign} bits: {bits} stored, {stream.bits} compressed",
    )


def _to_gray(samples: Samples, elements: Dataset, layout: PixelLayout) -> StoredArray:
    if layout.photometric == "PALETTE COLOR":
        with translate_library_errors(_UNDECODABLE):
            samples = apply_color_lut(samples, elements)
    if samples.ndim == 2:  # noqa: PLR2004 # gray
        return np.ascontiguousarray(samples)
    if layout.photometric.startswith("YBR_FULL"):
        return np.ascontiguousarray(samples[..., 0])
    return _luma(samples)


def _luma(samples: Samples) -> StoredArray:
    """Return the luma of RGB, ITU-R BT.601, in the same dtype; one color at a time, to save memory."""
    gray = np.zeros(samples.shape[:2], np.float32)
    for color, weight in enumerate(_LUMA):
        gray += samples[..., color] * np.float32(weight)
    return np.rint(gray).astype(samples.dtype)
