"""Serves MCP over HTTP with uvicorn, and shuts down in order."""

from __future__ import annotations

import signal
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

import anyio
import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from sse_starlette.sse import AppStatus

from mcp_cxr.errors import ConfigError
from mcp_cxr.server.http._authentication import authentication_of
from mcp_cxr.server.http._config import PATH
from mcp_cxr.server.http._refusal_log import RefusalLog
from mcp_cxr.server.http._request_limits import IDLE_TIMEOUT_S, RequestLimits
from mcp_cxr.server.http._sessions import SessionLimits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp.server import MCPServer
    from starlette.types import ASGIApp

    from mcp_cxr.server.http._config import HttpConfig

MAX_BODY = 256 * 1024
"""Bytes of a request; the largest call of a tool needs a tenth of it."""
_MAX_CONNECTIONS = 512  # half of the descriptors that many systems give a process
_SHUTDOWN_TIMEOUT_S = 10


def serve_http(
    config: HttpConfig, *, token_file: Path, build: Callable[..., MCPServer[Any]], note: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or Ctrl-C; calls under way are then answered first, within ten seconds.

    Args:
        config: Address, certificate and issuer.
        token_file: Created on the first start; its token is shown then, and never again.
        build: Builds the MCP server with an `authentication`.
        note: Prints a line for the person who starts it.

    Raises:
        ConfigError: The address, the certificate or the token cannot be used.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)  # uvicorn shuts down, then raises the signal once more
    with _listen(config) as listener:
        port = listener.getsockname()[1]
        url = config.url(port)
        authentication = authentication_of(config, url=url, token_file=token_file)
        server = http_server(build(authentication=authentication), config, port)
        if authentication.created_token:
            note(f"Created a token and saved it in {token_file}. It is not shown again: {authentication.created_token}")
        note(f"Serving {url}; Ctrl-C ends it.")
        anyio.run(server.serve, [listener])


def http_server(
    server: MCPServer[Any], config: HttpConfig, port: int, *, clock: Callable[[], float] = time.monotonic
) -> LimitedServer:
    """Return a web server for the MCP server on `port`; `clock` returns the seconds that sessions and the log count.

    Raises:
        ConfigError: The certificate cannot be used.
    """
    limits = RequestLimits(_app(server, config, port))
    behind_authentication = server.session_manager.asgi_app
    behind_authentication.app = sessions = SessionLimits(behind_authentication.app, clock=clock)
    refusals = RefusalLog(limits, clock=clock)
    return LimitedServer(_uvicorn_config(config, refusals), limits, sessions, refusals)


class LimitedServer(uvicorn.Server):
    """Closes idle connections and sessions; at shutdown ends streams that clients keep open, and waits for the calls.

    Args:
        config: Of uvicorn, with the app.
        limits: Of requests.
        sessions: Of the SDK.
        refusals: Written once a second, if there is something to write.
    """

    def __init__(
        self, config: uvicorn.Config, limits: RequestLimits, sessions: SessionLimits, refusals: RefusalLog
    ) -> None:
        super().__init__(config)
        self._limits = limits
        self._sessions = sessions
        self._refusals = refusals
        config.callback_notify = self._each_second
        AppStatus.disable_automatic_graceful_drain()  # which would cut off the answers to calls

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        with self._refusals.replacing_warnings():
            await super().serve(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._limits.end_streams()
        await super().shutdown(sockets)

    async def _each_second(self) -> None:
        # `server_state` is undocumented, but uvicorn has no setting that covers a connection that never sends.
        self._limits.close_idle(list(self.server_state.connections))
        await self._sessions.end_idle()
        self._refusals.write()


def _end(_number: int, _frame: object) -> None:
    raise SystemExit(0)


def _app(server: MCPServer[Any], config: HttpConfig, port: int) -> ASGIApp:
    """Return the SDK's app; `SessionLimits` ends its sessions."""
    security = TransportSecuritySettings(allowed_hosts=config.names(port), allowed_origins=config.origins(port))
    return server.streamable_http_app(
        streamable_http_path=PATH,
        max_request_body_size=MAX_BODY,
        max_sessions=None,
        session_idle_timeout=None,
        transport_security=security,
        host=config.host,
    )


def _listen(config: HttpConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port), family=family)
    except OSError as exc:
        reason = exc.strerror or "no such host"
        raise ConfigError(
            f"Cannot listen on {config.host}, port {config.port} ({reason}); use another --host or --port."
        ) from exc


def _uvicorn_config(config: HttpConfig, app: ASGIApp) -> uvicorn.Config:
    """Return uvicorn's configuration, with the certificate loaded."""
    made = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,  # its own writes to stdout
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=int(IDLE_TIMEOUT_S),
        timeout_notify=0,  # idle connections are looked for once a second, as often as uvicorn can
        reset_contextvars=True,  # who asks is in one: not to be inherited by the next request
        timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT_S,
        ssl_certfile=config.tls_cert,
        ssl_keyfile=config.tls_key,
    )
    try:
        made.load()
    except (OSError, ssl.SSLError) as exc:
        reason = exc.strerror or type(exc).__name__
        raise ConfigError(
            f"Cannot use --tls-cert {config.tls_cert} with --tls-key {config.tls_key} ({reason}): one of "
            "the files is not a valid PEM file, or the key does not match."
        ) from exc
    return made
