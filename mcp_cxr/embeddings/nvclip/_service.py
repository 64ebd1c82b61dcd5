"""Asking the service until it answers, refuses, or patience ends.

What became of a request, and what is made of it:

=====================================  ============================================================================
200 with what was asked                the answer
200 with anything else                 tried again once, then `RequestRefused`
400, 413, 422                          `RequestRefused`: something in this batch is not taken; the caller divides it
301-308, 401, 402, 403, 404, 410, ...  `EmbeddingRejected`: nothing but another configuration will help
408, 429, 5xx, a reply that breaks off tried again, 4 times within the deadline, then `EmbeddingUnavailable`
no connection                          `EmbeddingUnavailable`; pictures are tried again first, questions are not
=====================================  ============================================================================
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import anyio

from mcp_cxr.embeddings.nvclip._dialects import BadReply
from mcp_cxr.embeddings.nvclip._http import Broken, TimedOut, Unreachable, Wire
from mcp_cxr.embeddings.nvclip._limiter import AdaptiveLimiter
from mcp_cxr.errors import EmbeddingRejected, EmbeddingUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_cxr.embeddings.nvclip._config import NvclipConfig, RequestPolicy
    from mcp_cxr.embeddings.nvclip._dialects import Request
    from mcp_cxr.embeddings.nvclip._http import Reply, Transport

T = TypeVar("T")

_log = logging.getLogger(__name__)

_OK = 200
_DIVISIBLE = {400: "not taken by", 413: "too large for", 422: "not taken by"}
_OVERLOADED = {408, 429, 503, 504}
_SERVER_FAULT = 500
_REDIRECT = range(300, 400)
_WAY_OUT = {
    401: "wants a key, or another one; check NVIDIA_API_KEY",
    402: "wants payment; see the account behind NVIDIA_API_KEY",
    403: "refuses the key; check NVIDIA_API_KEY",
    404: "knows no such address or model; check NVCLIP_BASE_URL, NVCLIP_DIALECT and NVCLIP_MODEL",
    405: "is asked in another way; check NVCLIP_BASE_URL and NVCLIP_DIALECT",
    410: "has been retired; check NVCLIP_BASE_URL",
}


class RequestRefused(Exception):
    """The service does not take this batch, or has no usable vectors for it.

    Args:
        what: What the service did, as the rest of a sentence about it.
        reason: Why a single input has no vector, should it be that input's fault.
    """

    def __init__(self, what: str, *, reason: str) -> None:
        super().__init__(what)
        self.reason = reason


class _TransientFailure(Exception):
    """It failed, and may not the next time."""

    def __init__(
        self, what: str, *, overloaded: bool = False, unusable: bool = False, retry_after_s: float = 0
    ) -> None:
        super().__init__(what)
        self.overloaded = overloaded
        self.unusable = unusable
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class RequestGroup:
    """Requests that share a pace and a patience. Questions have their own: they never queue behind an ingest."""

    deadline_s: float
    waits_for_connection: bool
    """Whether a failed connect is tried again, or told at once, so that a question goes to words."""
    limiter: AdaptiveLimiter = field(default_factory=AdaptiveLimiter)


class Service:
    """The service behind one address.

    Args:
        config: Where it is.
        patience: How long it may take.
        transport: In place of the network, for tests.
    """

    def __init__(self, config: NvclipConfig, policy: RequestPolicy, transport: Transport | None) -> None:
        self._url = config.base_url
        self._policy = policy
        self._wire = Wire(config, policy, transport)
        self._down_until = 0.0
        self.disconnects = 0
        """How often it was lost from sight; what answers afterwards may be another service."""
        self.pictures = RequestGroup(policy.images_deadline_s, waits_for_connection=True)
        self.questions = RequestGroup(policy.texts_deadline_s, waits_for_connection=False)

    @property
    def connections(self) -> int:
        """How many connections were made so far."""
        return self._wire.connections

    async def aclose(self) -> None:
        """Close every connection."""
        await self._wire.aclose()

    def check_up(self) -> None:
        """Fail at once while the service counts as down.

        Raises:
            EmbeddingUnavailable: A connection failed a moment ago.
        """
        if anyio.current_time() < self._down_until:
            raise self._unavailable("could not be reached a moment ago")

    async def ask(self, group: RequestGroup, request: Callable[[], Request], read: Callable[[bytes], T]) -> T:
        """Return what `read` makes of the answer.

        Args:
            lane: Whose pace and patience apply.
            request: Makes what to send, when its turn comes: many may wait.
            read: May raise `BadReply`.

        Raises:
            Refused: For the caller to divide the batch.
            EmbeddingUnavailable: Not in time, not often enough, or no connection.
            EmbeddingRejected: The service wants something else.
        """
        with anyio.CancelScope() as scope:
            return await self._request_with_retries(group, request, read, scope)
        self._record_disconnect(down=True)
        raise self._unavailable(f"gave no answer within {group.deadline_s:g} s")

    async def is_ready(self, request: Request) -> bool:
        """Whether `request` is answered with 200, asked once.

        Raises:
            EmbeddingUnavailable: It is not answered.
            EmbeddingRejected: It is answered with a status that will not pass.
        """
        with anyio.move_on_after(self._policy.texts_deadline_s):
            try:
                reply = await self._wire.exchange(request.url, None)
                self._down_until = 0.0
                return self._interpret(reply, lambda _: True)
            except Unreachable as exc:
                raise self._unavailable(f"cannot be reached ({exc})") from None
            except (Broken, TimedOut):
                raise self._unavailable("gave no answer") from None
            except (_TransientFailure, RequestRefused):
                return False
        raise self._unavailable("gave no answer in time")

    async def _request_with_retries(
        self, group: RequestGroup, request: Callable[[], Request], read: Callable[[bytes], T], scope: anyio.CancelScope
    ) -> T:
        """Try, wait and try again; the deadline runs from the first turn on."""
        fault = _TransientFailure("was not asked")
        for attempt in range(self._policy.retries + 1):
            async with group.limiter.slot() as begun:
                scope.deadline = min(scope.deadline, anyio.current_time() + group.deadline_s)
                try:
                    answer = await self._try_once(group, request, read)
                except _TransientFailure as exc:
                    fault = exc
                    if exc.overloaded:
                        group.limiter.record_overload(begun)
                    if exc.unusable and attempt:
                        raise RequestRefused(
                            str(exc), reason="without a usable vector from the embedding service"
                        ) from None
                else:
                    group.limiter.record_success()
                    return answer
            wait_s = max(fault.retry_after_s, random.uniform(0, self._policy.backoff_s * 2**attempt))  # noqa: S311  # no secret
            if attempt == self._policy.retries or anyio.current_time() + wait_s > scope.deadline:
                break
            _log.info("The embedding service %s; it is asked again in %.1f s", fault, wait_s)
            await anyio.sleep(wait_s)
        raise self._unavailable(str(fault))

    async def _try_once(self, group: RequestGroup, request: Callable[[], Request], read: Callable[[bytes], T]) -> T:
        if not group.waits_for_connection:
            self.check_up()
        sent = request()
        try:
            reply = await self._wire.exchange(sent.url, sent.body)
        except Unreachable as exc:
            self._record_disconnect(down=True)
            if group.waits_for_connection:
                raise _TransientFailure(f"cannot be reached ({exc})") from None
            raise self._unavailable(f"cannot be reached ({exc})") from None
        except TimedOut:
            raise _TransientFailure("gave no answer in time", overloaded=True) from None
        except Broken:
            self._record_disconnect()
            raise _TransientFailure("broke off") from None
        self._down_until = 0.0
        return self._interpret(reply, read)

    def _interpret(self, reply: Reply, read: Callable[[bytes], T]) -> T:
        """Sort by status; what stands in the body of an error may quote the request, and is never read."""
        status = reply.status
        if status == _OK:
            try:
                return read(reply.body)
            except BadReply as exc:
                raise _TransientFailure(f"answers with {exc}", unusable=True) from None
        if status in _DIVISIBLE:
            raise RequestRefused(f"answers {status}", reason=f"{_DIVISIBLE[status]} the embedding service ({status})")
        if status in _OVERLOADED or status >= _SERVER_FAULT:
            raise _TransientFailure(
                f"answers {status}", overloaded=status in _OVERLOADED, retry_after_s=reply.retry_after_s
            )
        raise EmbeddingRejected(f"The embedding service at {self._url} {_advice(status)}.")

    def _record_disconnect(self, *, down: bool = False) -> None:
        self.disconnects += 1
        if down:
            self._down_until = anyio.current_time() + self._policy.down_s

    def _unavailable(self, what: str) -> EmbeddingUnavailable:
        return EmbeddingUnavailable(
            f"The embedding service at {self._url} {what}; check that its container runs, the tunnel to it, and "
            "NVCLIP_BASE_URL."
        )


def _advice(status: int) -> str:
    """What the service means by a status that will not pass, and what to do."""
    if status in _REDIRECT:
        return f"answers {status}: it sends us elsewhere, and no other host is asked; check NVCLIP_BASE_URL"
    return (
        f"answers {status}: it {_WAY_OUT.get(status, 'wants something else; check NVCLIP_BASE_URL and NVCLIP_DIALECT')}"
    )
