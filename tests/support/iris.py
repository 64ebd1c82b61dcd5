"""The stand-ins for IRIS that all tests share, one after the other: starting a process for each takes half a second."""

from __future__ import annotations

import atexit
import os
import tempfile
from functools import cache
from pathlib import Path

from tests.standins.iris import StandIn, make_authority


def plain_server() -> StandIn:
    """Return a server over plain TCP, as new."""
    return _cleared(_plain())


def tls_server() -> StandIn:
    """Return a server over TLS, as new; the environment names the file in which the driver finds how to reach it."""
    return _cleared(_tls())


def variables(server: StandIn, **more: str) -> dict[str, str]:
    """Return what the environment says of an archive on the server."""
    return {
        "MCP_CXR_STORE": "iris",
        "IRIS_HOST": server.host,
        "IRIS_PORT": str(server.port),
        "IRIS_USERNAME": server.username,
        "IRIS_PASSWORD": server.password,
        **more,
    }


def _cleared(server: StandIn) -> StandIn:
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
