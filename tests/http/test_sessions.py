"""Sessions that clients left end, and refusals are logged once a minute.

Imports private modules: minutes cannot pass in a test, and a call cannot be held over a socket.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers

from mcp_cxr.server.http._sessions import IDLE_SESSION_S, MAX_SESSIONS, SessionLimits
from tests.http.serving import Clock, serving
from tests.support.served import HEADERS, WITHIN_S, Served, bearer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    import pytest
    from starlette.types import Message, Receive, Scope, Send

LIST_TOOLS = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}).encode()


def opened(served: Served, token: str) -> str:
    """Open a session; return its id."""
    reply = served.initialize(**bearer(token))
    assert reply.status == 200, reply.body
    return reply.headers["mcp-session-id"]


def used(served: Served, token: str, session: str) -> int:
    """Call in a session; return the status."""
    return served.send(LIST_TOOLS, headers={**bearer(token), "mcp-session-id": session}).status


@contextmanager
def stream(served: Served, token: str, session: str) -> Generator[http.client.HTTPResponse]:
    """Hold a session's stream open, as hosts do."""
    parts = urlsplit(served.url)
    assert parts.hostname
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=WITHIN_S)
    connection.request("GET", parts.path, headers={**HEADERS, **bearer(token), "mcp-session-id": session})
    response = connection.getresponse()
    assert response.status == 200
    yield response
    response.close()
    connection.close()


def has_ended(served: Served, token: str, session: str) -> bool:
    """Return whether a session has ended, by a request that is refused, which does not keep it."""
    return served.send(method="PUT", headers={**bearer(token), "mcp-session-id": session}).status == 404


def within(condition: Callable[[], bool]) -> None:
    """Wait for what the server does once a second."""
    ends = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < ends
        threading.Event().wait(0.05)


def test_more_sessions_than_the_limit_end_the_longest_idle_first(served: Served):
    first, second, third = (opened(served, served.token) for _ in range(3))
    with stream(served, served.token, second):
        assert used(served, served.token, first) == 200
        others = [opened(served, served.token) for _ in range(MAX_SESSIONS - 2)]
        assert used(served, served.token, second) == 404  # an open stream does not count as use
        assert [used(served, served.token, each) for each in (third, first, others[0], others[-1])] == [200] * 4
        opened(served, served.token)
        assert used(served, served.token, others[0]) == 200
        assert used(served, served.token, others[1]) == 404


class Sessions:
    """Stands for the SDK's: opens `1`, `2`, ...; a call in a session responds once `go` is set."""

    def __init__(self) -> None:
        self.entered, self.go = anyio.Event(), anyio.Event()
        self.opened = 0
        self.ended: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session_id = Headers(scope=scope).get("mcp-session-id")
        headers: list[tuple[bytes, bytes]] = []
        if session_id is None:
            self.opened += 1
            headers = [(b"mcp-session-id", str(self.opened).encode())]
        elif scope["method"] == "DELETE":
            self.ended.append(session_id)
        else:
            self.entered.set()
            await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": headers})


async def test_a_session_with_a_running_call_does_not_end():
    app = Sessions()
    limits = SessionLimits(app, max_sessions=1)

    async def call(session_id: str | None = None) -> None:
        headers = [(b"mcp-session-id", session_id.encode())] if session_id else []
        await limits({"type": "http", "method": "POST", "headers": headers}, no_message, ignore)

    await call()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, "1")
        await app.entered.wait()
        await call()
        assert app.ended == []
        await call()
        assert app.ended == ["2"]
        app.go.set()
    await call()
    assert app.ended == ["2", "3"]


async def no_message() -> Message:
    raise AssertionError("the stand-in reads no body")


async def ignore(_: Message) -> None:
    pass


def test_a_session_without_requests_ends_within_minutes(tmp_path: Path):
    clock = Clock()
    with serving(tmp_path, clock) as (served, token):
        left, held, calling = (opened(served, token) for _ in range(3))
        with stream(served, token, held):
            clock.now += IDLE_SESSION_S - 1
            assert used(served, token, calling) == 200
            clock.now += 1
            within(lambda: has_ended(served, token, left))
            assert used(served, token, calling) == 200
            within(lambda: clock.move(IDLE_SESSION_S) and has_ended(served, token, calling))
            assert used(served, token, held) == 200
        within(lambda: clock.move(IDLE_SESSION_S) and has_ended(served, token, held))
        assert served.initialize(**bearer(token)).status == 200


def test_a_client_that_ends_its_session_makes_room(tmp_path: Path):
    with serving(tmp_path, Clock()) as (served, token):
        kept = opened(served, token)
        for _ in range(MAX_SESSIONS + 9):
            named = {**bearer(token), "mcp-session-id": opened(served, token)}
            assert served.send(method="DELETE", headers=named).status == 200
        assert used(served, token, kept) == 200


def refuse_each_kind(served: Served, token: str) -> None:
    """Be refused in every way, here with text that must not reach the log."""
    served.initialize(Authorization="Bearer secret-token")
    served.initialize(**bearer(token), Host="secret.example")
    served.initialize(**bearer(token), Origin="https://secret.example")
    served.send(b"secret", headers=bearer(token))
    served.send(method="GET", path="/secret", headers=bearer(token))
    used(served, token, "secret")
    parts = urlsplit(served.url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(b"secret\r\n\r\n")
        connection.recv(1)


def test_refusals_are_one_line_a_minute_without_what_was_sent(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    clock = Clock()
    with serving(tmp_path, clock) as (served, token):
        for minute in range(3):
            for _ in range(20):
                refuse_each_kind(served, token)
            clock.now += 60
            within(lambda: len(caplog.messages) > minute)  # noqa: B023 - called at once
        assert len(caplog.messages) <= 4  # the first comes at once, then one a minute
        within(lambda: clock.move(60) and total(caplog, 404) == 120)
    assert total(caplog, 401) == 60
    assert total(caplog, 421) == 60
    assert total(caplog, 403) == 60
    assert total(caplog, 400) == 120
    assert total(caplog, 404) == 120
    assert "secret" not in caplog.text


def total(caplog: pytest.LogCaptureFixture, status: int) -> int:
    """Return how many refusals with a status were logged."""
    return sum(int(number) for number in re.findall(rf"(\d+) x {status} ", caplog.text))
