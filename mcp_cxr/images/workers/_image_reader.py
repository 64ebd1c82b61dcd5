"""Reads images without blocking the event loop: uncompressed DICOM in threads, everything else in worker processes.

A cache keeps what was read of the images being viewed. Decoders are loaded with the first file: a search needs none.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio
from anyio import to_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable
    from pathlib import Path
    from types import TracebackType
    from typing import Any, Self

    from mcp_cxr.images._read import DecodedImage
    from mcp_cxr.images._stored_values import StoredValues
    from mcp_cxr.images.dicom import HeaderFacts
    from mcp_cxr.images.dicom_reports import ReportDocument
    from mcp_cxr.images.render import DisplayOptions, ImageView
    from mcp_cxr.images.workers._tasks import Task
    from mcp_cxr.images.workers._worker_pool import WorkerPool
    from mcp_cxr.records import ImageSpec

Result = TypeVar("Result")

_DOCUMENT_S = 10
"""Seconds for a report; also for a worker to start, of which one is kept."""


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
        self.workers: int = workers or _usable_cores()
        self._bounds = bounds

    async def __aenter__(self) -> Self:
        self._limiter = anyio.CapacityLimiter(self.workers)
        self._pool: WorkerPool | None = None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            await self._pool.aclose()

    async def read_header(self, path: Path, *, any_body_part: bool = True) -> HeaderFacts:
        """See `images._read.read_header`."""
        from mcp_cxr.images.workers._tasks import header_task  # loads the decoders, as below

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
        from mcp_cxr.images.workers._tasks import image_task

        task = image_task(path, spec, any_body_part=any_body_part, any_pixels=any_pixels)
        return await (self._run_in_worker(task) if in_worker else self._run(task))

    async def render_view(self, path: Path, options: DisplayOptions) -> ImageView:
        """See `images._read.render_view`."""
        from mcp_cxr.images.workers._tasks import view_task

        return await self._run(view_task(path, options))

    async def read_values(self, path: Path) -> StoredValues:
        """See `images._stored_values.read_values`."""
        from mcp_cxr.images.workers._tasks import values_task

        return await self._run(values_task(path))

    async def read_document(self, path: Path) -> ReportDocument:
        """Read a report, in a worker process; see `images.dicom_reports.read_document`.

        Raises:
            CorruptImage: It took more than 10 s, or as `read_document` says.
            ImageError: As there.
        """
        from mcp_cxr.images.workers._tasks import document_task

        return await self._run_in_worker(document_task(path), deadline_s=_DOCUMENT_S)

    async def _run(self, task: Task[Result]) -> Result:
        """Run a task in a thread, or in a worker process if it has to decode.

        Raises:
            ImageError: As the task does; if the worker fails, see `WorkerPool.run`.
        """
        from mcp_cxr.images.files import NeedsDecoding

        try:
            return await to_thread.run_sync(task.run, limiter=self._limiter)
        except NeedsDecoding:
            return await self._run_in_worker(task)

    async def _run_in_worker(self, task: Task[Result], *, deadline_s: float | None = None) -> Result:
        from mcp_cxr.images.workers._worker_pool import WorkerPool

        if self._pool is None:
            self._pool = WorkerPool(self.workers, **self._bounds)
        return await self._pool.run(task, deadline_s=deadline_s)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(slots=True)
class _CacheEntry(Generic[Result]):
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    result: Result | None = None


class FileCache(Generic[Result]):
    """Keeps what was last read from files, each as long as its file is unchanged.

    The caller first asks the store whether the file is still that of an image: what a cache keeps of one that was
    forgotten is never looked up again.

    Args:
        read: Reads a file; its further arguments say how.
        capacity: Results kept.
    """

    def __init__(self, read: Callable[..., Awaitable[Result]], *, capacity: int) -> None:
        self._read = read
        self._capacity = capacity
        self._entries: OrderedDict[Hashable, _CacheEntry[Result]] = OrderedDict()

    async def get(self, path: Path, *how: Hashable, keep: bool = True) -> Result:
        """Return what `read(path, *how)` returns; concurrent calls for the same read it once.

        Args:
            path: Of the file.
            how: Further arguments of `read`.
            keep: Whether to keep it, in place of the least recently used one.

        Raises:
            ImageError: As `read`.
        """
        status = await to_thread.run_sync(path.stat)
        key = (path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, *how)
        if not keep and key not in self._entries:
            return await self._read(path, *how)
        entry = self._entries.setdefault(key, _CacheEntry())
        self._entries.move_to_end(key)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
        async with entry.lock:
            if entry.result is None:
                entry.result = await self._read(path, *how)
        return entry.result

    def clear(self) -> None:
        """Keep nothing of what was read."""
        self._entries.clear()
