"""Logs refused requests: one line a minute, however many there are."""

from __future__ import annotations

import logging
import time
from collections import Counter
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_INTERVAL_S: Final = 60.0
_BEFORE_THE_APP = {
    "Invalid HTTP request received.": HTTPStatus.BAD_REQUEST,
    "Exceeded concurrency limit.": HTTPStatus.SERVICE_UNAVAILABLE,
}
"""What uvicorn logs when it refuses a request itself."""
_LOGGERS = (
    "uvicorn.error",
    "mcp.server.auth.middleware.bearer_auth",
    "mcp.server.request_state",
    "mcp.server.runner",
    "mcp.server.streamable_http_manager",
    "mcp.server.transport_security",
)
"""Loggers of libraries that warn of each request they refuse, and may quote it."""
_log = logging.getLogger(__name__)


class RefusalLog:
    """ASGI app in front of all others that counts refusals by status; `write` logs them.

    Args:
        app: Called for each request.
        clock: Returns seconds.
    """

    def __init__(self, app: ASGIApp, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._counts: Counter[int] = Counter()
        self._written_at = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= HTTPStatus.BAD_REQUEST:
                self._counts[message["status"]] += 1
            await send(message)

        await self._app(scope, receive, count)

    @contextmanager
    def replacing_warnings(self) -> Generator[None]:
        """Drop the libraries' warnings about single requests meanwhile; those that no app sees are counted here."""
        loggers = [logging.getLogger(name) for name in _LOGGERS]
        for logger in loggers:
            logger.addFilter(self._passes)
        yield
        for logger in loggers:
            logger.removeFilter(self._passes)

    def write(self) -> None:
        """Log what was refused since the last line, at most once a minute; to be called every second or so."""
        if not self._counts or self._clock() - self._written_at < _INTERVAL_S:
            return
        self._written_at = self._clock()
        counts = ", ".join(f"{number} x {_name(status)}" for status, number in sorted(self._counts.items()))
        _log.warning("Refused requests: %s. The next such line follows in a minute or later.", counts)
        self._counts.clear()

    def _passes(self, record: logging.LogRecord) -> bool:
        if status := _BEFORE_THE_APP.get(record.getMessage()):
            self._counts[status] += 1
        return record.levelno > logging.WARNING


def _name(status: int) -> str:
    """Return a status with its name: `401 Unauthorized`."""
    return f"{status} {HTTPStatus(status).phrase}"
