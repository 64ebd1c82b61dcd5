"""Reads reports: text files beside the images, and the text of members of zip files."""

from __future__ import annotations

import gzip
import logging
import zlib
from typing import TYPE_CHECKING, Final

from mcp_cxr.safe_files import open_without_links

if TYPE_CHECKING:
    from pathlib import Path

MAX_REPORT_BYTES: Final = 1 << 20
"""What is read of a report."""
_NO_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r"}  # C0 and C1
_log = logging.getLogger(__name__)


def read_report_file(path: Path) -> str | None:
    """Return the text of a report, also of a packed one (`.gz`); None if there is none to read."""
    try:
        return to_text(_read(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, EOFError, zlib.error) as exc:
        reason = (exc.strerror if isinstance(exc, OSError) else None) or "it is damaged"
        _log.warning("Cannot read a report (%s); its images are added without it.", reason)
        return None


def _read(path: Path) -> bytes:
    try:
        with open_without_links(path) as file:
            return file.read(MAX_REPORT_BYTES)
    except FileNotFoundError:
        with open_without_links(path.with_name(f"{path.name}.gz")) as file, gzip.GzipFile(fileobj=file) as packed:
            return packed.read(MAX_REPORT_BYTES)


def to_text(data: bytes) -> str:
    """Return the text of a report without control characters."""
    return data.decode("utf-8-sig", errors="replace").translate(_NO_CONTROLS)
