"""What the file system does for the store: a lock for the writer of the int8 copy, and checks of its type and modes.

The system releases the lock of a killed process. SQLite's write-ahead log and shared memory need a local disk: "All
processes using a database must be on the same host computer; WAL does not work over a network filesystem." (SQLite
documentation, wal.html.)
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Generator

CAN_LOCK = sys.platform != "win32"
_POLL_INTERVAL_S = 0.01
_OTHERS = stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH

_MOUNTS = Path("/proc/self/mountinfo")  # proc(5); Linux alone has it
_REMOTE = frozenset(
    "9p afs afp beegfs ceph cifs coda davfs fuse.ceph fuse.glusterfs fuse.rclone fuse.s3fs fuse.sshfs glusterfs gpfs"
    " lustre ncpfs nfs nfs4 orangefs panfs smb3 smbfs virtiofs vboxsf".split()
)


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


def network_file_system(folder: Path, *, mounts: Path = _MOUNTS) -> str | None:
    """Return the type of the network file system that the folder is on, or would be created on.

    None if it is local, or if the system does not say.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        real = folder.resolve()
    except OSError:
        return None
    found = [(point, kind) for point, kind in map(_mount, lines) if real.is_relative_to(point)]
    if not found:
        return None
    longest = max(len(point.parts) for point, _ in found)
    kind = [kind for point, kind in found if len(point.parts) == longest][-1]  # the last mount hides the others
    return kind if kind in _REMOTE else None


def is_open_to_others(folder: Path) -> bool:
    """Return whether other users may list or write a folder; False if there is none, or no such modes."""
    try:
        return os.name == "posix" and bool(folder.stat().st_mode & _OTHERS)
    except OSError:
        return False


def _mount(line: str) -> tuple[Path, str]:
    """Return mount point and file system: the fifth field, and the first one behind the dash."""
    before, _, after = line.partition(" - ")
    point = before.split()[4].encode("utf-8", "surrogateescape").decode("unicode_escape")  # a space is written \\040
    return Path(point.encode("latin-1").decode("utf-8", "surrogateescape")), after.split()[0]
