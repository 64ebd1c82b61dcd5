"""Worker processes: a decoder that crashes, hangs or takes too much memory fails one file, not this process.

They start when first needed, are reused, and end with the reader. Each has a memory limit, a deadline for each file,
its own session (Ctrl-C does not reach it), only the environment variables that Python needs (no keys and passwords),
and no access to the stdout of this process.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from mcp_cxr.errors import CorruptImage, ImageError, InternalError, UnreadableFile, UnsupportedImage
from mcp_cxr.images.dicom import MAX_PIXELS
from mcp_cxr.images.workers._process_main import LENGTHS, TASK_RECEIVED
from mcp_cxr.process_limits import inherited_environment
from mcp_cxr.untrusted_text import sanitize_text

if TYPE_CHECKING:
    from anyio.abc import Process

    from mcp_cxr.images.workers._tasks import Task

Result = TypeVar("Result")

DEADLINE_S: Final = 60
"""Time limit for one file; the largest accepted, 64 megapixels of JPEG 2000, was measured to take 7 s."""
START_S: Final = 60
"""Time limit for a worker to start; a loaded machine takes seconds."""
MEMORY_BYTES: Final = 2 * 2**30
"""Address space of a worker; the same file was measured to take 0.6 GiB."""
_MAIN: Final = (
    "import sys; sys.modules['requests'] = None; import pydicom; "
    "from mcp_cxr.images.workers import _process_main as p; p.main()"
)
"""Without requests, which pydicom imports if it is installed: measured, 50 ms of 320 to start a worker. pydicom first:
below a deep stack of imports it took 40 ms more, as CPython 3.11 then asked the system for stack memory at each call.
"""
_COMMAND: Final = (sys.executable, "-P", "-c", _MAIN)  # -P: never a module from the working folder
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # their threads take address space
_REUSED_MEMORY: Final = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(64 * 2**20)}
"""Keeps the memory of one image for the next one (glibc). Else the system takes it back, and clears it for each buffer:
measured, a third of the time of a JPEG of 2500 x 3056 pixels."""
_MAX_ANSWER_BYTES: Final = 2 * MAX_PIXELS + 2**20
"""Size limit of an answer: the values of the largest accepted image, and its JSON part."""
_STREAM_ERRORS: Final = (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError)
_CLASS_NAME: Final = re.compile(r"[A-Za-z_]{1,60}")
_MAX_TRACE: Final = 20_000
_ERRORS: Final = {each.__name__: each for each in (UnsupportedImage, CorruptImage, UnreadableFile)}


class WorkerPool:
    """A pool of worker processes.

    Args:
        max_processes: Most processes at the same time.
        deadline_s: Seconds for one file.
        memory_bytes: Address space of each.
        command: Starts a process; memory_bytes and twice deadline_s are appended as arguments.
    """

    def __init__(
        self,
        max_processes: int,
        *,
        deadline_s: int = DEADLINE_S,
        memory_bytes: int = MEMORY_BYTES,
        command: tuple[str, ...] = _COMMAND,
    ) -> None:
        self._deadline_s = deadline_s
        self._command = (*command, str(memory_bytes), str(2 * deadline_s))
        self._slots = anyio.CapacityLimiter(max_processes)
        self._idle: list[_Worker] = []

    async def run(self, task: Task[Result], *, deadline_s: float | None = None) -> Result:
        """Run a task in a process.

        Args:
            deadline_s: Seconds from when the process has the task; None: the pool's.

        Raises:
            InternalError: Our own code failed in the process.
            ImageError: As the task does; or `decoder crashed`, `decoder ran out of memory`, `decoding took too long`;
                or `decoder cannot be started`, after which the next ingest tries the file again.
        """
        async with self._slots:
            while self._idle:  # an idle process may have been killed from outside, and then never receives the task
                try:
                    return await self._run_on(task, self._idle.pop(), deadline_s)
                except _TaskNotReceivedError:
                    continue
            try:
                return await self._run_on(task, await _start_worker(self._command), deadline_s)
            except (OSError, _TaskNotReceivedError) as error:
                raise UnreadableFile("decoder cannot be started") from error

    async def _run_on(self, task: Task[Result], worker: _Worker, deadline_s: float | None) -> Result:
        is_done = False
        try:
            await worker.send(task.to_message())
            with anyio.fail_after(deadline_s or self._deadline_s):
                answer = await worker.answer()
            is_done = True
        except TimeoutError:
            raise CorruptImage("decoding took too long") from None
        finally:
            if is_done:
                self._idle.append(worker)
            else:
                await worker.kill()
        return _result(task, *answer)

    async def aclose(self) -> None:
        """End the processes; none may be running a task."""
        while self._idle:
            await self._idle.pop().kill()


class _TaskNotReceivedError(Exception):
    """The process ended before it received the task."""


async def _start_worker(command: tuple[str, ...]) -> _Worker:
    environment = inherited_environment() | _ONE_THREAD | _REUSED_MEMORY
    process = await anyio.open_process(command, stderr=subprocess.DEVNULL, env=environment, start_new_session=True)
    if process.stdout is None:
        raise OSError("The process has no stdout.")
    return _Worker(process, BufferedByteReceiveStream(process.stdout))


@dataclass(slots=True)
class _Worker:
    process: Process
    answers: BufferedByteReceiveStream

    async def send(self, message: dict[str, Any]) -> None:
        """Send a task and wait until the process has received it."""
        try:
            with anyio.fail_after(START_S):
                if self.process.stdin is not None:
                    await self.process.stdin.send(json.dumps(message).encode() + b"\n")
                await self.answers.receive_exactly(len(TASK_RECEIVED))
        except (*_STREAM_ERRORS, TimeoutError) as error:
            raise _TaskNotReceivedError from error

    async def answer(self) -> tuple[bytes, bytes]:
        """Return the JSON of the answer and its bytes.

        Raises:
            CorruptImage: The process ended during this task, or its answer is invalid.
            UnsupportedImage: The process was killed because it took too much memory.
        """
        try:
            sizes = LENGTHS.unpack(await self.answers.receive_exactly(LENGTHS.size))
            if sum(sizes) > _MAX_ANSWER_BYTES:
                raise CorruptImage("decoder crashed")
            text, data = [await self.answers.receive_exactly(size) if size else b"" for size in sizes]
        except _STREAM_ERRORS as error:
            raise _exit_error(await self.process.wait()) from error
        return text, data

    async def kill(self) -> None:
        """End the process, even during a task."""
        with anyio.CancelScope(shield=True):
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.aclose()


def _exit_error(exit_code: int) -> ImageError:
    """Return the error for an exit code; SIGKILL is taken as the kernel's out-of-memory killer."""
    if exit_code == -getattr(signal, "SIGKILL", 0):
        return UnsupportedImage("decoder ran out of memory")
    is_late = exit_code == -getattr(signal, "SIGALRM", 0)
    return CorruptImage("decoding took too long" if is_late else "decoder crashed")


def _answered_error(answer: dict[str, Any]) -> ImageError | InternalError:
    if answer["error"] == InternalError.__name__ and _CLASS_NAME.fullmatch(answer["kind"]):
        return InternalError(answer["kind"], sanitize_text(str(answer["trace"])[:_MAX_TRACE]))
    return _ERRORS[answer["error"]](str(answer["reason"]))


def _result(task: Task[Result], text: bytes, data: bytes) -> Result:
    """Return the result of an answer, which is untrusted: a malicious file may control the worker."""
    try:
        answer, sizes = json.loads(text)
        if "error" in answer:
            raise _answered_error(answer)
        parts: list[bytes] = []
        for size in sizes:
            parts.append(data[:size])
            data = data[size:]
        return task.result_from(answer, parts)
    except (LookupError, TypeError, ValueError) as error:
        raise CorruptImage("decoder crashed") from error
