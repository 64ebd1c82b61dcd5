"""The async face of this room."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from mcp_cxr.images._film import read_film, read_header, view_film

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self, TypeVar

    from mcp_cxr.images._film import Film
    from mcp_cxr.images._header import Header
    from mcp_cxr.images._render import View, Viewing
    from mcp_cxr.records import ImageSpec

    Result = TypeVar("Result")


class Reader:
    """Reads films beside the event loop. Opened with `async with`; may be used from several tasks.

    A call that is cancelled lets the file it is at run out, so that nothing goes on after the reader is closed.

    Args:
        workers: Files read at the same time.
    """

    def __init__(self, *, workers: int = 2) -> None:
        self._workers = workers

    async def __aenter__(self) -> Self:
        self._limiter = anyio.CapacityLimiter(self._workers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def header(self, path: Path, *, any_body_part: bool = True) -> Header:
        """As `read_header`."""
        return await self._run(partial(read_header, path, any_body_part=any_body_part))

    async def film(self, path: Path, spec: ImageSpec, *, any_body_part: bool = False) -> Film:
        """As `read_film`."""
        return await self._run(partial(read_film, path, spec, any_body_part=any_body_part))

    async def view(self, path: Path, viewing: Viewing) -> View:
        """As `view_film`."""
        return await self._run(partial(view_film, path, viewing))

    async def _run(self, read: Callable[[], Result]) -> Result:
        return await anyio.to_thread.run_sync(read, limiter=self._limiter)
