"""Where an ingest reads and where it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """An empty folder for films."""
    folder = tmp_path / "films"
    folder.mkdir()
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Where the archive will be; nothing is there yet."""
    return tmp_path / "data"
