"""Waits for lines in the files that other programs write."""

from __future__ import annotations

import re
import subprocess
from threading import Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WITHIN_S = 120


def read_until(path: Path, is_enough: Callable[[list[str]], bool], *, within_s: float = WITHIN_S) -> list[str]:
    """Return the lines of a file from its first, as soon as they are enough; the file need not exist yet.

    Raises:
        AssertionError: They are not enough in time; shows what is there.
    """
    command = ["tail", "--lines=+1", "--sleep-interval=0.1", "-F", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as tail:
        timer = Timer(within_s, tail.kill)
        timer.start()
        lines: list[str] = []
        assert tail.stdout
        for line in tail.stdout:
            lines.append(line.rstrip("\n"))
            if is_enough(lines):
                break
        timer.cancel()
        tail.kill()
    assert is_enough(lines), f"{path} has only these lines after {within_s:g} s:\n" + "\n".join(lines)
    return lines


def wait_for(path: Path, pattern: str) -> None:
    """Return as soon as a line of a file matches a pattern."""
    read_until(path, lambda lines: bool(lines and re.search(pattern, lines[-1])))
