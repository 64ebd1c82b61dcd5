"""A worker process, started by `_worker_pool.WorkerPool`.

It reads tasks from stdin, one JSON message per line. For each it writes to stdout one byte on receipt, then the answer:
two lengths, JSON, raw bytes. An error is an answer too: an `ImageError`, or the class and traceback of any other one.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import traceback
from typing import TYPE_CHECKING, Any

from mcp_cxr.errors import ImageError
from mcp_cxr.images.workers._tasks import run_message
from mcp_cxr.process_limits import set_limits

if TYPE_CHECKING:
    from typing import BinaryIO

LENGTHS = struct.Struct(">II")
"""Bytes of JSON, and of what follows it."""
TASK_RECEIVED = b"!"


def main() -> None:
    """Run tasks until stdin ends."""
    memory_bytes, deadline_s = map(int, sys.argv[1:3])
    answers = _reserve_stdout()
    set_limits(memory_bytes)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    for line in sys.stdin.buffer:
        answers.write(TASK_RECEIVED)
        answers.flush()
        _alarm(deadline_s)
        answers.write(_encode_answer(json.loads(line)))
        answers.flush()
        _alarm(0)


def _reserve_stdout() -> BinaryIO:
    """Return stdout, reserved for answers; output of libraries is discarded."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answers


def _alarm(seconds: int) -> None:
    """End this process after `seconds`, even inside C code, in case the parent is gone and cannot."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def _encode_answer(message: dict[str, Any]) -> bytes:
    try:
        answer, parts = run_message(message)
    except ImageError as error:
        answer, parts = {"error": type(error).__name__, "reason": error.reason}, []
    except MemoryError:
        answer, parts = {"error": "UnsupportedImage", "reason": "decoder ran out of memory"}, []
    except Exception as error:  # noqa: BLE001 # of our own code: the parent logs it
        trace = "".join(traceback.format_tb(error.__traceback__))  # without its message, which may quote a header
        answer, parts = {"error": "InternalError", "kind": type(error).__name__, "trace": trace}, []
    text = json.dumps([answer, [len(part) for part in parts]]).encode()
    return b"".join((LENGTHS.pack(len(text), sum(map(len, parts))), text, *parts))
