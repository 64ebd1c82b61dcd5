"""Fixtures of several test packages; tests/conftest.py imports them.

The package is imported in the fixtures: the process that hands tests to the others runs none, and they wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.demo import DemoDataSet
    from mcp_cxr.embeddings import Embedder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoDataSet:
    """Twelve computer-drawn studies as files; must not be changed."""
    from tests.support.archives import drawn_demo

    return drawn_demo(tmp_path_factory.getbasetemp() / "demo" / "images")


@pytest.fixture(scope="session")
def toy_data(demo: DemoDataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo in the memory store, ingested with the embedder that reads text; must not be changed."""
    from tests.support.toy import ToyEmbedder

    return _made(tmp_path_factory.mktemp("toy"), demo, ToyEmbedder())


@pytest.fixture(scope="session")
def sketch_data(demo: DemoDataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo in the memory store, ingested with the offline embedder; must not be changed."""
    from mcp_cxr.embeddings import OfflineEmbedder
    from mcp_cxr.images import PREPROCESSING

    return _made(tmp_path_factory.mktemp("sketch"), demo, OfflineEmbedder(preprocessing=PREPROCESSING))


@pytest.fixture
def own_data(toy_data: Path, tmp_path: Path) -> Path:
    """A copy of `toy_data` that may be changed."""
    from tests.support.archives import copy_memory_archive

    return copy_memory_archive(toy_data, tmp_path / "own-data")


def _made(data: Path, images: DemoDataSet, embedder: Embedder) -> Path:
    import anyio

    from tests.support.archives import ingested_in_memory

    anyio.run(ingested_in_memory, data, images.folder, embedder)
    return data


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
