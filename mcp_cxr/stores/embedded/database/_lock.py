"""One process at a time writes the cache; the system lets go of the lock of one that was killed."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

CAN_LOCK = sys.platform != "win32"
_LOOK_AGAIN_S = 0.01


class LockBusy(Exception):
    """Another process holds the lock."""


@contextmanager
def locked(folder: Path, *, wait_s: float = 0.0) -> Generator[None]:
    """Hold the folder's lock; where there is no folder, or nothing can be locked, there is nothing to hold.

    The folder itself is locked: no file has to be left behind, and SQLite's own locks are on the file in it.

    Raises:
        LockBusy: Another holder kept it for so long.
    """
    if not (CAN_LOCK and folder.is_dir()):
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _acquire(descriptor, time.monotonic() + wait_s)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, give_up_at: float) -> None:
    while sys.platform != "win32":
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if time.monotonic() >= give_up_at:
            raise LockBusy
        time.sleep(_LOOK_AGAIN_S)
    return None
