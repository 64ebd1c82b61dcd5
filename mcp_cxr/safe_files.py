"""Safe access to files of patient data: opened without following links, created readable by their owner alone."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedReader
    from pathlib import Path

_O_PATH = getattr(os, "O_PATH", None)  # Linux, FreeBSD: passes through folders that may not be listed
# O_NONBLOCK: a fifo that replaced the file must not block.
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

_DRAFT = re.compile(r"\.?(?P<name>.+?)(\.[0-9a-f]{8}){1,2}")


def open_without_links(path: Path) -> BufferedReader:
    """Open a regular file for reading, if no part of `path` is a link.

    Callers resolve and check the path first. Here each folder is opened relative to the one before, so a link created
    after the check is not followed either. On systems without `O_PATH` (macOS, Windows) the opened file is compared
    with the file at the path afterwards.

    Args:
        path: Absolute and resolved.

    Raises:
        OSError: As `open` does; with ELOOP for a link, with EINVAL for anything but a regular file.
    """
    descriptor = _open_and_compare(path) if _O_PATH is None else _open_folder_by_folder(path, _O_PATH)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise _error(errno.EINVAL)


def _open_folder_by_folder(path: Path, flag: int) -> int:
    first, *between, name = path.absolute().parts
    folder = os.open(first, flag | os.O_DIRECTORY)
    try:
        for part in between:
            outer, folder = folder, _folder(part, flag, folder)
            os.close(outer)
        _require_file(os.stat(name, dir_fd=folder, follow_symlinks=False))  # opening a device can have effects
        return os.open(name, _READ, dir_fd=folder)
    finally:
        os.close(folder)


def _folder(name: str, flag: int, outer: int) -> int:
    try:
        return os.open(name, flag | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=outer)
    except NotADirectoryError:  # also raised for a link
        if stat.S_ISLNK(os.stat(name, dir_fd=outer, follow_symlinks=False).st_mode):
            raise _error(errno.ELOOP) from None
        raise


def _open_and_compare(path: Path) -> int:
    _require_file(path.lstat())
    descriptor = os.open(path, _READ)
    if path.resolve() == path.absolute() and os.path.samestat(os.fstat(descriptor), path.lstat()):
        return descriptor
    os.close(descriptor)
    raise _error(errno.ELOOP)


def _require_file(status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise _error(errno.ELOOP)
    if not stat.S_ISREG(status.st_mode):
        raise _error(errno.EINVAL)


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def try_lock(folder: Path) -> int | None:
    """Lock a folder until the returned descriptor is closed, or this process ends.

    Returns:
        None: another process holds it, or the system has no such locks.

    Raises:
        OSError: The folder cannot be opened, or is a link.
    """
    if sys.platform == "win32":
        return None
    descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def create_private_folder(folder: Path) -> None:
    """Create a folder that only its owner may enter (mode 700), and each missing one above it; existing ones are kept.

    Raises:
        OSError: It cannot be created.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        create_private_folder(folder.parent)  # `mkdir(parents=True)` would give these the umask's mode
        folder.mkdir(mode=0o700, exist_ok=True)


def create_private_file(path: Path, content: bytes) -> None:
    """Create a file that only its owner may read (mode 600), and its folder; an existing file is kept unchanged.

    The file appears whole: it is written under another name and linked. If several processes create it, the first wins.

    Raises:
        OSError: It cannot be created.
    """
    create_private_folder(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def remove_drafts(folder: Path, is_of: Callable[[str], bool]) -> None:
    """Remove what killed processes left of files that they wrote here; a process that writes one now fails to.

    Args:
        folder: Where the files are; it may be missing.
        is_of: Tells of the name of a file whether its drafts are removed.

    Raises:
        OSError: One cannot be removed.
    """
    for file in list(folder.iterdir()) if folder.is_dir() else []:
        found = _DRAFT.fullmatch(file.name)
        if found and is_of(found["name"]):
            file.unlink(missing_ok=True)


def replace_private_file(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read (mode 600), and its folder; an existing file is replaced whole.

    Raises:
        OSError: It cannot be written.
    """
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    create_private_file(draft, content)
    draft.replace(path)
