"""A server of the demo's archive over HTTP; one process for the tests that do not end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.archives import Ingested, ingested
from tests.support.served import Served

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """The demo's first studies; shared with the tests of other packages; not to be changed."""
    return ingested(tmp_path_factory.getbasetemp() / "demo")


@pytest.fixture(scope="module")
def served(demo: Ingested, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    copy = demo.copied_to(folder / "data")
    with Served(copy.environment, folder) as running:
        yield running
