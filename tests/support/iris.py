"""Stand-ins for IRIS that all tests of a process share: starting one takes half a second."""

from __future__ import annotations

import atexit
import os
import tempfile
from functools import cache
from pathlib import Path

from tests.standins.iris import StandIn, make_authority


def plain_server() -> StandIn:
    """Return a server over plain TCP, reset."""
    return _reset(_plain())


def tls_server() -> StandIn:
    """Return a server over TLS, reset; the environment names the driver's TLS configuration file."""
    return _reset(_tls())


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
