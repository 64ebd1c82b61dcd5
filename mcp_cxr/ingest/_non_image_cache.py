"""Caches which files are no images although their names do not say so, so that the next run does not open them."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import numpy as np

from mcp_cxr.safe_files import replace_private_file

if TYPE_CHECKING:
    from pathlib import Path

_HEAD: Final = b"mcp-cxr files that are no images, 1\n"
"""The number is that of the rules of `is_image_candidate`."""
_MOST: Final = 1 << 20
"""Files remembered: 8 MB on disk, some 60 in memory."""
_WORTH_SAVING: Final = 1000
"""New files from which the set is written; to open these takes 0.04 s."""


class NonImageCache:
    """A set of files by path, size and modification time, kept as one number of 64 bits each.

    Deleting its file costs a look at the files' first bytes.

    Args:
        path: Where the set is kept between runs; None: nowhere.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._numbers: set[int] | None = None
        self._added = 0

    def holds(self, path: str, status: os.stat_result) -> bool:
        """Return whether the file was added before and has not changed since."""
        if self._numbers is None:
            self._numbers = set(self._read())
        return _number(path, status) in self._numbers

    def add(self, path: str, status: os.stat_result) -> None:
        """Add a file."""
        numbers = self._numbers or set[int]()
        if len(numbers) < _MOST:
            numbers.add(_number(path, status))
            self._numbers = numbers
            self._added += 1

    def save(self) -> None:
        """Write the set for the next run if it has grown by much; that it cannot be written is no error."""
        if self._path is None or self._added < _WORTH_SAVING:
            return
        numbers = np.fromiter((self._numbers or set[int]()) | set(self._read()), "<u8")[:_MOST]
        with suppress(OSError):
            replace_private_file(self._path, _HEAD + numbers.tobytes())
            self._added = 0

    def _read(self) -> list[int]:
        try:
            content = self._path.read_bytes() if self._path else b""
        except OSError:
            return []
        if not content.startswith(_HEAD) or (len(content) - len(_HEAD)) % 8:
            return []
        return np.frombuffer(content, "<u8", offset=len(_HEAD)).tolist()


def _number(path: str, status: os.stat_result) -> int:
    key = b"%d %d %s" % (status.st_size, status.st_mtime_ns, os.fsencode(path))
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little")
