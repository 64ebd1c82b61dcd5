"""`mcp-cxr serve --http` as a separate process, and its clients' requests."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator
    from pathlib import Path
    from typing import Self

WITHIN_S = 60
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Served:
    """A server process: a context manager that starts it and ends it.

    Args:
        variables: Its whole environment.
        flags: After `serve --http --port 0`.
        command: What `mcp-cxr` is.
    """

    variables: dict[str, str]
    folder: Path
    flags: tuple[str, ...] = ()
    command: tuple[str, ...] = (sys.executable, "-m", "mcp_cxr")
    said: list[str] = field(default_factory=list[str])
    """Lines of stderr up to when it listened."""
    url: str = ""
    process: subprocess.Popen[str] = field(init=False)

    def __enter__(self) -> Self:
        command = [*self.command, "serve", "--http", "--port", "0", *self.flags]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdout=pipe, stderr=pipe, text=True, env=self.variables, cwd=self.folder, start_new_session=True
        )
        assert self.process.stderr
        while not self.url:
            line = self.process.stderr.readline()
            assert line, f"it ended: {self.said}"
            self.said.append(line)
            if found := re.match(r"Serving (\S+);", line):
                self.url = found[1]
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    @property
    def token(self) -> str:
        return next(line.rsplit(" ", 1)[1].strip() for line in self.said if line.startswith("Created a token"))

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """Terminate it; return exit code, stdout and the rest of stderr."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=WITHIN_S)
        return self.process.returncode, out, err

    def send(
        self,
        body: bytes | None = None,
        *,
        method: str = "POST",
        path: str | None = None,
        headers: dict[str, str] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> Reply:
        """Send one request with a client's headers and these; return the response."""
        parts = urlsplit(self.url)
        assert parts.hostname
        if context:
            connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=WITHIN_S, context=context)
        else:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=WITHIN_S)
        try:
            connection.request(method, path or parts.path, body, {**HEADERS, **(headers or {})})
            answer = connection.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def initialize(self, **headers: str) -> Reply:
        """Send `initialize`; in `headers`, `_` stands for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send(INITIALIZE, headers=named)

    @asynccontextmanager
    async def client(self, token: str | None = None, *, mode: str = "auto") -> AsyncGenerator[Client]:
        """Connect as a host does."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        async with create_mcp_http_client(headers) as web:
            transport = streamable_http_client(self.url, http_client=web)
            async with Client(transport, mode=mode) as client:
                yield client


INITIALIZE = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}},
    }
).encode()


def bearer(token: str) -> dict[str, Any]:
    """The keyword of `Served.initialize` that carries a token."""
    return {"Authorization": f"Bearer {token}"}
