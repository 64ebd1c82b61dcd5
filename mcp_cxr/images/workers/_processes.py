"""Worker processes, where a decoder that crashes, hangs or eats memory costs one file and nothing of this process.

They start when first needed, are used again, and end with the reader. Each has a bound on its memory, a deadline for
each file, its own session (Ctrl-C does not reach it), no more of our environment than Python needs (keys and passwords
stay here), and no way to our stdout.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from mcp_cxr.errors import CorruptImage, ImageError, UnreadableFile, UnsupportedImage
from mcp_cxr.images.dicom import MAX_PIXELS
from mcp_cxr.images.workers._process_main import AT_WORK, LENGTHS

if TYPE_CHECKING:
    from anyio.abc import Process

    from mcp_cxr.images.workers._tasks import Task

Result = TypeVar("Result")

DEADLINE_S: Final = 60
"""For one file; the largest that is let in, 64 Mpx of JPEG 2000, was measured to take 7 s."""
START_S: Final = 60
"""For a worker to be there; a loaded machine takes seconds."""
MEMORY_BYTES: Final = 2 * 2**30
"""Address space of a worker; the same file was measured to take 0.6 GiB."""
_MODULE: Final = "mcp_cxr.images.workers._process_main"
_COMMAND: Final = (sys.executable, "-P", "-m", _MODULE)  # -P: never a module from the working folder
_PASSED_ON: Final = ("PATH", "LANG", "LC_", "LD_LIBRARY_PATH", "DYLD_", "PYTHON", "VIRTUAL_ENV", "SYSTEMROOT", "TMP")
_QUIET: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # threads of theirs take address space
_MOST_BYTES: Final = 2 * MAX_PIXELS + 2**20
"""Of an answer: the values of the largest film that is let in, and what is said of them."""
_GONE: Final = (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError)
_ERRORS: Final = {each.__name__: each for each in (UnsupportedImage, CorruptImage, UnreadableFile)}


class Workers:
    """At most so many processes at the same time.

    Args:
        most: How many.
        deadline_s: Seconds for one file.
        memory_bytes: Address space of each.
        command: Starts one; the last two go with it as arguments.
    """

    def __init__(
        self,
        most: int,
        *,
        deadline_s: int = DEADLINE_S,
        memory_bytes: int = MEMORY_BYTES,
        command: tuple[str, ...] = _COMMAND,
    ) -> None:
        self._deadline_s = deadline_s
        self._command = (*command, str(memory_bytes), str(2 * deadline_s))
        self._places = anyio.CapacityLimiter(most)
        self._idle: list[_Worker] = []

    async def run(self, task: Task[Result]) -> Result:
        """Have one task done.

        Raises:
            ImageError: As the task does; or `decoder crashed`, `decoder ran out of memory`, `decoding took too long`;
                or `decoder cannot be started`, which is not held against the file.
        """
        async with self._places:
            while self._idle:  # one of these may have been ended from outside; then it never took the task
                try:
                    return await self._have_done(task, self._idle.pop())
                except _NotTakenError:
                    continue
            try:
                return await self._have_done(task, await _hired(self._command))
            except (OSError, _NotTakenError) as error:
                raise UnreadableFile("decoder cannot be started") from error

    async def _have_done(self, task: Task[Result], worker: _Worker) -> Result:
        has_answered = False
        try:
            await worker.take(task.told())
            with anyio.fail_after(self._deadline_s):
                answer = await worker.answer()
            has_answered = True
        except TimeoutError:
            raise CorruptImage("decoding took too long") from None
        finally:
            if has_answered:
                self._idle.append(worker)
            else:
                await worker.dismiss()
        return _result(task, *answer)

    async def aclose(self) -> None:
        """End the processes; none is at work any more."""
        while self._idle:
            await self._idle.pop().dismiss()


class _NotTakenError(Exception):
    """The process ended before it took the task."""


async def _hired(command: tuple[str, ...]) -> _Worker:
    environment = {name: value for name, value in os.environ.items() if name.upper().startswith(_PASSED_ON)}
    process = await anyio.open_process(
        command, stderr=subprocess.DEVNULL, env=environment | _QUIET, start_new_session=True
    )
    if process.stdout is None:
        raise OSError("The process has no stdout.")
    return _Worker(process, BufferedByteReceiveStream(process.stdout))


@dataclass(slots=True)
class _Worker:
    process: Process
    answers: BufferedByteReceiveStream

    async def take(self, told: dict[str, Any]) -> None:
        """Hand over a task, and wait until the process has it."""
        try:
            with anyio.fail_after(START_S):
                if self.process.stdin is not None:
                    await self.process.stdin.send(json.dumps(told).encode() + b"\n")
                await self.answers.receive_exactly(len(AT_WORK))
        except (*_GONE, TimeoutError) as error:
            raise _NotTakenError from error

    async def answer(self) -> tuple[bytes, bytes]:
        """Return the answer's JSON and what comes with it.

        Raises:
            CorruptImage: The process ended at this task, or answers what is no answer.
            UnsupportedImage: It was ended for the memory it took.
        """
        try:
            sizes = LENGTHS.unpack(await self.answers.receive_exactly(LENGTHS.size))
            if sum(sizes) > _MOST_BYTES:
                raise CorruptImage("decoder crashed")
            text, data = [await self.answers.receive_exactly(size) if size else b"" for size in sizes]
        except _GONE as error:
            raise _last_words(await self.process.wait()) from error
        return text, data

    async def dismiss(self) -> None:
        """End the process, whatever it is at."""
        with anyio.CancelScope(shield=True):
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.aclose()


def _last_words(exit_code: int) -> ImageError:
    """Tell from how a process ended what ended it; nobody but the system's keeper of memory kills one of ours."""
    if exit_code == -getattr(signal, "SIGKILL", 0):
        return UnsupportedImage("decoder ran out of memory")
    if exit_code == -getattr(signal, "SIGALRM", 0):
        return CorruptImage("decoding took too long")
    return CorruptImage("decoder crashed")


def _result(task: Task[Result], text: bytes, data: bytes) -> Result:
    """Read an answer as somebody else's: a worker may have been taken over."""
    try:
        facts, sizes = json.loads(text)
        if "error" in facts:
            raise _ERRORS[facts["error"]](str(facts["reason"]))
        parts: list[bytes] = []
        for size in sizes:
            parts.append(data[:size])
            data = data[size:]
        return task.answered(facts, parts)
    except (LookupError, TypeError, ValueError) as error:
        raise CorruptImage("decoder crashed") from error
