"""A lock by which one process at a time writes the int8 copy; the system releases that of a killed process."""

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
_POLL_INTERVAL_S = 0.01


class LockBusy(Exception):
    """Another process holds the lock."""


@contextmanager
def locked(folder: Path, *, wait_s: float = 0.0) -> Generator[None]:
    """Hold the folder's lock; does nothing if there is no folder, or if the system has no such locks.

    The folder itself is locked: that leaves no lock file behind, and SQLite's own locks are on the file in it.

    Raises:
        LockBusy: It was not released within `wait_s`.
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
        time.sleep(_POLL_INTERVAL_S)
    return None
