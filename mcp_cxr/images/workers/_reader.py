"""Reads images without blocking the event loop: plain bytes in threads, everything else in worker processes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from mcp_cxr.images.source import NeedsDecoding
from mcp_cxr.images.workers._processes import WorkerPool
from mcp_cxr.images.workers._tasks import header_task, image_task, values_task, view_task

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
    """Reads images without blocking the event loop. Open with `async with`; may be used from several tasks.

    Uncompressed DICOM is read in a thread; after a cancelled call the thread finishes. Files that have to be unpacked
    or decoded are read in a worker process with limits on memory and time; a cancelled call ends the process. No call
    may be running when the reader is closed; nothing goes on after that.

    Args:
        workers: Files read at the same time, in threads and in processes each; None: as many as usable cores.
        bounds: Other limits for the processes, see `WorkerPool`.
    """

    def __init__(self, *, workers: int | None = None, **bounds: Any) -> None:  # noqa: ANN401 # those of Workers
        self.workers = workers or _usable_cores()
        self._bounds = bounds

    async def __aenter__(self) -> Self:
        self._limiter = anyio.CapacityLimiter(self.workers)
        self._workers = WorkerPool(self.workers, **self._bounds)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._workers.aclose()

    async def read_header(self, path: Path, *, any_body_part: bool = True) -> HeaderFacts:
        """As `read_header`."""
        return await self._run(header_task(path, any_body_part=any_body_part))

    async def read_image(
        self, path: Path, spec: ImageSpec, *, any_body_part: bool = False, in_process: bool = False
    ) -> DecodedImage:
        """As `read_image`.

        Args:
            in_process: Whether a worker process reads plain bytes too. Threads take turns at most of that work:
                measured on two cores, they use one, two processes both. A process takes 0.4 s to start.
        """
        task = image_task(path, spec, any_body_part=any_body_part)
        return await (self._workers.run(task) if in_process else self._run(task))

    async def render_view(self, path: Path, options: ViewOptions) -> ImageView:
        """As `render_view`."""
        return await self._run(view_task(path, options))

    async def read_values(self, path: Path) -> StoredValues:
        """As `read_values`."""
        return await self._run(values_task(path))

    async def _run(self, task: Task[Result]) -> Result:
        """Run a task in a thread, or in a worker process if it has to decode.

        Raises:
            ImageError: As the task does; if the worker fails, see `WorkerPool.run`.
        """
        try:
            return await anyio.to_thread.run_sync(task.run, limiter=self._limiter)
        except NeedsDecoding:
            return await self._workers.run(task)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
