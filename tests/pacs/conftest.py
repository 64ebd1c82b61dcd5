"""One Orthanc with the studies of `hospital`, which tests only read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pacs.hospital import whole_hospital
from tests.pacs.orthanc import Orthanc

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Return an Orthanc that must not be changed."""
    with Orthanc(tmp_path_factory.mktemp("pacs")) as orthanc:
        orthanc.add(whole_hospital())
        yield orthanc
