"""The async face of this room: plain bytes are read in threads, everything else in worker processes."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from mcp_cxr.images.source import NeedsDecoding
from mcp_cxr.images.workers._processes import Workers
from mcp_cxr.images.workers._tasks import FilmTask, HeaderTask, ValuesTask, ViewTask

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Any, Self, TypeVar

    from mcp_cxr.images._read import DecodedImage
    from mcp_cxr.images._stored_values import StoredValues
    from mcp_cxr.images.dicom import HeaderFacts
    from mcp_cxr.images.render import ImageView, ViewOptions
    from mcp_cxr.images.workers._tasks import Task
    from mcp_cxr.records import ImageSpec

    Result = TypeVar("Result")


class ImageReader:
    """Reads films beside the event loop. Opened with `async with`; may be used from several tasks.

    Uncompressed DICOM is read in a thread; a call that is cancelled lets it run out. Whatever has to be unpacked or
    decoded is read in a worker process with bounds on memory and time; a call that is cancelled ends the process. No
    call may be under way when the reader is closed; nothing of it goes on after that.

    Args:
        workers: Files read at the same time, in threads and in processes each; None: as many as cores may be used.
        bounds: Other bounds for the processes, see `Workers`.
    """

    def __init__(self, *, workers: int | None = None, **bounds: Any) -> None:  # noqa: ANN401 # those of Workers
        self.workers = workers or _usable_cores()
        self._bounds = bounds

    async def __aenter__(self) -> Self:
        self._limiter = anyio.CapacityLimiter(self.workers)
        self._workers = Workers(self.workers, **self._bounds)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._workers.aclose()

    async def read_header(self, path: Path, *, any_body_part: bool = True) -> HeaderFacts:
        """As `read_header`."""
        return await self._done(HeaderTask(path, any_body_part))

    async def read_image(
        self, path: Path, spec: ImageSpec, *, any_body_part: bool = False, in_process: bool = False
    ) -> DecodedImage:
        """As `read_image`.

        Args:
            in_process: Whether a worker process reads plain bytes too. Threads take turns at most of that work: of two
                cores they were measured to use one, two processes both. A process takes 0.4 s to start.
        """
        task = FilmTask(path, spec, any_body_part)
        return await (self._workers.run(task) if in_process else self._done(task))

    async def render_view(self, path: Path, options: ViewOptions) -> ImageView:
        """As `render_view`."""
        return await self._done(ViewTask(path, options))

    async def read_values(self, path: Path) -> StoredValues:
        """As `read_values`."""
        return await self._done(ValuesTask(path))

    async def _done(self, task: Task[Result]) -> Result:
        """Do a task.

        Raises:
            ImageError: As the task does; for a worker that came to grief see `Workers.run`.
        """
        try:
            return await anyio.to_thread.run_sync(partial(task.run, plain_only=True), limiter=self._limiter)
        except NeedsDecoding:
            return await self._workers.run(task)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
