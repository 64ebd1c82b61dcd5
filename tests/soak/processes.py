"""Memory, threads and descriptors of this process's descendants, from /proc."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple


class Held(NamedTuple):
    """Sums over several processes."""

    processes: int
    threads: int
    descriptors: int
    memory_kib: int
    """Proportional set size: shared memory is divided among its users."""


def held(ancestor: int, but: int | None = None) -> Held:
    """Return the sums over all descendants of a process, except the process itself and an optional one of them."""
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
