"""The folder an ingest reads and the folder it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def image_dir(tmp_path: Path) -> Path:
    """Return an empty folder for image files."""
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return the folder of the archive, which does not exist yet."""
    return tmp_path / "data"
