"""Finds the socket of a driver connection; the driver does not expose it."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_FOLDERS = (Path("/proc/self/fd"), Path("/dev/fd"))  # Linux; macOS and the BSDs. Windows has neither.
_connecting = threading.Lock()


def connect_with_socket(connect: Callable[[], T], port: int) -> tuple[T, socket.socket | None]:
    """Run `connect`; return its result, and a duplicate of the socket it opened to `port`.

    Runs one at a time in this process: the socket is the one that is new. None if it cannot be identified; a call on
    that connection then cannot be stopped.
    """
    with _connecting:
        before = _sockets()
        connection = connect()
        new = [found for key in _sockets() - before if (found := _duplicate(key[0], port))]
    if len(new) == 1:
        return connection, new[0]
    for found in new:
        found.close()
    return connection, None


def _sockets() -> set[tuple[int, int]]:
    """Return descriptor and inode of each socket of this process."""
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    found: set[tuple[int, int]] = set()
    for name in os.listdir(folder) if folder else ():  # noqa: PTH208  # names, not paths
        try:
            status = os.fstat(int(name))
        except OSError:  # the descriptor of the listing itself
            continue
        if stat.S_ISSOCK(status.st_mode):
            found.add((int(name), status.st_ino))
    return found


def _duplicate(descriptor: int, port: int) -> socket.socket | None:
    """Return a duplicate if the descriptor is a TCP socket connected to `port`."""
    try:
        copy = socket.socket(fileno=os.dup(descriptor))
    except OSError:  # closed by its owner meanwhile
        return None
    try:
        if copy.family in (socket.AF_INET, socket.AF_INET6) and copy.getpeername()[1] == port:
            return copy
    except OSError:  # not connected
        pass
    copy.close()
    return None
