"""Handles stdin, stdout and stderr that are closed or cannot be written, without a traceback."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import click

if TYPE_CHECKING:
    from typing import TextIO


def open_closed_streams() -> None:
    """Open the null device for each closed one of stdin, stdout and stderr.

    The next file that is opened would get its number, and a database would be written to as if it were stdout. Reading
    stdin ends at once; writing to stdout fails, so that a lost result is told; stderr is discarded.
    """
    for number, name, flags in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_RDONLY), (2, "stderr", os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            descriptor = os.open(os.devnull, flags)  # the lowest free number, which is this one
            os.set_inheritable(descriptor, True)
            setattr(sys, name, open(descriptor, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115  # a number; open as long as the process


def error_of_output(error: BaseException) -> OSError | None:
    """Return the error that click met when it printed; None if `error` is, and holds, another one."""
    if isinstance(error, BaseExceptionGroup):
        found = map(error_of_output, cast("BaseExceptionGroup[BaseException]", error).exceptions)
        return next((one for one in found if one), None)
    frames = list(traceback.walk_tb(error.__traceback__))
    is_printing = bool(frames) and frames[-1][0].f_globals.get("__name__") == click.utils.__name__
    return error if is_printing and isinstance(error, OSError) else None


def discard_unwritable(stream: TextIO) -> OSError | None:
    """Write what a stream's buffer holds; if that fails, return why and discard it, or Python ends with an error."""
    try:
        stream.flush()
    except OSError as error:
        discard(stream)
        return error
    return None


def discard(stream: TextIO) -> None:
    """Discard what is written to a stream from now on, and what its buffer holds."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
