"""An Orthanc and a simulated PACS with the studies of `hospital`, and an archive to pull to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pacs.hospital import CHEST_IMAGES, whole_hospital
from tests.pacs.orthanc import Orthanc
from tests.pacs.pulling import Archive
from tests.standins.dicomweb import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Return an Orthanc that must not be changed."""
    with Orthanc(tmp_path_factory.mktemp("pacs")) as orthanc:
        orthanc.add(whole_hospital())
        yield orthanc


@pytest.fixture(scope="session")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """Return a simulated PACS; a test says first how it behaves."""
    with StandIn(tmp_path_factory.mktemp("standin")) as started:
        started.serve(whole_hospital())
        yield started


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "data", {})


@pytest.fixture(scope="session")
def whole(standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Return the archive of one undisturbed pull."""
    archive = Archive(tmp_path_factory.mktemp("whole"), {})
    standin.configure()
    assert archive.pull(standin.dicomweb).code == 0
    assert len(archive.images()) == CHEST_IMAGES
    return archive
