"""`HttpClient` against a server on loopback that breaks every rule: each exchange ends in time with an `HttpError`."""

from __future__ import annotations

import socket
import threading
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_cxr.errors import ConfigError
from mcp_cxr.http_client import (
    BodyTooLarge,
    ConnectionBroken,
    HostNotAllowed,
    HttpClient,
    HttpError,
    HttpLimits,
    TimedOut,
    Unreachable,
    check_service,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

SECRET = "canary-4711"  # noqa: S105  # of the tests
OK = b"HTTP/1.1 200 OK\r\n"
SHORT = HttpLimits(deadline_s=0.3, connect_s=0.3, max_body_bytes=1000)
AMPLE = HttpLimits(deadline_s=10, max_body_bytes=1000)


class Server:
    """Replies to any request with what `send` sends, and records each request."""

    def __init__(self, send: Callable[[socket.socket, threading.Event], None]) -> None:
        self._send = send
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.received = threading.Event()
        """Set when the first request was recorded; on a busy machine after its client gave up."""
        self.left = threading.Event()
        """Set at the end of the test."""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/path"

    def close(self) -> None:
        self.left.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self.requests.append(connection.recv(1 << 16))
                    self.received.set()
                    self._send(connection, self.left)
                except OSError:  # the client left
                    continue


@contextmanager
def serving(send: Callable[[socket.socket, threading.Event], None]) -> Generator[Server]:
    server = Server(send)
    try:
        yield server
    finally:
        server.close()


def sending(*parts: bytes, then_waits: bool = False) -> Callable[[socket.socket, threading.Event], None]:
    def send(connection: socket.socket, left: threading.Event) -> None:
        for part in parts:
            connection.sendall(part)
        if then_waits:
            left.wait(10)

    return send


def drip(head: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """Send a byte each 10 ms, never silent for long and never done."""

    def send(connection: socket.socket, left: threading.Event) -> None:
        connection.sendall(head)
        while not left.wait(0.01):
            connection.sendall(b"x")

    return send


def endless(connection: socket.socket, left: threading.Event) -> None:
    connection.sendall(OK + b"\r\n")
    while not left.is_set():
        connection.sendall(b"x" * 65536)


async def get(server: Server, limits: HttpLimits = AMPLE, **how: Any) -> tuple[int, bytes]:
    async with HttpClient(limits, **how) as client:
        with anyio.fail_after(8):
            reply = await client.request("GET", server.url)
    return reply.status, reply.body


@pytest.mark.parametrize(
    ("send", "limits", "error"),
    [
        (sending(then_waits=True), SHORT, TimedOut),
        (drip(b"HTTP/1.1 200 OK\r\nX-Slow: "), SHORT, TimedOut),
        (sending(OK + b"Content-Length: 9\r\n\r\n", then_waits=True), SHORT, TimedOut),
        (drip(OK + b"\r\n"), SHORT, TimedOut),
        (drip(OK + b"Content-Length: 900\r\n\r\n"), SHORT, TimedOut),
        (endless, AMPLE, BodyTooLarge),
        (sending(OK + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001), AMPLE, BodyTooLarge),
        (
            sending(OK + b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"),
            AMPLE,
            BodyTooLarge,
        ),
        (sending(OK + b"Content-Length: 9\r\n\r\nshort"), AMPLE, ConnectionBroken),
        (sending(OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\nshort"), AMPLE, ConnectionBroken),
        (sending(OK + b"Content-Length: many\r\n\r\nx"), AMPLE, ConnectionBroken),
        (sending(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), AMPLE, ConnectionBroken),
        (sending(b"canary-4711 is no HTTP\r\n\r\n"), AMPLE, ConnectionBroken),
        (sending(b"HTTP/1.1 200 OK\r\nX: " + b"x" * (1 << 20)), AMPLE, ConnectionBroken),
        (sending(), AMPLE, ConnectionBroken),
        (sending(OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"), AMPLE, ConnectionBroken),
    ],
    ids=[
        "no head",
        "slow head",
        "no body",
        "slow endless body",
        "slow body",
        "fast endless body",
        "large body",
        "large chunked body",
        "cut body",
        "cut chunk",
        "content length that is no number",
        "two content lengths",
        "no HTTP",
        "endless header",
        "closed at once",
        "compressed, which was not requested",
    ],
)
async def test_a_broken_reply_ends_in_one_error_in_time_and_quotes_nothing(
    send: Callable[[socket.socket, threading.Event], None], limits: HttpLimits, error: type[HttpError]
):
    with serving(send) as server:
        with pytest.raises(error) as caught:
            await get(server, limits, headers={"Authorization": f"Bearer {SECRET}"})
        assert await anyio.to_thread.run_sync(server.received.wait, 10)
        assert SECRET.encode() in server.requests[0]
    assert SECRET not in "".join([repr(caught.value), *traceback.format_exception(caught.value)])


async def test_silence_is_limited_apart_from_the_deadline():
    limits = HttpLimits(deadline_s=60, silence_s=0.2, max_body_bytes=1000)
    with serving(sending(OK + b"\r\nx", then_waits=True)) as server, pytest.raises(TimedOut):
        await get(server, limits)


async def test_a_body_of_exactly_the_limit_is_read():
    with serving(sending(OK + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000)) as server:
        assert await get(server) == (200, b"x" * 1000)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_reply_and_the_other_host_is_not_called(status: int):
    with serving(sending(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as other:
        head = f"HTTP/1.1 {status} Moved\r\nLocation: {other.url}\r\nContent-Length: 0\r\n\r\n".encode()
        with serving(sending(head)) as server:
            assert await get(server) == (status, b"")
        assert other.requests == []


async def test_proxies_and_netrc_of_the_environment_are_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
):
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login someone password {SECRET}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(sending(OK + b"\r\n")) as proxy, serving(sending(OK + b"Content-Length: 0\r\n\r\n")) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert await get(server) == (200, b"")
        assert proxy.requests == []
        assert b"authorization" not in server.requests[0].lower()


@pytest.mark.parametrize(
    "url",
    [
        f"http://gpu.example:8002/?key={SECRET}",
        "https://localhost.evil.example/",
        "http://0.0.0.0:8002/",
        f"http://user:{SECRET}@127.0.0.1:8002/",
        f"ftp://127.0.0.1/{SECRET}",
        f"/{SECRET}",
        "http://127.0.0.1:port/",
        "https://gpu.example:8444/",
        "http://gpu.example:8443/",
    ],
)
async def test_a_host_that_is_not_allowed_is_never_connected_to(monkeypatch: pytest.MonkeyPatch, url: str):
    def refuse(*_: object) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    async with HttpClient(AMPLE, allowed_hosts=("gpu.example:8443",)) as client:
        with pytest.raises(HostNotAllowed) as caught:
            await client.request("GET", url)
        assert client.connections == 0
    assert SECRET not in "".join(traceback.format_exception(caught.value))


async def test_a_port_where_nothing_listens_is_unreachable():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    async with HttpClient(AMPLE, headers={"X-Key": SECRET}) as client:
        with pytest.raises(Unreachable, match="refused"):
            await client.request("GET", url)
        assert SECRET not in repr(client)


async def test_a_tls_server_without_a_trusted_certificate_is_unreachable():
    with serving(sending(b"no TLS at all")) as server:
        async with HttpClient(AMPLE) as client:
            with pytest.raises((Unreachable, ConnectionBroken)):
                await client.request("GET", server.url.replace("http:", "https:"))


async def test_no_log_line_holds_the_url(caplog: pytest.LogCaptureFixture):
    with serving(sending(OK + b"Content-Length: 0\r\n\r\n")) as server:
        async with HttpClient(AMPLE) as client:
            caplog.set_level("DEBUG")
            await client.request("GET", f"{server.url}?token={SECRET}")
    assert SECRET not in caplog.text


async def test_a_reply_that_was_not_read_leaves_the_client_usable():
    replies: Iterator[Callable[[socket.socket, threading.Event], None]] = iter(
        [sending(OK + b"\r\nx"), sending(OK + b"Content-Length: 2\r\n\r\nok")]
    )

    def send(connection: socket.socket, left: threading.Event) -> None:
        next(replies)(connection, left)

    with serving(send) as server:
        async with HttpClient(AMPLE) as client:
            async with client.stream("GET", server.url) as reply:
                assert reply.status == 200  # and leave without its body
            assert (await client.request("GET", server.url)).body == b"ok"


async def test_lines_end_at_line_feeds_only():
    body = "data: a\u2028b\r\n\ndata: ü".encode()
    with serving(sending(OK + b"\r\n", body[:9], body[9:])) as server:
        async with HttpClient(AMPLE) as client, client.stream("GET", server.url) as reply:
            assert [line async for line in reply.lines()] == ["data: a\u2028b", "", "data: ü"]


@pytest.mark.parametrize(
    ("url", "key"),
    [
        (f"http://user:{SECRET}@localhost/v1", None),
        (f"http://localhost/v1?key={SECRET}", None),
        (f"http://{SECRET}.example/v1?x", None),
        ("", None),
        ("localhost:8002", None),
        (f"ftp://localhost/{SECRET}", None),
        ("http://", None),
        (f"http://localhost:{SECRET}/v1", None),
        (f"http://{SECRET}@localhost:8002/v1", None),
        ("http://localhost/v1", f"{SECRET}\n"),
        ("http://localhost/v1", f"{SECRET}\r\nX-Other: 1"),
        ("http://localhost/v1", f"ä{SECRET}"),
    ],
)
def test_an_unusable_address_or_key_is_refused_without_being_quoted(url: str, key: str | None):
    with pytest.raises(ConfigError, match=r"URL|KEY") as caught:
        check_service(
            url, key, url_variable="URL", key_variable="KEY", example="http://localhost/v1", data="x", allowed_hosts=()
        )
    assert SECRET not in "".join(traceback.format_exception(caught.value))
