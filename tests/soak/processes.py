"""What the processes below this one hold, as Linux tells it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple


class Held(NamedTuple):
    """Sums over some processes."""

    processes: int
    threads: int
    descriptors: int
    memory_kib: int
    """Proportional set size: what several share is counted in parts."""


def held(ancestor: int, but: int | None = None) -> Held:
    """Return what all descendants of a process hold, the process itself and perhaps one of them left out."""
    found = [_of(pid) for pid in _descendants(ancestor) if pid != but]
    return Held(*map(sum, zip(*found, strict=True))) if found else Held(0, 0, 0, 0)


def _of(pid: int) -> Held:
    place = Path(f"/proc/{pid}")
    try:
        memory = re.search(r"^Pss: +(\d+)", (place / "smaps_rollup").read_text(), re.MULTILINE)
        threads, descriptors = (len(list((place / name).iterdir())) for name in ("task", "fd"))
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return Held(0, 0, 0, 0)
    return Held(1, threads, descriptors, int(memory[1]) if memory else 0)


def _descendants(pid: int) -> list[int]:
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += map(int, task.read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return children + [below for child in children for below in _descendants(child)]
