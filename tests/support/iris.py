"""Simulated IRIS servers that all tests of a process share: starting one takes half a second."""

from __future__ import annotations

import atexit
import os
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.standins.iris import StandIn, make_authority

if TYPE_CHECKING:
    from mcp_cxr.stores.iris import IrisStore

_DOCUMENTATION = Path(__file__).parents[2] / "docs" / "iris.md"


class PoolState(NamedTuple):
    """The figures of `IrisStore.connection_status`, in their order."""

    size: int
    busy: int
    idle: int
    opened: int
    lost: int
    retried: int
    calls_timed_out: int
    acquires_timed_out: int


def pool_state(store: IrisStore) -> PoolState:
    """Return the state of a store's connections, and its counts, as `mcp-cxr doctor` shows them."""
    return PoolState(*map(int, re.findall(r"\d+", store.connection_status)))


def plain_server() -> StandIn:
    """Return a server over plain TCP, reset."""
    return _reset(_plain())


def tls_server() -> StandIn:
    """Return a server over TLS, reset; the environment names the driver's TLS configuration file."""
    return _reset(_tls())


def documented_grants() -> list[str]:
    """Return the administrative privileges that docs/iris.md grants to the user who creates the tables."""
    granted = re.findall(r"^GRANT (.+) TO cxr", _DOCUMENTATION.read_text(encoding="utf-8"), re.MULTILINE)
    return [name.strip() for line in granted for name in line.split(",")]


def variables(server: StandIn, **more: str) -> dict[str, str]:
    """Return environment variables of an archive on the server."""
    return {
        "MCP_CXR_STORE": "iris",
        "IRIS_HOST": server.host,
        "IRIS_PORT": str(server.port),
        "IRIS_USERNAME": server.username,
        "IRIS_PASSWORD": server.password,
        **more,
    }


def _reset(server: StandIn) -> StandIn:
    server.reset()
    return server


@cache
def _plain() -> StandIn:
    return _started(StandIn())


@cache
def _tls() -> StandIn:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    make_authority(Path(folder.name))
    os.environ["ISC_SSLconfigurations"] = str(Path(folder.name) / "ssl.ini")  # noqa: SIM112  # the driver's name
    return _started(StandIn(tls=Path(folder.name)))


def _started(server: StandIn) -> StandIn:
    server.start()
    atexit.register(server.stop)
    return server
