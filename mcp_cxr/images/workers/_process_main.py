"""A worker process, started by `_processes.Workers`.

It reads one task a line as JSON on stdin and writes on stdout a byte when it has one, then the answer: two lengths,
JSON, plain bytes. An error of ours is an answer; any other one ends the process, and costs the file that it was at.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mcp_cxr.errors import ImageError
from mcp_cxr.images.workers._tasks import answer

if TYPE_CHECKING:
    from typing import BinaryIO

LENGTHS = struct.Struct(">II")
"""Bytes of JSON, and of what follows it."""
AT_WORK = b"!"


def main() -> None:
    """Work until stdin ends."""
    memory_bytes, deadline_s = map(int, sys.argv[1:3])
    answers = _own_stdout()
    _limit(memory_bytes)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to deal with
    for line in sys.stdin.buffer:
        answers.write(AT_WORK)
        answers.flush()
        _alarm(deadline_s)
        answers.write(_framed(json.loads(line)))
        answers.flush()
        _alarm(0)


def _own_stdout() -> BinaryIO:
    """Keep stdout for answers; whatever a library prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answers


def _limit(memory_bytes: int) -> None:
    """Bound the memory; leave no core file, which would hold a patient's film; write no files at all."""
    try:
        import resource  # there is none on Windows
    except ImportError:
        return
    for limit, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_AS, memory_bytes)):
        with suppress(OSError, ValueError):  # macOS has no bound on address space
            resource.setrlimit(limit, (most, most))


def _alarm(seconds: int) -> None:
    """End this process after so many seconds, even inside of C, should the parent no longer be there to do it."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def _framed(told: dict[str, Any]) -> bytes:
    try:
        facts, parts = answer(told)
    except ImageError as error:
        facts, parts = {"error": type(error).__name__, "reason": error.reason}, []
    except MemoryError:
        facts, parts = {"error": "UnsupportedImage", "reason": "decoder ran out of memory"}, []
    text = json.dumps([facts, [len(part) for part in parts]]).encode()
    return b"".join((LENGTHS.pack(len(text), sum(map(len, parts))), text, *parts))


if __name__ == "__main__":
    main()
