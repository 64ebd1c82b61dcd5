"""Warns of a folder to ingest that is too broad, such as a home folder or the whole file system."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST_USER = 1000  # user ids below are those of services, whose homes are folders such as /usr/sbin


def broad_folder_warning(folder: Path, *, data_dir: Path) -> str | None:
    """Return why the user should confirm that a folder is meant; None if there is no reason.

    That is so of `/`, of a home folder and what contains one, and of the data folder, what contains it or lies in it.
    """
    real, data = folder.resolve(), data_dir.resolve()
    if real == Path(real.anchor):
        return f"{real} is the whole file system."
    if data.is_relative_to(real) or real.is_relative_to(data):
        return f"{real} holds the archive's own data folder or lies in it."
    if any(home.is_relative_to(real) for home in _homes()):
        return f"{real} is or contains a home folder."
    return None


def _homes() -> Iterator[Path]:
    yield Path.home().resolve()
    if sys.platform == "win32":
        return
    import pwd  # not on Windows

    for user in pwd.getpwall():
        home = Path(user.pw_dir).resolve()
        if (user.pw_uid == 0 or user.pw_uid >= _FIRST_USER) and home != Path(home.anchor):
            yield home
