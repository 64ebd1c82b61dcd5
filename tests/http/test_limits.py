"""Limits for clients, and the shutdown of the server.

Imports private modules: the order of messages at a limit cannot be arranged over a socket.
"""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import pytest
import uvicorn
from anyio import to_thread

from mcp_cxr.server.http._refusal_log import RefusalLog
from mcp_cxr.server.http._request_limits import RequestLimits
from mcp_cxr.server.http._serve import MAX_BODY, LimitedServer
from mcp_cxr.server.http._sessions import SessionLimits
from tests.server.archives import environment, write_small_images
from tests.support.served import Served, bearer

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

IMAGES = 100
WITHIN_S = 30
MAX_KEPT = 4 * 3  # descriptors of the connections that the store keeps: a file, its WAL and its index each


def test_a_body_that_is_too_large_is_refused_declared_or_not(served: Served):
    large = b" " * (MAX_BODY + 1)
    assert served.send(large, headers=bearer(served.token)).status == 413
    chunked: Any = (large[start : start + 9999] for start in range(0, len(large), 9999))
    assert served.send(chunked, headers=bearer(served.token)).status == 413
    assert served.initialize(**bearer(served.token)).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[" * 100_000,
        b'{"jsonrpc": "2.0"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": 3}',
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\\ud800"}}',
    ],
)
def test_a_body_that_is_no_call_is_refused_and_the_next_call_is_answered(served: Served, body: bytes):
    reply = served.send(body, headers=bearer(served.token))
    assert 400 <= reply.status < 500
    assert b"Traceback" not in reply.body
    assert served.initialize(**bearer(served.token)).status == 200


class Waiting:
    """An app that reads the body, and responds once `go` is set."""

    def __init__(self) -> None:
        self.entered, self.go = anyio.Event(), anyio.Event()
        self.body = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message = await receive()
            self.body += message["body"]
            more = message["more_body"]
        self.entered.set()
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})


async def sent_through(limits: RequestLimits, *parts: bytes, ended: bool = True) -> list[Message]:
    """Send a call in parts; return the messages of the response."""
    waiting: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    waiting += [{"type": "http.request", "body": b"", "more_body": False}] if ended else []
    sent: list[Message] = []

    async def receive() -> Message:
        if not waiting:
            await anyio.sleep_forever()
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    with anyio.fail_after(WITHIN_S):
        await limits({"type": "http", "method": "POST", "headers": []}, receive, send)
    return sent


async def test_a_call_beyond_the_limit_is_answered_with_503():
    app = Waiting()
    limits = RequestLimits(app, max_calls=1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sent_through, limits, b"a", b"b")
        await app.entered.wait()
        refused = (await sent_through(limits, b"c"))[0]
        assert refused["status"] == 503
        assert (b"retry-after", b"1") in refused["headers"]
        app.go.set()
    assert app.body == b"ab"
    assert (await sent_through(limits, b"d"))[0]["status"] == 200


async def test_a_body_that_does_not_arrive_is_answered_with_408():
    limits = RequestLimits(Waiting(), max_calls=1, body_timeout_s=0.01)
    for _ in range(2):  # the first one has freed its place
        assert (await sent_through(limits, b"never the rest", ended=False))[0]["status"] == 408


async def test_a_connection_without_a_request_is_closed():
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("no request was sent")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        limits = RequestLimits(app, idle_timeout_s=0.05)
        config = uvicorn.Config(limits, http="h11", lifespan="off", log_config=None, timeout_notify=0)
        server = LimitedServer(config, limits, SessionLimits(app), RefusalLog(limits))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            for start in (b"", b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "):
                async with await anyio.connect_tcp(*listener.getsockname()[:2]) as connection:
                    if start:
                        await connection.send(start)
                    with anyio.fail_after(WITHIN_S), pytest.raises(anyio.EndOfStream):
                        await connection.receive()
            server.should_exit = True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_shutdown_waits_for_running_calls(tmp_path: Path, number: signal.Signals):
    images = tmp_path / "images"
    write_small_images(images, IMAGES)
    with Served(environment(tmp_path / "data", roots=tmp_path), tmp_path) as served:
        async with served.client(mode="legacy") as client:  # which keeps a stream open
            await client.list_tools()  # otherwise the client would list them after the call, to check its result
            ended: list[float] = []

            async def signal_once(progress: float, total: float | None, message: str | None) -> None:
                if progress and not ended:
                    ended.append(progress)
                    served.process.send_signal(number)

            with anyio.fail_after(WITHIN_S):
                result = await client.call_tool(
                    "ingest_directory", {"path": str(images)}, progress_callback=signal_once
                )
        out, err = await to_thread.run_sync(served.process.communicate)
    assert (served.process.returncode, out, err) == (0, "", "")
    assert 0 < ended[0] < IMAGES
    assert result.structured_content
    assert result.structured_content["added"] == IMAGES


def test_clients_that_disconnect_early_leave_no_descriptor_open(served: Served):
    call = {"name": "search_medical_images", "arguments": {"query": "effusion"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}).encode()
    session = served.initialize(**bearer(served.token)).headers["mcp-session-id"]
    parts = urlsplit(served.url)
    assert parts.hostname
    assert parts.port
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {served.token}\r\n"
        f"Mcp-Session-Id: {session}\r\nContent-Type: application/json\r\n"
        "Accept: application/json, text/event-stream\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    whole = head + body
    before = open_descriptors(served.process.pid)
    for cut in (1, len(head) - 1, len(head), len(whole) - 1, len(whole)) * 20:
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            connection.sendall(whole[:cut])
    search = {"mcp_session_id": session, **bearer(served.token)}
    polls = 0
    while open_descriptors(served.process.pid) > before + MAX_KEPT:
        polls += 1
        assert polls < 100
        assert served.initialize(**search).status < 500


def open_descriptors(pid: int) -> int:
    """Return the number of descriptors that a process holds."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
