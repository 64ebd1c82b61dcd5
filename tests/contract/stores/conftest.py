"""Fixtures with every store as one parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.stores.backends import BACKENDS
from tests.contract.stores.making import FINGERPRINT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from mcp_cxr.stores import Store
    from tests.contract.stores.backends import Backend


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    made: Backend = request.param(tmp_path / "archive")
    with made.patched():
        yield made


@pytest.fixture
async def bare(backend: Backend) -> AsyncIterator[Store]:
    """A store before `create`."""
    async with backend.store() as opened:
        yield opened


@pytest.fixture
async def store(bare: Store) -> Store:
    """A store with an empty archive."""
    await bare.create(FINGERPRINT)
    return bare
