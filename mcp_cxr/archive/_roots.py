"""The roots: folders below which files may be read."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from os.path import realpath
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_cxr.errors import PathRefused, StoreMissing
from mcp_cxr.pasted_text import pasted_path

if TYPE_CHECKING:
    from mcp_cxr.stores import Store

_LONGEST_SHOWN = 200  # characters of a path in an error


@dataclass(frozen=True, slots=True)
class AllowedRoots:
    """The folders below which files may be read."""

    roots: tuple[Path, ...]

    def resolve(self, path: str | Path) -> Path:
        """Return the path with its links resolved, if it exists and lies below a root.

        A path elsewhere is refused with the same message whether it exists or not: a caller learns nothing about the
        rest of the disk.

        Raises:
            PathRefused: It lies below no root, or is missing.
        """
        shown = str(path)[:_LONGEST_SHOWN]
        try:
            written = Path(pasted_path(path) if isinstance(path, str) else path).expanduser()
            real = Path(realpath(written))  # of a loop of links, the link itself: it does not exist
            is_below = any(real.is_relative_to(root.resolve()) for root in self.roots)
        except (OSError, RuntimeError, ValueError):  # the home of an unknown user, not a path
            is_below, real = False, Path()
        if not is_below:
            if not shown.startswith("~") and not Path(shown).is_absolute():
                raise PathRefused(f"{shown!r} is a relative path; give an absolute path below a root of the archive.")
            raise PathRefused(
                f"{shown!r} is outside the roots of this archive. To allow it, add its folder to MCP_CXR_ROOTS."
            )
        if not _exists(real):
            raise PathRefused(f"{shown!r} does not exist; check the path.")
        return real


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # below a folder that may not be entered; not a path
        return False


class Roots:
    """The roots of the settings, the roots recorded in the store, and roots added since the archive was opened.

    Args:
        named: The roots of the settings.
        store: Records the folders of earlier ingests.
        spool: Where `pull` keeps files; a root once it exists.
    """

    def __init__(self, named: tuple[Path, ...], store: Store, *, spool: Path) -> None:
        self._named = named
        self._store = store
        self._spool = spool
        self._added: set[Path] = set()

    def add(self, path: Path) -> None:
        """Allow a folder, or the folder of a file."""
        self._added.add(path if path.is_dir() else path.parent)

    async def allowed_roots(self) -> AllowedRoots:
        """Return the folders that may be read now.

        Roots recorded in a store that other machines write to are ignored: they must not decide what is read here.

        Raises:
            StoreError: The store fails.
        """
        spool = [self._spool] if self._spool.is_dir() else []
        roots = [*self._named, *sorted(self._added), *spool]
        if self._store.is_private:
            with suppress(StoreMissing):
                roots += map(Path, (await self._store.info()).roots)
        return AllowedRoots(tuple(dict.fromkeys(roots)))
