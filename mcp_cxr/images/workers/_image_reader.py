"""Reads images without blocking the event loop: uncompressed DICOM in threads, everything else in worker processes.

Caches the stored values of the images being viewed, because a viewer requests one tile after another.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio
from anyio import to_thread

from mcp_cxr.images.files import NeedsDecoding
from mcp_cxr.images.workers._tasks import header_task, image_task, values_task, view_task
from mcp_cxr.images.workers._worker_pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Any, Self, TypeAlias, TypeVar

    from mcp_cxr.images._read import DecodedImage
    from mcp_cxr.images._stored_values import StoredValues
    from mcp_cxr.images.dicom import HeaderFacts
    from mcp_cxr.images.render import DisplayOptions, ImageView
    from mcp_cxr.images.workers._tasks import Task
    from mcp_cxr.records import ImageSpec

    Result = TypeVar("Result")
    FileState: TypeAlias = tuple[Path, int, int]
    """A file as it was read: path, size in bytes, modification time in ns."""

_MAX_IMAGES: Final = 2
"""Images whose stored values are cached; a large one takes 30 MB, the largest 128."""


class ImageReader:
    """Reads images without blocking the event loop. Open with `async with`; may be used from several tasks.

    Uncompressed DICOM is read in a thread; after a cancelled call the thread finishes. Files that have to be
    decompressed or decoded are read in a worker process with limits on memory and time; a cancelled call ends the
    process. No call may be running when the reader is closed; nothing goes on after that.

    Args:
        workers: Files read at the same time, in threads and in processes each; None: as many as usable cores.
        bounds: Other limits for the processes, see `WorkerPool`.
    """

    def __init__(self, *, workers: int | None = None, **bounds: Any) -> None:  # noqa: ANN401 # of WorkerPool
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
        """See `images._read.read_header`."""
        return await self._run(header_task(path, any_body_part=any_body_part))

    async def read_image(
        self,
        path: Path,
        spec: ImageSpec,
        *,
        any_body_part: bool = False,
        any_pixels: bool = False,
        in_worker: bool = False,
    ) -> DecodedImage:
        """See `images._read.read_image`.

        Args:
            in_worker: Read uncompressed DICOM in a worker process too. Threads take turns at most of that work:
                measured on two cores, they use one, two processes both. A process takes 0.4 s to start.
        """
        task = image_task(path, spec, any_body_part=any_body_part, any_pixels=any_pixels)
        return await (self._workers.run(task) if in_worker else self._run(task))

    async def render_view(self, path: Path, options: DisplayOptions) -> ImageView:
        """See `images._read.render_view`."""
        return await self._run(view_task(path, options))

    async def read_values(self, path: Path) -> StoredValues:
        """See `images._stored_values.read_values`."""
        return await self._run(values_task(path))

    async def _run(self, task: Task[Result]) -> Result:
        """Run a task in a thread, or in a worker process if it has to decode.

        Raises:
            ImageError: As the task does; if the worker fails, see `WorkerPool.run`.
        """
        try:
            return await to_thread.run_sync(task.run, limiter=self._limiter)
        except NeedsDecoding:
            return await self._workers.run(task)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
