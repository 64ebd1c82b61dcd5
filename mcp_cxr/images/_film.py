"""The three ways through this room: a file to its header, to an embedder's picture, to a view."""

from __future__ import annotations

import dataclasses
import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mcp_cxr.errors import UnsupportedImage
from mcp_cxr.images._admission import check_admission
from mcp_cxr.images._decode import check_decodable, stored_values
from mcp_cxr.images._dicom import layout_of, open_dicom
from mcp_cxr.images._edge import typed_faults
from mcp_cxr.images._files import GZIP, inflated, opened
from mcp_cxr.images._grey_scale import to_grey
from mcp_cxr.images._header import Header, dicom_header
from mcp_cxr.images._plain import open_plain, plain_header, plain_values
from mcp_cxr.images._render import View, to_picture, to_view
from mcp_cxr.images._sniff import START, is_gzip, kind_of
from mcp_cxr.images._treatment import Treatment, Window, treatment_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path
    from typing import BinaryIO

    from mcp_cxr.images._decode import Stored
    from mcp_cxr.images._render import Viewing
    from mcp_cxr.records import ImageSpec, Picture

PREPROCESSING: Final = "1"
"""Version of the way from file to picture: a change of it makes other vectors."""


@dataclass(frozen=True, slots=True)
class Film:
    """A film as an embedder wants it."""

    header: Header
    picture: Picture
    grey_scale: dict[str, Any]
    """What was done to the stored values, fit for JSON: `modality` (`identity`, `rescale`, `lut`), `voi` (`lut`,
    `window` with center, width and function, or `stretch` with low and high), `inverted`, `notes`."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A film whose header is read and whose pixels can be."""

    header: Header
    treatment: Treatment
    decode: Callable[[], Stored]


def read_header(path: Path, *, any_body_part: bool = True) -> Header:
    """Read a header without decoding pixels.

    Args:
        path: A regular file, or a link to one.
        any_body_part: False refuses what `read_film` refuses by default.

    Raises:
        UnsupportedImage: Not a picture this room can read; for a chest film see `any_body_part`.
        CorruptImage: The header is damaged.
        ImageError: The file is gone or may not be read.
    """
    with _open_film(path, any_body_part=any_body_part) as film:
        return film.header


def read_film(path: Path, spec: ImageSpec, *, any_body_part: bool = False) -> Film:
    """Read a film into the picture that `spec` describes.

    Args:
        path: A regular file, or a link to one.
        spec: Size, mode and JPEG quality of the picture.
        any_body_part: True takes pictures of other body parts and modalities as well.

    Raises:
        UnsupportedImage: No chest film, or nothing here can decode it.
        CorruptImage: The file is damaged.
        ImageError: The file is gone or may not be read.
    """
    with _open_film(path, any_body_part=any_body_part) as film:
        grey = to_grey(film.decode(), film.treatment)
        return Film(film.header, to_picture(grey.pixels, spec), grey.record)


def view_film(path: Path, viewing: Viewing) -> View:
    """Render a film for a person; any body part, for what is in the archive has been let in.

    Raises:
        UnsupportedImage: Nothing here can decode it.
        CorruptImage: The file is damaged.
        ImageError: The file is gone or may not be read.
    """
    window = None
    if viewing.window_center is not None and viewing.window_width is not None:
        window = Window(viewing.window_center, viewing.window_width)
    with _open_film(path, any_body_part=True) as film:
        treatment = film.treatment
        if viewing.invert:
            treatment = dataclasses.replace(treatment, inverse=not treatment.inverse)
        grey = to_grey(film.decode(), treatment, window=window)
        return View(*to_view(grey.pixels, viewing), grey.record, film.header)


@contextmanager
def _open_film(path: Path, *, any_body_part: bool) -> Generator[_Opened]:
    """Open a file of any kind; whatever goes wrong inside is an `ImageError`."""
    with typed_faults("pixel data cannot be decoded"), opened(path) as file:
        with typed_faults("damaged header"):
            film = _open_source(file, any_body_part=any_body_part)
        yield film


def _open_source(source: BinaryIO, *, any_body_part: bool) -> _Opened:
    start = source.read(START)
    source.seek(0)
    if is_gzip(start):
        source = io.BytesIO(inflated(source.read(), wbits=GZIP))
        start = source.getvalue()[:START]
    match kind_of(start):
        case "dicom":
            return _open_dicom_film(source, any_body_part=any_body_part)
        case "png" | "jpeg" as kind:
            picture = open_plain(source, kind)
            return _Opened(plain_header(picture, kind), Treatment(), lambda: plain_values(picture))
        case None:
            raise UnsupportedImage("not DICOM")


def _open_dicom_film(source: BinaryIO, *, any_body_part: bool) -> _Opened:
    """What the file is comes first, then whether its pixels can be read."""
    file = open_dicom(source)
    check_admission(file.facts, any_body_part=any_body_part)
    if file.pixels is None:
        raise UnsupportedImage("no pixel data")
    layout = layout_of(file.facts)
    check_decodable(file, layout)
    return _Opened(dicom_header(file, layout), treatment_of(file, layout), lambda: stored_values(file, layout))
