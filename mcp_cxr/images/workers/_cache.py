"""Caches the stored values of the images being viewed: a viewer requests one tile after another."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio
from anyio import to_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from typing import TypeAlias

    from mcp_cxr.images._stored_values import StoredValues

    FileState: TypeAlias = tuple[Path, int, int]
    """A file as it was read: path, size in bytes, modification time in ns."""

_MAX_IMAGES: Final = 2
"""Images kept; a large one takes 30 MB, the largest 128."""


@dataclass(slots=True)
class _CacheEntry:
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    values: StoredValues | None = None


class StoredValuesCache:
    """Keeps the stored values of the last two images at full size.

    Args:
        read: Reads the stored values of a file.
    """

    def __init__(self, read: Callable[[Path], Awaitable[StoredValues]]) -> None:
        self._read = read
        self._entries: OrderedDict[FileState, _CacheEntry] = OrderedDict()

    async def get(self, path: Path, *, keep: bool) -> StoredValues:
        """Return the stored values of a file; concurrent calls for one file read it once.

        Args:
            path: Of the file.
            keep: Whether to cache it, in place of the least recently used one.

        Raises:
            ImageError: As `read_values`.
        """
        status = await to_thread.run_sync(path.stat)
        state = (path, status.st_size, status.st_mtime_ns)
        if not keep and state not in self._entries:
            return await self._read(path)
        entry = self._entries.setdefault(state, _CacheEntry())
        self._entries.move_to_end(state)
        while len(self._entries) > _MAX_IMAGES:
            self._entries.popitem(last=False)
        async with entry.lock:
            if entry.values is None:
                entry.values = await self._read(path)
        return entry.values
