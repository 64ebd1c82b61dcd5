"""The HTTP server in a thread of this process, with a clock that a test moves."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from mcp_cxr.archive import open_archive
from mcp_cxr.server import build_server
from mcp_cxr.server.http import HttpConfig, authentication_of
from mcp_cxr.server.http._serve import http_server
from tests.server.archives import environment, settings
from tests.support.served import Served

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@dataclass(slots=True)
class Clock:
    """Returns seconds; only tests move it."""

    now: float = 1000

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> bool:
        """Move it; return True, so that a condition can begin with it."""
        self.now += seconds
        return True


@contextmanager
def serving(folder: Path, clock: Clock, config: HttpConfig | None = None) -> Generator[tuple[Served, str]]:
    """Serve an empty archive; return it, and its token if it has one."""
    variables, config = environment(folder / "data"), config or HttpConfig()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        authentication = authentication_of(config, url=config.url(port), token_file=folder / "token", clock=clock)
        mcp_server = build_server(lambda: open_archive(settings(variables)), authentication=authentication)
        server = http_server(mcp_server, config, port, clock=clock)
        thread = threading.Thread(target=lambda: anyio.run(server.serve, [listener]))
        thread.start()
        try:
            yield Served(variables, folder, url=config.url(port)), authentication.created_token or ""
        finally:
            server.should_exit = True
            thread.join()
