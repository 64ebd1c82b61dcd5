"""Sends requests to the service, with retries and a deadline.

=====================================  ============================================================================
outcome of an attempt                  what follows
=====================================  ============================================================================
200 with a usable body                 the result
200 with anything else                 one retry, then `RequestRefused`
400, 413, 422                          `RequestRefused`: the service does not accept this batch; the caller splits it
301-308, 401, 402, 403, 404, 410, ...  `EmbeddingRejected`: only another configuration helps
408, 429, 5xx, a broken connection     up to 4 retries within the deadline, then `EmbeddingUnavailable`
no connection                          images: as above; texts: `EmbeddingUnavailable` at once
=====================================  ============================================================================
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import anyio

from mcp_cxr.embeddings.nvclip._dialects import BadReply
from mcp_cxr.embeddings.nvclip._limiter import AdaptiveLimiter
from mcp_cxr.errors import EmbeddingRejected, EmbeddingUnavailable
from mcp_cxr.http_client import BodyTooLarge, HttpClient, HttpError, HttpLimits, TimedOut, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_cxr.embeddings.nvclip._config import NvclipConfig, RequestPolicy
    from mcp_cxr.embeddings.nvclip._dialects import Request
    from mcp_cxr.http_client import HttpReply, Transport

T = TypeVar("T")

_log = logging.getLogger(__name__)

_MAX_REPLY_BYTES = 64 << 20  # 64 vectors of 4,096 numbers in decimals are 6 MB
_OK = 200
_SPLITTABLE = {400: "not accepted by", 413: "too large for", 422: "not accepted by"}
_OVERLOADED = {408, 429, 503, 504}
_SERVER_ERROR = 500
_REDIRECT = range(300, 400)
_ADVICE = {
    401: "requires another key; check NVIDIA_API_KEY",
    402: "requires payment; check the account of NVIDIA_API_KEY",
    403: "refuses the key; check NVIDIA_API_KEY",
    404: "has no such address or model; check NVCLIP_BASE_URL, NVCLIP_DIALECT and NVCLIP_MODEL",
    405: "does not accept the method; check NVCLIP_BASE_URL and NVCLIP_DIALECT",
    410: "has been retired; check NVCLIP_BASE_URL",
}


class RequestRefused(Exception):
    """The service does not accept this batch, or returns no usable vectors for it.

    Args:
        what: What the service did, as a verb phrase.
        reason: Why an input has no vector, if the batch is that input alone.
    """

    def __init__(self, what: str, *, reason: str) -> None:
        super().__init__(what)
        self.reason = reason


class _TransientFailure(Exception):
    """An attempt failed, and the next one may succeed; the message is a verb phrase about the service."""

    def __init__(
        self, what: str, *, overloaded: bool = False, unusable: bool = False, retry_after_s: float = 0
    ) -> None:
        super().__init__(what)
        self.overloaded = overloaded
        self.unusable = unusable
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class RequestGroup:
    """Requests that share a limit and a deadline. Texts have their own: a query never queues behind an ingest."""

    deadline_s: float
    retries_connect: bool
    """Whether a failed connect is retried. If not, it fails at once and the query is matched by words."""
    limiter: AdaptiveLimiter = field(default_factory=AdaptiveLimiter)


class Service:
    """The service at one address.

    Args:
        config: Its address and key.
        policy: Timeouts and retries.
        transport: Replaces the network in tests.
    """

    def __init__(self, config: NvclipConfig, policy: RequestPolicy, transport: Transport | None) -> None:
        self._url = config.base_url
        self._policy = policy
        self._client = HttpClient(
            HttpLimits(connect_s=policy.connect_s, deadline_s=policy.attempt_s, max_body_bytes=_MAX_REPLY_BYTES),
            headers={"Authorization": f"Bearer {config.api_key}"} if config.api_key else None,
            allowed_hosts=config.allow_remote,
            transport=transport,
        )
        self._down_until = 0.0
        self.disconnects = 0
        """How often the connection was lost; another service may answer afterwards."""
        self.images = RequestGroup(policy.images_deadline_s, retries_connect=True)
        self.texts = RequestGroup(policy.texts_deadline_s, retries_connect=False)

    @property
    def connections(self) -> int:
        """How many connections were opened so far."""
        return self._client.connections

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    def check_up(self) -> None:
        """Fail at once while the service counts as down.

        Raises:
            EmbeddingUnavailable: A connection failed within the last `down_s` seconds.
        """
        if anyio.current_time() < self._down_until:
            raise self._unavailable("could not be reached a moment ago")

    async def request(self, group: RequestGroup, request: Callable[[], Request], read: Callable[[bytes], T]) -> T:
        """Return what `read` makes of the reply's body.

        Args:
            group: Its limit and deadline apply.
            request: Encodes the request, once its slot is free: many may wait.
            read: May raise `BadReply`.

        Raises:
            RequestRefused: The caller may split the batch.
            EmbeddingUnavailable: No connection, or the deadline or the retries ran out.
            EmbeddingRejected: The service needs another configuration.
        """
        with anyio.CancelScope() as scope:
            return await self._request_with_retries(group, request, read, scope)
        self._record_disconnect(down=True)
        raise self._unavailable(f"gave no answer within {group.deadline_s:g} s")

    async def is_ready(self, request: Request) -> bool:
        """Return whether `request` is answered with 200, without retries.

        Raises:
            EmbeddingUnavailable: There is no answer.
            EmbeddingRejected: The status says that another configuration is needed.
        """
        with anyio.move_on_after(self._policy.texts_deadline_s):
            try:
                reply = await self._client.request("GET", request.url)
                self._down_until = 0.0
                return self._interpret(reply, lambda _: True)
            except Unreachable as exc:
                raise self._unavailable(f"cannot be reached ({exc})") from None
            except HttpError:
                raise self._unavailable("gave no answer") from None
            except (_TransientFailure, RequestRefused):
                return False
        raise self._unavailable("gave no answer in time")

    async def _request_with_retries(
        self, group: RequestGroup, request: Callable[[], Request], read: Callable[[bytes], T], scope: anyio.CancelScope
    ) -> T:
        """Try until an attempt succeeds; the deadline of `scope` starts with the first slot."""
        failure = _TransientFailure("was not called")
        for attempt in range(self._policy.retries + 1):
            async with group.limiter.slot() as begun:
                scope.deadline = min(scope.deadline, anyio.current_time() + group.deadline_s)
                try:
                    result = await self._try_once(group, request, read)
                except _TransientFailure as exc:
                    failure = exc
                    if exc.overloaded:
                        group.limiter.record_overload(begun)
                    if exc.unusable and attempt:
                        raise RequestRefused(
                            str(exc), reason="without a usable vector from the embedding service"
                        ) from None
                else:
                    group.limiter.record_success()
                    return result
            wait_s = max(failure.retry_after_s, random.uniform(0, self._policy.backoff_s * 2**attempt))  # noqa: S311  # no secret
            if attempt == self._policy.retries or anyio.current_time() + wait_s > scope.deadline:
                break
            _log.info("The embedding service %s; retrying in %.1f s", failure, wait_s)
            await anyio.sleep(wait_s)
        raise self._unavailable(str(failure))

    async def _try_once(self, group: RequestGroup, request: Callable[[], Request], read: Callable[[bytes], T]) -> T:
        if not group.retries_connect:
            self.check_up()
        try:
            reply = await self._send(request())
        except Unreachable as exc:
            self._record_disconnect(down=True)
            if group.retries_connect:
                raise _TransientFailure(f"cannot be reached ({exc})") from None
            raise self._unavailable(f"cannot be reached ({exc})") from None
        except TimedOut:
            raise _TransientFailure("gave no answer in time", overloaded=True) from None
        except BodyTooLarge as exc:
            raise _TransientFailure(f"is not usable: {exc}", unusable=True) from None
        except HttpError:
            self._record_disconnect()
            raise _TransientFailure("closed the connection before its answer was complete") from None
        self._down_until = 0.0
        return self._interpret(reply, read)

    async def _send(self, request: Request) -> HttpReply:
        if request.body is None:
            return await self._client.request("GET", request.url)
        return await self._client.request(
            "POST", request.url, body=request.body, headers={"Content-Type": "application/json"}
        )

    def _interpret(self, reply: HttpReply, read: Callable[[bytes], T]) -> T:
        """Decide by status. The body of an error is never read: it may quote the request."""
        status = reply.status
        if status == _OK:
            try:
                return read(reply.body)
            except BadReply as exc:
                raise _TransientFailure(f"returns {exc}", unusable=True) from None
        if status in _SPLITTABLE:
            raise RequestRefused(f"answers {status}", reason=f"{_SPLITTABLE[status]} the embedding service ({status})")
        if status in _OVERLOADED or status >= _SERVER_ERROR:
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
    """Return what a permanent status means and what to do, as a verb phrase about the service."""
    if status in _REDIRECT:
        return f"answers {status}, a redirect, which is not followed; check NVCLIP_BASE_URL"
    advice = _ADVICE.get(status, "does not accept the request; check NVCLIP_BASE_URL and NVCLIP_DIALECT")
    return f"answers {status}: it {advice}"
