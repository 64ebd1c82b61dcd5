"""Errors of our own code during an ingest: counted by their class, logged, and held against no file.

A file at which one was raised has no outcome, so that the next run tries it again. One such file does not end a run.
"""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_cxr.errors import CxrError, ImageError, InternalError
from mcp_cxr.ingest._stage_items import Failure

if TYPE_CHECKING:
    from mcp_cxr.ingest._plan import StopSignal
    from mcp_cxr.ingest._walk import Candidate

_log = logging.getLogger(__name__)

MOST_IN_A_ROW = 20
"""Files at which a stage fails one after another before the run ends: the fault lies in no file."""


@dataclass(slots=True)
class InternalErrors:
    """Tells errors of our own code from those of a file, and ends the run if there are many in a row."""

    stop_signal: StopSignal
    _in_a_row: Counter[str] = field(default_factory=Counter[str])

    @property
    def are_too_many(self) -> bool:
        """Whether they have ended the run."""
        return max(self._in_a_row.values(), default=0) >= MOST_IN_A_ROW

    def passed(self, stage: str) -> None:
        """Begin a new row: the stage has processed a file."""
        if not self.are_too_many:
            self._in_a_row[stage] = 0

    def failure(self, stage: str, file: Candidate, error: Exception) -> Failure:
        """Return the failure of a file at which a stage raised `error`.

        Raises:
            CxrError: `error` itself, if it concerns the whole run: the store, the embedder or a setting.
        """
        if isinstance(error, ImageError):
            self.passed(stage)
            return Failure.from_error(file, error)
        raise_if_of_the_run(error)
        kind, trace = _kind_and_trace(error)
        _log.error("internal error (%s) at %s; nothing was recorded about it:\n%s", kind, file.path, trace)
        self._in_a_row[stage] += 1
        if self.are_too_many:
            self.stop_signal.stop(
                f"Internal error ({kind}) at {MOST_IN_A_ROW} files in a row; nothing was recorded about them. Please"
                " report it with the traceback above.",
                keep_counting=True,
            )
        return Failure(file, f"internal error ({kind})", is_permanent=False)


def raise_if_of_the_run(error: Exception) -> None:
    """Raise an error that concerns the whole run, not a file: of the store, the embedder or a setting."""
    if isinstance(error, CxrError) and not isinstance(error, ImageError | InternalError):
        raise error


def _kind_and_trace(error: Exception) -> tuple[str, str]:
    """Return the class and traceback of an error without its message, which may quote a file's header or report."""
    if isinstance(error, InternalError):
        return error.kind, error.trace
    return type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
