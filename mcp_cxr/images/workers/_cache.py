"""The films somebody is looking at: read once, for a viewer comes back for one tile after the other."""

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

    State: TypeAlias = tuple[Path, int, int]
    """A file as it was: path, bytes, time of its last change."""

_PLACES: Final = 2
"""Films kept; a large one takes 30 MB, the largest 128."""


@dataclass(slots=True)
class _Place:
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    film: StoredValues | None = None


class StoredValuesCache:
    """Keeps the last two films at full size.

    Args:
        read: Reads one.
    """

    def __init__(self, read: Callable[[Path], Awaitable[StoredValues]]) -> None:
        self._read = read
        self._places: OrderedDict[State, _Place] = OrderedDict()

    async def get(self, path: Path, *, keep: bool) -> StoredValues:
        """Return a film; calls for the same one wait for the first.

        Args:
            path: Its file.
            keep: Whether it takes the place of the one that was looked at least recently.

        Raises:
            ImageError: As `read_values`.
        """
        status = await to_thread.run_sync(path.stat)
        state = (path, status.st_size, status.st_mtime_ns)
        if not keep and state not in self._places:
            return await self._read(path)
        place = self._places.setdefault(state, _Place())
        self._places.move_to_end(state)
        while len(self._places) > _PLACES:
            self._places.popitem(last=False)
        async with place.lock:
            if place.film is None:
                place.film = await self._read(path)
        return place.film
