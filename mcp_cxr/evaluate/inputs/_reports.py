"""The reports of coded studies, from an archive or from a folder of text files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError
from mcp_cxr.safe_files import open_without_links

if TYPE_CHECKING:
    from mcp_cxr.evaluate.inputs._coded_findings import CodesFile
    from mcp_cxr.stores import Store

_PAGE = 1000
_MAX_REPORT_BYTES = 1 << 20


async def stored_reports(store: Store, codes: CodesFile, *, split: str | None) -> dict[str, str | None]:
    """Return the English report of each coded study of an archive, None if it has none; images need no vectors."""
    found: dict[str, str | None] = {}
    after = None
    while page := await store.images_after(after, limit=_PAGE):
        after = page[-1].image.image_id
        for study in (stored.study for stored in page if split is None or stored.study.split == split):
            if codes.of_study(study.study_id) is not None:
                found[study.study_id] = study.english_report
    return found


def folder_reports(folder: Path, codes: CodesFile) -> dict[str, str | None]:
    """Return the reports of coded studies below a folder: files named after the study, such as `s50414267.txt`.

    Raises:
        ConfigError: There is no text file, or one cannot be read.
    """
    files = [Path(place) / name for place, _, names in os.walk(folder) for name in names if name.endswith(".txt")]
    if not files:
        raise ConfigError(f"{folder} has no reports, such as s50414267.txt; name the folder that has them.")
    return {path.stem: _text(path) for path in sorted(files) if codes.of_study(path.stem) is not None}


def _text(path: Path) -> str:
    try:
        with open_without_links(path) as handle:
            return handle.read(_MAX_REPORT_BYTES).decode("utf-8-sig", errors="replace")
    except OSError as exc:
        raise ConfigError(f"Cannot read {path} ({exc.strerror}); check its permissions, or remove it.") from exc
