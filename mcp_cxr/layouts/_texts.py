"""Reads reports: text files beside the images, and the text of members of zip files."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from mcp_cxr.safe_files import open_without_links

if TYPE_CHECKING:
    from pathlib import Path

MAX_REPORT_BYTES: Final = 1 << 20
"""What is read of a report."""
_NO_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r"}  # C0 and C1
_log = logging.getLogger(__name__)


def read_report_file(path: Path) -> str | None:
    """Return the text of a report; None if there is none to read."""
    try:
        with open_without_links(path) as handle:
            return to_text(handle.read(MAX_REPORT_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        _log.warning("Cannot read a report (%s); its images are added without it.", exc.strerror)
        return None


def to_text(data: bytes) -> str:
    """Return the text of a report without control characters."""
    return data.decode("utf-8-sig", errors="replace").translate(_NO_CONTROLS)
