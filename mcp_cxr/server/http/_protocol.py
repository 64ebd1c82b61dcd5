"""Connections that send no request are closed: each would hold a descriptor for as long as it liked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

REQUEST_WITHIN_S: Final = 15.0  # longer than clients keep an idle connection to use it again; httpx: 5 s


class PromptProtocol(H11Protocol):
    """Waits a while for the head of each request, slowly as it may come, and then no longer.

    uvicorn itself limits only the silence between two requests.
    """

    request_within_s = REQUEST_WITHIN_S
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn does
        """Wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def handle_events(self) -> None:
        """Stop waiting once a request is being answered."""
        super().handle_events()
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        super().connection_lost(exc)
        self._watch()

    def _watch(self) -> None:
        """Have the time run exactly while there is nothing to answer."""
        answering = bool(self.cycle) and not self.cycle.response_complete
        if self._late and (answering or self.transport.is_closing()):
            self._late.cancel()
            self._late = None
        elif not (self._late or answering or self.transport.is_closing()):
            self._late = self.loop.call_later(self.request_within_s, self.transport.close)
