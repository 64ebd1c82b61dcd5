"""Fixtures that several rooms' tests share; tests/conftest.py brings them in."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_cxr.demo import DemoArchive, write_archive
from mcp_cxr.embeddings import OfflineEmbedder
from mcp_cxr.images import PREPROCESSING
from tests.support.archives import ingested
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.embeddings import Embedder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoArchive:
    """12 computer-drawn studies as files, not to be written to."""
    return write_archive(tmp_path_factory.mktemp("demo"), studies=12)


@pytest.fixture(scope="session")
def toy_data(demo: DemoArchive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """They, ingested with the embedder that reads text; only to be read."""
    return _made(tmp_path_factory.mktemp("toy"), demo, ToyEmbedder())


@pytest.fixture(scope="session")
def sketch_data(demo: DemoArchive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """They, ingested with the offline embedder; only to be read."""
    return _made(tmp_path_factory.mktemp("sketch"), demo, OfflineEmbedder(preprocessing=PREPROCESSING))


@pytest.fixture
def own_data(toy_data: Path, tmp_path: Path) -> Path:
    """A copy of `toy_data` that may be written to."""
    return shutil.copytree(toy_data, tmp_path / "own-data")


def _made(data: Path, images: DemoArchive, embedder: Embedder) -> Path:
    anyio.run(ingested, data, images.folder, embedder)
    return data
