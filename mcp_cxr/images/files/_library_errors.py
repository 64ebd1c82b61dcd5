"""Translates the errors of pydicom, Pillow and imagecodecs into `ImageError`, and silences their warnings and logs.

They are translated where a library is called and nowhere else: an error of our own code is held against no file.
"""

from __future__ import annotations

import logging
import struct
import warnings
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydicom.errors import BytesLengthException, InvalidDicomError

from mcp_cxr.errors import CorruptImage, UnreadableFile, UnsupportedImage

if TYPE_CHECKING:
    from collections.abc import Generator


class NeedsDecoding(Exception):
    """Only uncompressed pixel data may be read, but the file is compressed or encoded; never leaves this package."""


LIBRARY_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    ImportError,  # imagecodecs: a codec that was not built in
    InvalidDicomError,
    LookupError,
    OSError,
    RuntimeError,  # every codec of imagecodecs, RecursionError, NotImplementedError
    SyntaxError,  # Pillow on a broken PNG
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom, Pillow and imagecodecs raise on damaged files."""

_FILE_ERRORS: tuple[tuple[type[OSError], str], ...] = (
    (FileNotFoundError, "file not found"),
    (NotADirectoryError, "file not found"),
    (PermissionError, "permission denied"),
    (OSError, "file cannot be read"),
)
_QUIET_LOGGERS = ("pydicom", "PIL")  # what they log may quote a tag's value
_PYDICOM = r"pydicom(\.|$)"


@contextmanager
def translate_library_errors(reason: str) -> Generator[None]:
    """Turn the errors of a library that is called inside the block into an `ImageError`.

    Args:
        reason: The reason given if the library fails.

    Raises:
        CorruptImage: The library failed; `reason`.
        OSError: The operating system does not read the file; see `translate_system_errors`.
    """
    try:
        yield
    except LIBRARY_ERRORS as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise CorruptImage(reason) from error


@contextmanager
def translate_system_errors() -> Generator[None]:
    """Turn what the operating system refuses inside the block into an `ImageError`; silence pydicom and Pillow.

    Raises:
        UnsupportedImage: The image needs more memory than is available, or than a worker process may use.
        UnreadableFile: The operating system does not open or read the file.
    """
    silence_libraries()
    try:
        yield
    except MemoryError as error:
        raise UnsupportedImage("decoder ran out of memory") from error
    except OSError as error:
        if error.errno is None:
            raise
        reason = next(words for kind, words in _FILE_ERRORS if isinstance(error, kind))
        raise UnreadableFile(reason) from error


def silence_libraries() -> None:
    """Silence the libraries' warnings and logs.

    A filter for pydicom alone is put first and left there: other threads would undo `warnings.catch_warnings`. Its
    position is checked each time, because others (pytest among them) insert filters before it.
    """
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    first_filter = warnings.filters[0] if warnings.filters else None
    if first_filter is None or getattr(first_filter[3], "pattern", None) != _PYDICOM:
        warnings.filterwarnings("ignore", module=_PYDICOM)
