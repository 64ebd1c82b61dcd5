"""HTTP clients for every service that mcp-cxr calls. No other module imports httpx.

A client sends to loopback and to allowed hosts only, ignores the environment's proxies and `.netrc`, follows no
redirect, and limits each exchange in time and size. Its errors quote no URL, header or body, so they hold no secret.
"""

from __future__ import annotations

import logging
import math
import ssl
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

import anyio
import httpx

from mcp_cxr.errors import ConfigError
from mcp_cxr.loopback import is_allowed, remote_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping
    from pathlib import Path

Transport: TypeAlias = httpx.AsyncBaseTransport
"""Replaces the network in tests, such as `httpx.MockTransport`."""

_KEEPALIVE_S = 60
_CONNECTIONS = 40
_CLOSE_WITHIN_S = 1


class HttpError(Exception):
    """An exchange failed."""


class HostNotAllowed(HttpError):
    """The URL is on another machine that was not allowed, or is not an http(s) URL; nothing was sent."""


class Unreachable(HttpError):
    """No connection could be made; nothing was sent."""


class UntrustedCertificate(Unreachable):
    """The server's certificate is none that is trusted; nothing was sent."""


class ConnectionBroken(HttpError):
    """The connection ended, or the server broke the protocol, before the reply was complete."""


class TimedOut(HttpError):
    """The reply was not complete in time."""


class BodyTooLarge(HttpError):
    """The reply is larger than the limit; the rest was not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Limits of each exchange."""

    deadline_s: float
    """From the request to the last byte of the reply."""
    max_body_bytes: int
    """Maximum size of the reply's body."""
    connect_s: float = 5
    silence_s: float = math.inf
    """Longest wait for the head of the reply, and for each part of its body."""


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A complete reply, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes

    @property
    def retry_after_s(self) -> float:
        """Seconds of Retry-After; 0 if there is none."""
        return _retry_after_s(self.headers)


class StreamedReply:
    """A reply whose body is read as it arrives, once."""

    def __init__(self, response: httpx.Response, limits: HttpLimits, deadline: float) -> None:
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._limits = limits
        self._deadline = deadline

    @property
    def retry_after_s(self) -> float:
        """Seconds of Retry-After; 0 if there is none."""
        return _retry_after_s(self.headers)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the body in parts.

        Raises:
            HttpError: It is too large, late, cut or compressed.
        """
        if self.headers.get("Content-Encoding", "identity") != "identity":
            raise ConnectionBroken("the reply is compressed, which was not requested")
        parts = self._response.aiter_bytes()
        received = 0
        while True:
            with _bounded(self._limits, self._deadline):
                chunk = await anext(parts, None)
            if chunk is None:
                return
            received += len(chunk)
            if received > self._limits.max_body_bytes:
                raise BodyTooLarge(f"the reply is larger than {self._limits.max_body_bytes} bytes")
            yield chunk

    async def lines(self) -> AsyncGenerator[str]:
        r"""Yield each line of the body without its `\n` or `\r\n`.

        Raises:
            HttpError: As from `chunks`.
            ValueError: A line is not UTF-8.
        """
        line = bytearray()
        async for chunk in self.chunks():
            first, *others = chunk.split(b"\n")
            line += first
            for other in others:
                yield line.removesuffix(b"\r").decode()
                line = bytearray(other)
        if line:
            yield line.decode()

    async def read(self) -> bytes:
        """Return the whole body.

        Raises:
            HttpError: As from `chunks`.
        """
        return b"".join([chunk async for chunk in self.chunks()])


class HttpClient(AbstractAsyncContextManager["HttpClient"]):
    """A client with a pool of connections; any number of tasks may use it at once.

    Args:
        limits: Of each exchange.
        headers: Sent with each request; they may hold a key that `check_service` accepted.
        allowed_hosts: Hosts beyond loopback, as MCP_CXR_ALLOW_REMOTE names them.
        ca_file: Certificates that are trusted besides certifi's and the system's, PEM.
        transport: Replaces the network in tests.
    """

    def __init__(
        self,
        limits: HttpLimits,
        *,
        headers: Mapping[str, str] | None = None,
        allowed_hosts: tuple[str, ...] = (),
        ca_file: Path | None = None,
        transport: Transport | None = None,
    ) -> None:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each URL
        self._limits = limits
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "mcp-cxr", **(headers or {})}
        self._allowed_hosts = allowed_hosts
        self._ca_file = ca_file
        self._transport = transport
        self._clients: dict[str, httpx.AsyncClient] = {}
        self.connections = 0
        """Number of connections opened so far; behind a new one there may be another process than before."""

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            await client.aclose()

    async def request(
        self, method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpReply:
        """Return the complete reply.

        Raises:
            HttpError: There is none.
        """
        async with self.stream(method, url, body=body, headers=headers) as reply:
            return HttpReply(reply.status, reply.headers, await reply.read())

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[StreamedReply]:
        """Return the reply once its head has arrived.

        Raises:
            HttpError: No head arrives.
        """
        deadline = anyio.current_time() + self._limits.deadline_s
        with _bounded(self._limits, deadline):
            self._require_allowed(url)
            client = self._client_for(urlsplit(url).scheme)
            trace = {"trace": self._count_connections}
            request = client.build_request(method, url, content=body, headers=headers, extensions=trace)
            response = await client.send(request, stream=True)
        try:
            yield StreamedReply(response, self._limits, deadline)
        finally:
            with anyio.move_on_after(_CLOSE_WITHIN_S, shield=True):
                await response.aclose()

    def _require_allowed(self, url: str) -> None:
        try:
            name = remote_name(url)
        except ValueError as exc:
            raise HostNotAllowed(str(exc)) from None
        if name and not is_allowed(name, self._allowed_hosts):
            raise HostNotAllowed(f"{name} is not in MCP_CXR_ALLOW_REMOTE")

    def _client_for(self, scheme: str) -> httpx.AsyncClient:
        if scheme not in self._clients:
            self._clients[scheme] = httpx.AsyncClient(
                headers=self._headers,
                timeout=httpx.Timeout(None, connect=self._limits.connect_s),
                limits=httpx.Limits(
                    max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS, keepalive_expiry=_KEEPALIVE_S
                ),
                verify=_tls_context(self._ca_file) if scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
                trust_env=False,
                follow_redirects=False,
                transport=self._transport,
            )
        return self._clients[scheme]

    async def _count_connections(self, event: str, _info: object) -> None:
        """Receive the events of httpcore."""
        if event == "connection.connect_tcp.complete":
            self.connections += 1


def check_service(
    url: str,
    key: str | None,
    *,
    url_variable: str,
    key_variable: str,
    example: str,
    data: str,
    allowed_hosts: tuple[str, ...],
) -> None:
    """Refuse a service's address or key that cannot or must not be used; no message quotes them.

    Args:
        url: Base URL.
        key: Sent in a header.
        url_variable: Variable that set `url`.
        key_variable: Variable that set `key`.
        example: A base URL as it may be.
        data: What is sent to the service.
        allowed_hosts: As in MCP_CXR_ALLOW_REMOTE.

    Raises:
        ConfigError: They cannot be used, or the host is on another machine and not allowed.
    """
    try:
        name, is_plain = remote_name(url), not (urlsplit(url).query or urlsplit(url).fragment)
    except ValueError:
        name, is_plain = None, False
    if not is_plain:
        raise ConfigError(
            f"{url_variable} must be a URL that starts with http:// or https://, without user name or key, such as "
            f"{example}; put a key into {key_variable}."
        )
    if name and not is_allowed(name, allowed_hosts):
        raise ConfigError(
            f"{url_variable} points to another machine ({urlsplit(url).hostname}). Use an SSH tunnel to localhost, or "
            f"set MCP_CXR_ALLOW_REMOTE={name} to allow sending {data} there."
        )
    if key is not None and not (key.isascii() and key.isprintable()):  # httpx would quote it in an error
        raise ConfigError(f"{key_variable} holds a line break or a character that is not ASCII; set it again.")


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """Return the seconds of Retry-After, RFC 9110 10.2.3; 0 if there are none, or a date, which is rare."""
    try:
        seconds = float(headers.get("Retry-After", 0))
    except ValueError:
        return 0
    return max(seconds, 0) if math.isfinite(seconds) else 0


@cache
def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that trusts certifi's list, the system's store, and a hospital's own authority.

    Loading all takes 0.1 to 0.4 s.

    Raises:
        ConfigError: The file is missing, or holds no certificate.
    """
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError):
            raise ConfigError(f"{ca_file} cannot be read as certificates; name a PEM file that you can read.") from None
    return context


@contextmanager
def _bounded(limits: HttpLimits, deadline: float) -> Generator[None]:
    """Limit the time, and raise `HttpError` for httpx's errors.

    Their causes are left out: h11 quotes the reply, which may quote the request.
    """
    try:
        with anyio.fail_after(min(limits.silence_s, deadline - anyio.current_time())):
            yield
    except httpx.ConnectTimeout:
        raise Unreachable("no answer to the connection attempt") from None
    except httpx.ConnectError as exc:
        if _is_of_certificate(exc):
            raise UntrustedCertificate("its certificate is not trusted") from None
        raise Unreachable("connection refused, or no such host") from None
    except (httpx.TimeoutException, TimeoutError):
        raise TimedOut("no complete answer in time") from None
    except (httpx.RequestError, httpx.InvalidURL):
        raise ConnectionBroken("the connection broke off") from None


def _is_of_certificate(exc: BaseException | None) -> bool:
    """Whether an error was caused by a certificate."""
    while exc is not None and not isinstance(exc, ssl.SSLCertVerificationError):
        exc = exc.__cause__ or exc.__context__
    return exc is not None
