"""The callbacks of an ingest, and the outcomes that they report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_cxr.ingest._counts import IngestProgress

REFUSED: Final = "refused"
RECORDED_BAD: Final = "recorded as bad before"
OTHER_FILE: Final = "another file has the same id"


@dataclass(slots=True)
class IngestCallbacks:
    """Called as a run proceeds; each is optional."""

    on_progress: Callable[[IngestProgress], Awaitable[None]] | None = None
    on_would_add: Callable[[str, str], Awaitable[None]] | None = None
    """Called in a dry run with an image id and its view position."""
    on_reports_reread: Callable[[int], Awaitable[None]] | None = None
    """Called with the number of studies whose reports a newer report reader read again."""
    on_left_out: Callable[[str, str, str], None] | None = None
    """Called for each file that is not in the archive, with its path, outcome (`REFUSED` ...) and reason."""
