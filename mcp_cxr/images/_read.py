"""The three ways through this room: a file to its header, to an embedder's picture, to a view."""

from __future__ import annotations

import dataclasses
import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mcp_cxr.errors import UnsupportedImage
from mcp_cxr.images.dicom import (
    HeaderFacts,
    Treatment,
    Window,
    check_admission,
    dicom_header,
    layout_of,
    open_dicom,
    treatment_of,
)
from mcp_cxr.images.pixels import ArrayRaster, check_decodable, open_plain, open_raster, plain_header, plain_values
from mcp_cxr.images.render import ImageView, cut_out, developed, to_picture, to_view
from mcp_cxr.images.source import GZIP, START, NeedsDecoding, inflated, is_gzip, kind_of, opened, typed_faults

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from typing import BinaryIO

    from mcp_cxr.images.render import ViewOptions
    from mcp_cxr.images.render._gray_image import Decode
    from mcp_cxr.records import ImageSpec, Rendering

PREPROCESSING: Final = "1"
"""Version of the way from file to picture, grey scale included; part of every collection's fingerprint.

It goes up when the same file would become another picture: by more than 6 grey levels in a pixel or 0.3 in the mean
(JPEG 2000: 0.4), the bounds within which the tests hold every way through this room to the plain one. A faster way
inside these bounds keeps it; another rule of the grey scale, another filter, another treatment of padding raises it.
"""


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A film as an embedder wants it."""

    header: HeaderFacts
    rendering: Rendering
    grayscale: dict[str, Any]
    """What was done to the stored values, fit for JSON: `modality` (`identity`, `rescale`, `lut`), `voi` (`lut`,
    `window` with center, width and function, or `stretch` with low and high), `inverted`, `notes`."""


@dataclass(frozen=True, slots=True)
class OpenFilm:
    """A film whose header is read and whose pixels can be."""

    header: HeaderFacts
    treatment: Treatment
    decode: Decode


def read_header(path: Path, *, any_body_part: bool = True, plain_only: bool = False) -> HeaderFacts:
    """Read a header without decoding pixels.

    Args:
        path: Absolute and resolved; a regular file.
        any_body_part: False refuses what `read_image` refuses by default.
        plain_only: As for `read_image`.

    Raises:
        UnsupportedImage: Not a picture this room can read; for a chest film see `any_body_part`.
        CorruptImage: The header is damaged.
        ImageError: The file is gone or may not be read.
        NeedsDecoding: See `plain_only`.
    """
    with open_film(path, any_body_part=any_body_part, plain_only=plain_only) as film:
        return film.header


def read_image(path: Path, spec: ImageSpec, *, any_body_part: bool = False, plain_only: bool = False) -> DecodedImage:
    """Read a film into the picture that `spec` describes.

    Args:
        path: Absolute and resolved; a regular file.
        spec: Size, mode and JPEG quality of the picture.
        any_body_part: True takes pictures of other body parts and modalities as well.
        plain_only: True stops where something has to be unpacked or decoded, for that is done by C code which a
            damaged or malicious file can crash: the caller goes on in a worker process.

    Raises:
        UnsupportedImage: No chest film, or nothing here can decode it.
        CorruptImage: The file is damaged.
        ImageError: The file is gone or may not be read.
        NeedsDecoding: See `plain_only`.
    """
    with open_film(path, any_body_part=any_body_part, plain_only=plain_only) as film:
        grey = developed(film.decode, (film.header.rows, film.header.columns), film.treatment, wanted=spec.size)
        return DecodedImage(film.header, to_picture(grey, spec), grey.record)


def render_view(path: Path, options: ViewOptions, *, plain_only: bool = False) -> ImageView:
    """Render a film for a person; any body part, for what is in the archive has been let in.

    Args:
        path: Absolute and resolved; a regular file.
        viewing: What is to be seen.
        plain_only: As for `read_image`.

    Raises:
        UnsupportedImage: Nothing here can decode it.
        CorruptImage: The file is damaged.
        ImageError: The file is gone or may not be read.
        NeedsDecoding: See `plain_only`.
    """
    window = None
    if options.window_center is not None and options.window_width is not None:
        window = Window(options.window_center, options.window_width)
    with open_film(path, any_body_part=True, plain_only=plain_only) as film:
        treatment = film.treatment
        if options.invert:
            treatment = dataclasses.replace(treatment, inverse=not treatment.inverse)
        grey = cut_out(film.decode, treatment, max_px=options.max_px, region=options.region, window=window)
        return ImageView(*to_view(grey, options.max_px), grey.record, film.header)


@contextmanager
def open_film(path: Path, *, any_body_part: bool, plain_only: bool) -> Generator[OpenFilm]:
    """Open a file of any kind; whatever goes wrong inside is an `ImageError`."""
    with typed_faults("pixel data cannot be decoded"), opened(path) as file:
        with typed_faults("damaged header"):
            film = _open_source(file, any_body_part=any_body_part, plain_only=plain_only)
        yield film


def _open_source(source: BinaryIO, *, any_body_part: bool, plain_only: bool) -> OpenFilm:
    start = source.read(START)
    source.seek(0)
    if is_gzip(start):
        if plain_only:
            raise NeedsDecoding
        source = io.BytesIO(inflated(source.read(), wbits=GZIP))
        start = source.getvalue()[:START]
    match kind_of(start):
        case "dicom":
            return _open_dicom_film(source, any_body_part=any_body_part, plain_only=plain_only)
        case "png" | "jpeg" as kind:
            if plain_only:
                raise NeedsDecoding
            picture = open_plain(source, kind)
            return OpenFilm(plain_header(picture, kind), Treatment(), lambda _: ArrayRaster(plain_values(picture)))
        case None:
            raise UnsupportedImage("not DICOM")


def _open_dicom_film(source: BinaryIO, *, any_body_part: bool, plain_only: bool) -> OpenFilm:
    """What the file is comes first, then whether its pixels can be read."""
    file = open_dicom(source, plain_only=plain_only)
    check_admission(file.facts, any_body_part=any_body_part)
    if file.pixels is None:
        raise UnsupportedImage("no pixel data")
    layout = layout_of(file.facts)
    check_decodable(file, layout)
    treatment = treatment_of(file, layout)
    return OpenFilm(dicom_header(file, layout), treatment, lambda halve: open_raster(file, layout, halve=halve))
