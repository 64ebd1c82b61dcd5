"""The folder of a running page: readable by its user alone, and removed when the page ends."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_cxr.safe_files import try_lock

if TYPE_CHECKING:
    from collections.abc import Generator

_PREFIX = "mcp-cxr-chat-"


@contextmanager
def private_folder() -> Generator[Path]:
    """Create a folder with mode 700 below the system's temporary folder, and remove it at the end.

    Folders that killed processes left are removed first. A running process holds a lock on its own; where the system
    has no such locks (Windows), nothing is removed.
    """
    _remove_left_folders(Path(tempfile.gettempdir()))
    folder, descriptor = _created()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def _created() -> tuple[Path, int | None]:
    """Create a folder and lock it; another one if a process that is just starting took it for one that was left."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with suppress(FileNotFoundError):
            descriptor = try_lock(folder)
            if sys.platform == "win32" or (descriptor is not None and folder.exists()):
                return folder, descriptor


def _remove_left_folders(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # not listed for us, or just removed
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or not _is_ours(status):
                continue
            descriptor = try_lock(folder)
            if descriptor is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(descriptor)


def _is_ours(status: os.stat_result) -> bool:
    return sys.platform != "win32" and status.st_uid == os.getuid()
