"""Displays the progress of an ingest: a bar on a terminal, otherwise a line every few seconds, fit for a log."""

from __future__ import annotations

import sys
from threading import RLock
from typing import TYPE_CHECKING

from mcp_cxr.cli._common import note

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_cxr.ingest import IngestProgress

_LINE_EVERY_S = 5.0
_BAR_EVERY_S = 0.2


class _LogLines:
    """A file for tqdm that prints each of its states as a line of its own."""

    def write(self, text: str) -> None:
        """Print a state; tqdm writes a carriage return before it and spaces to erase it."""
        if line := text.strip("\r").rstrip():
            note(line)

    def flush(self) -> None:
        """Do nothing: each line is printed at once."""


class ProgressDisplay:
    """Prints progress to stderr while a run lasts, and its last state as a line.

    Args:
        print_would_add: Prints a line of a dry run.
        on_terminal: Whether stderr shows a bar.
    """

    def __init__(self, *, print_would_add: Callable[[str], None], on_terminal: bool) -> None:
        from tqdm import tqdm  # loaded late: `serve` does not need it

        # By default a lock shared between processes, for which some systems start one more.
        tqdm.set_lock(RLock())  # pyright: ignore[reportUnknownMemberType]  # has no annotations
        tqdm.monitor_interval = 0  # no thread: `progress` is called every second
        every_s = _BAR_EVERY_S if on_terminal else _LINE_EVERY_S
        self._print_would_add = print_would_add
        self._on_terminal = on_terminal
        self._last: IngestProgress | None = None
        self._bar = tqdm(
            file=sys.stderr if on_terminal else _LogLines(),
            bar_format=None if on_terminal else "{desc}",
            unit="img",
            mininterval=every_s,
            miniters=0,
            delay=every_s,
            dynamic_ncols=on_terminal,
            leave=False,
        )

    async def progress(self, progress: IngestProgress) -> None:
        """Display a new state, unless the last one was displayed a moment ago."""
        bar, was_counted = self._bar, self._bar.total is not None
        self._last, bar.total = progress, progress.found
        if self._on_terminal:
            bar.set_postfix_str(_counts(progress), refresh=False)
        else:
            bar.set_description_str(_line(progress), refresh=False)
            bar.bar_format = "{desc}" if progress.found is None else "{desc}, {remaining} left"
        if progress.found is not None and not was_counted:
            self.note(f"Found {progress.found} DICOM files")
        bar.update(progress.processed - bar.n)

    async def would_add(self, image_id: str, view: str) -> None:
        """Print what a dry run would add."""
        with self._bar.external_write_mode(sys.stderr):
            self._print_would_add(f"[DRY RUN] Would insert: {image_id} ({view})")

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        with self._bar.external_write_mode(sys.stderr):
            note(text)

    def end(self) -> None:
        """Remove the bar and print the last state."""
        self._bar.close()
        if self._last:
            note(_line(self._last))


def _counts(progress: IngestProgress) -> str:
    return f"Skipped {progress.skipped}, Added {progress.added}, Errors {progress.errors}"


def _line(progress: IngestProgress) -> str:
    total = "?" if progress.found is None else progress.found
    return f"  {progress.processed}/{total}: {_counts(progress)} ({progress.rate:.1f} img/sec)"
