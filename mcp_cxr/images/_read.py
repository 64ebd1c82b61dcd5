"""Reads a file into header facts, a rendering for the embedder, or a view for a person."""

from __future__ import annotations

import dataclasses
import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mcp_cxr.errors import UnsupportedImage
from mcp_cxr.images.dicom import (
    GrayscaleParameters,
    HeaderFacts,
    Identifiers,
    Window,
    dicom_header,
    identifiers,
    open_dicom,
    read_grayscale_parameters,
)
from mcp_cxr.images.files import (
    GZIP,
    SNIFFED_BYTES,
    NeedsDecoding,
    file_kind,
    inflate,
    is_gzip,
    open_bounded,
    translate_system_errors,
)
from mcp_cxr.images.pixels import (
    ArrayRaster,
    check_decodable,
    open_png_jpeg,
    open_raster,
    png_jpeg_header,
    png_jpeg_values,
)
from mcp_cxr.images.render import ImageView, is_plausible, render_gray, render_region, to_rendering, to_view

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from typing import BinaryIO

    from mcp_cxr.images.render import Decode, DisplayOptions
    from mcp_cxr.records import ImageSpec, Rendering

IMPLAUSIBLE_PIXELS: Final = "implausible pixels"
"""Reason, and note, of an image that is noise or nearly one gray."""


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """What was read of an image: its header, its rendering for an embedder, and how its gray levels were made."""

    header: HeaderFacts
    rendering: Rendering
    grayscale: dict[str, Any]
    """How stored values became gray levels, as JSON values: `modality` (`identity`, `rescale`, `lut`), `voi` (`lut`,
    `window` with center, width and function, or `stretch` with low and high), `inverted`, `notes`."""


@dataclass(frozen=True, slots=True)
class OpenImage:
    """An image whose header is read and whose pixels can be decoded."""

    header: HeaderFacts
    parameters: GrayscaleParameters
    decode: Decode


def read_header(path: Path, *, any_body_part: bool = True, uncompressed_only: bool = False) -> HeaderFacts:
    """Read a header without decoding pixels.

    Args:
        path: Absolute and resolved; a regular file.
        any_body_part: False refuses what `read_image` refuses by default.
        uncompressed_only: See `read_image`.

    Raises:
        UnsupportedImage: Not an image that can be read, or see `any_body_part`.
        CorruptImage: The header is damaged.
        ImageError: The file is missing or not readable.
        NeedsDecoding: See `uncompressed_only`.
    """
    with open_image(path, any_body_part=any_body_part, uncompressed_only=uncompressed_only) as image:
        return image.header


def read_identifiers(path: Path) -> Identifiers:
    """Read what a DICOM file of any class says that it is.

    Args:
        path: Absolute and resolved; a regular file.

    Raises:
        ImageError: The file is no DICOM file, damaged, missing or not readable.
    """
    with translate_system_errors(), open_bounded(path) as file:
        if file_kind(file.read(SNIFFED_BYTES)) != "dicom":
            raise UnsupportedImage("not a DICOM file")
        file.seek(0)
        return identifiers(file)


def read_image(
    path: Path,
    spec: ImageSpec,
    *,
    any_body_part: bool = False,
    any_pixels: bool = False,
    uncompressed_only: bool = False,
) -> DecodedImage:
    """Read an image and render it as `spec` describes.

    Args:
        path: Absolute and resolved; a regular file.
        spec: Size, mode and JPEG quality of the rendering.
        any_body_part: True accepts other body parts and modalities as well.
        any_pixels: True accepts pixels that are no picture (see `is_plausible`), with a note.
        uncompressed_only: True raises `NeedsDecoding` if the file has to be decompressed or decoded. C code does that,
            which a damaged or malicious file can crash, so the caller repeats the call in a worker process.

    Raises:
        UnsupportedImage: Not a chest radiograph, no codec decodes it, or `IMPLAUSIBLE_PIXELS`.
        CorruptImage: The file is damaged.
        ImageError: The file is missing or not readable.
        NeedsDecoding: See `uncompressed_only`.
    """
    with open_image(path, any_body_part=any_body_part, uncompressed_only=uncompressed_only) as image:
        gray = render_gray(image.decode, (image.header.rows, image.header.columns), image.parameters, wanted=spec.size)
        if not is_plausible(gray.pixels):
            if not any_pixels:
                raise UnsupportedImage(IMPLAUSIBLE_PIXELS)
            gray.grayscale_steps["notes"].append(IMPLAUSIBLE_PIXELS)
        return DecodedImage(image.header, to_rendering(gray, spec), gray.grayscale_steps)


def render_view(path: Path, options: DisplayOptions, *, uncompressed_only: bool = False) -> ImageView:
    """Render an image for a person. Any body part: eligibility was checked at ingest.

    Args:
        path: Absolute and resolved; a regular file.
        options: Window, region, inversion and size.
        uncompressed_only: See `read_image`.

    Raises:
        UnsupportedImage: No codec decodes it.
        CorruptImage: The file is damaged.
        ImageError: The file is missing or not readable.
        NeedsDecoding: See `uncompressed_only`.
    """
    window = None
    if options.window_center is not None and options.window_width is not None:
        window = Window(options.window_center, options.window_width)
    with open_image(path, any_body_part=True, uncompressed_only=uncompressed_only) as image:
        parameters = image.parameters
        if options.invert:
            parameters = dataclasses.replace(parameters, inverse=not parameters.inverse)
        gray = render_region(image.decode, parameters, max_px=options.max_px, region=options.region, window=window)
        return ImageView(*to_view(gray, options.max_px), gray.grayscale_steps, image.header)


@contextmanager
def open_image(path: Path, *, any_body_part: bool, uncompressed_only: bool) -> Generator[OpenImage]:
    """Open a file of any kind; if the system cannot read it inside the block, that becomes an `ImageError`."""
    with translate_system_errors(), open_bounded(path) as file:
        yield _open_source(file, any_body_part=any_body_part, uncompressed_only=uncompressed_only)


def _open_source(source: BinaryIO, *, any_body_part: bool, uncompressed_only: bool) -> OpenImage:
    start = source.read(SNIFFED_BYTES)
    source.seek(0)
    if is_gzip(start):
        if uncompressed_only:
            raise NeedsDecoding
        source = io.BytesIO(inflate(source.read(), wbits=GZIP))
        start = source.getvalue()[:SNIFFED_BYTES]
    match file_kind(start):
        case "dicom":
            file = open_dicom(source, any_body_part=any_body_part, uncompressed_only=uncompressed_only)
            check_decodable(file)
            parameters = read_grayscale_parameters(file)
            return OpenImage(dicom_header(file), parameters, lambda halve: open_raster(file, halve=halve))
        case "png" | "jpeg" as kind:
            if uncompressed_only:
                raise NeedsDecoding
            image = open_png_jpeg(source, kind)
            return OpenImage(
                png_jpeg_header(image, kind), GrayscaleParameters(), lambda _: ArrayRaster(png_jpeg_values(image))
            )
        case None:
            raise UnsupportedImage("not DICOM")
