"""The server as a host starts it: a separate process, with a minimal environment, in another folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.archives import Ingested, ingested

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

SERVE = [sys.executable, "-m", "mcp_cxr", "serve"]
WITHIN_S = 30
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "0"},
}


class Wire:
    """A server process and the lines exchanged with it; every line on its stdout must be JSON-RPC.

    Args:
        variables: Its whole environment.
    """

    def __init__(self, variables: dict[str, str], folder: Path) -> None:
        self.process = subprocess.Popen(
            SERVE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=variables,
            cwd=folder,
            start_new_session=True,
        )
        self._sent = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def shake_hands(self) -> dict[str, Any]:
        """Return the response to `initialize`."""
        answer = self.ask("initialize", **INITIALIZE)
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer["result"]

    def request(self, method: str, **params: Any) -> int:
        """Send a request; return its id."""
        self._sent += 1
        self.say({"jsonrpc": "2.0", "id": self._sent, "method": method, "params": params})
        return self._sent

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the response to a request, skipping other messages."""
        number = self.request(method, **params)
        while True:
            heard = self.hear()
            if heard.get("id") == number:
                return heard

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return a tool's result."""
        return self.ask("tools/call", name=tool, arguments=arguments)["result"]

    def say(self, message: object) -> None:
        self.say_line(json.dumps(message))

    def say_line(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Return the next line."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        return message_of(line)

    def rest(self) -> tuple[list[dict[str, Any]], str]:
        """Wait for the end of the process; return the remaining messages and stderr."""
        out, err = self.process.communicate(timeout=WITHIN_S)
        with pytest.raises(ProcessLookupError):
            os.killpg(self.process.pid, 0)  # no process of its group is left
        return [message_of(line) for line in out.splitlines()], err


def message_of(line: str) -> dict[str, Any]:
    message = json.loads(line)
    assert message["jsonrpc"] == "2.0"
    assert message.keys() & {"method", "result", "error"}
    return message


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """The demo's first studies; shared with other test packages; must not be changed."""
    return ingested(tmp_path_factory.getbasetemp() / "demo")


@pytest.fixture
def wire(demo: Ingested, tmp_path: Path) -> Iterator[Wire]:
    """A server of the demo's archive."""
    with Wire(demo.environment, tmp_path) as opened:
        yield opened
