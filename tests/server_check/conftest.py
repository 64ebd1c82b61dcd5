"""Servers to ask, and an archive in IRIS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.records import Fingerprint
from mcp_cxr.server_check import CheckRecord, Parts, expectations
from mcp_cxr.server_check.iris import check_iris
from mcp_cxr.server_check.iris._store_calls import drawn_vectors, made_images, made_studies
from mcp_cxr.stores.iris import IrisConfig, IrisStore
from tests.cli import conftest as commands
from tests.support.iris import plain_server

if TYPE_CHECKING:
    from mcp_cxr.server_check._record import IrisFacts, ServiceRecord
    from tests.standins.iris import StandIn

on_new, run = commands.on_new, commands.run  # fixtures

FINGERPRINT = Fingerprint("drawn", 16, "1")


@pytest.fixture
def server() -> StandIn:
    return plain_server()


@pytest.fixture
def config(server: StandIn) -> IrisConfig:
    return IrisConfig(host=server.host, port=server.port, username=server.username, password=server.password)


@pytest.fixture
async def archive(config: IrisConfig) -> IrisConfig:
    """Return the configuration of an archive of 20 images."""
    async with IrisStore(config) as store:
        await store.create(FINGERPRINT)
        await store.put(made_images(20), drawn_vectors(20, 16))
        await store.put_studies(made_studies(20))
    return config


async def ask(config: IrisConfig) -> IrisFacts:
    return await check_iris(config, Parts())


def differences(iris: IrisFacts | None = None, embedder: ServiceRecord | None = None) -> dict[str, str]:
    """Return what differs from what mcp-cxr expects, with its meaning."""
    record = CheckRecord(mcp_cxr="0.1.0", python="3.11.7", iris=iris, embedder=embedder)
    found: list[Any] = expectations(record)
    return {one.name: one.meaning for one in found if not one.holds}
