"""Where the libraries' errors and warnings end: one place that turns them into this package's."""

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
    """The file has to be unpacked or decoded, where only plain bytes may be read; never leaves this package."""


FAULTS = (
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

_FILE_FAULTS: tuple[tuple[type[OSError], str], ...] = (
    (FileNotFoundError, "file not found"),
    (NotADirectoryError, "file not found"),
    (PermissionError, "permission denied"),
    (OSError, "file cannot be read"),
)
_QUIET_LOGGERS = ("pydicom", "PIL")  # what they log may quote a tag's value
_PYDICOM = r"pydicom(\.|$)"


@contextmanager
def typed_faults(reason: str) -> Generator[None]:
    """Turn whatever a library raises inside into an `ImageError`; pydicom and Pillow stay silent.

    Args:
        reason: What the file suffers from when a library gives up, unless its error says something plainer.

    Raises:
        CorruptImage: A library gave up; `reason`.
        UnsupportedImage: The picture needs more memory than there is, or than a worker process may have.
        UnreadableFile: The file system refuses the file.
    """
    _hush()
    try:
        yield
    except MemoryError as error:
        raise UnsupportedImage("decoder ran out of memory") from error
    except FAULTS as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise UnreadableFile(_file_reason(error)) from error
        raise CorruptImage(reason) from error


def _file_reason(error: OSError) -> str:
    return next(reason for kind, reason in _FILE_FAULTS if isinstance(error, kind))


def _hush() -> None:
    """Silence the libraries' warnings and logs.

    A filter that only names pydicom is put first and left there: `warnings.catch_warnings` would be undone by other
    threads. It is looked for each time, for others (pytest among them) put theirs before it.
    """
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    foremost = warnings.filters[0] if warnings.filters else None
    if foremost is None or getattr(foremost[3], "pattern", None) != _PYDICOM:
        warnings.filterwarnings("ignore", module=_PYDICOM)
