"""How far an ingest has come: a bar on a terminal, else a line every few seconds, fit for a log."""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import TYPE_CHECKING

from mcp_cxr.cli._common import note

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_cxr.ingest import IngestProgress

_LINE_EVERY_S = 5.0
_BAR_EVERY_S = 0.2
_LOOKS_BACK_S = 60.0  # the time left is told by the pace of the last minute
_WIDTH = 24
_ERASE = "\r\x1b[K"  # ECMA-48: erase to the end of the line


class Printer:
    """Prints how far a run has come on stderr, and the last state as a line of its own.

    Args:
        would_add: Prints a line of a dry run.
        on_terminal: Whether stderr shows a bar.
    """

    def __init__(self, *, would_add: Callable[[str], None], on_terminal: bool) -> None:
        self._would_add = would_add
        self._on_terminal = on_terminal
        self._every_s = _BAR_EVERY_S if on_terminal else _LINE_EVERY_S
        self._next = time.monotonic() + self._every_s
        self._told_found = False
        self._last: IngestProgress | None = None
        self._past: deque[tuple[float, int]] = deque()

    async def progress(self, progress: IngestProgress) -> None:
        """Hear how far it has come; prints as often as a reader wants."""
        self._last = progress
        if progress.found is not None and not self._told_found:
            self._told_found = True
            self.note(f"Found {progress.found} DICOM files")
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every_s
        left = _duration(self._left_s(progress))
        if self._on_terminal:
            self._draw(f"{_bar(progress)}, {progress.rate:.1f} img/sec, {left}, Errors {progress.errors}")
        else:
            note(f"{_line(progress)}, {left}")

    async def would_add(self, image_id: str, view: str) -> None:
        """Hear what a dry run would add."""
        self._would_add(f"[DRY RUN] Would insert: {image_id} ({view})")

    def note(self, text: str) -> None:
        """Print a line; a bar makes way for it."""
        self._draw("")
        note(text)

    def end(self) -> None:
        """Print the last state."""
        if self._last:
            self.note(_line(self._last))

    def _draw(self, bar: str) -> None:
        if self._on_terminal:
            sys.stderr.write(_ERASE + bar)
            sys.stderr.flush()

    def _left_s(self, progress: IngestProgress) -> float | None:
        """Return the seconds left; None where that cannot be told."""
        self._past.append((progress.seconds, progress.processed))
        while self._past[0][0] < progress.seconds - _LOOKS_BACK_S:
            self._past.popleft()
        seconds, processed = (now - then for now, then in zip(self._past[-1], self._past[0], strict=True))
        if progress.found is None or not processed:
            return None
        return max(0, progress.found - progress.processed) * seconds / processed


def _line(progress: IngestProgress) -> str:
    total = "?" if progress.found is None else progress.found
    return (
        f"  {progress.processed}/{total}: Skipped {progress.skipped}, Added {progress.added}, "
        f"Errors {progress.errors} ({progress.rate:.1f} img/sec)"
    )


def _bar(progress: IngestProgress) -> str:
    if not progress.found:
        return f"{progress.processed} files"
    share = min(1.0, progress.processed / progress.found)
    drawn = "#" * round(_WIDTH * share)
    return f"[{drawn:-<{_WIDTH}}] {share:4.0%} {progress.processed}/{progress.found}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "time left not known yet"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min left" if hours else f"{minutes} min {rest:02} s left"
