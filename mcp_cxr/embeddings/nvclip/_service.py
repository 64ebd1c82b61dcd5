"""Configuration of the service, and requests to it with retries, a deadline and a limit.

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
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import anyio

from mcp_cxr.embeddings._check_vectors import BadReply
from mcp_cxr.errors import ConfigError, EmbeddingRejected, EmbeddingUnavailable
from mcp_cxr.http_client import BodyTooLarge, HttpClient, HttpError, HttpLimits, TimedOut, Unreachable, check_service

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Hashable, Sequence

    from mcp_cxr.embeddings.nvclip._dialects import Request
    from mcp_cxr.http_client import HttpReply, Transport

T = TypeVar("T")
Input = TypeVar("Input", str, bytes)

_log = logging.getLogger(__name__)

_MAX_REPLY_BYTES = 64 << 20  # 64 vectors of 4,096 numbers in decimals are 6 MB
OK = 200
_SPLITTABLE = {400: "not accepted by", 413: "too large for", 422: "not accepted by"}
_OVERLOADED = {408, 429, 503, 504}
_NOT_FOUND = 404
_SERVER_ERROR = 500
_ADVICE = {
    **dict.fromkeys(range(300, 400), ", a redirect, which is not followed; check NVCLIP_BASE_URL"),
    401: ": it requires another key; check NVIDIA_API_KEY",
    402: ": it requires payment; check the account of NVIDIA_API_KEY",
    403: ": it refuses the key; check NVIDIA_API_KEY",
    405: ": it does not accept the method; check NVCLIP_BASE_URL and NVCLIP_DIALECT",
    410: ": it has been retired; check NVCLIP_BASE_URL",
}
_OTHER_ADVICE = ": it does not accept the request; check NVCLIP_BASE_URL and NVCLIP_DIALECT"
_INITIAL_LIMIT = 4
_MAX_LIMIT = 16
_STREAK = 16  # successes before the limit grows by one


@dataclass(frozen=True, slots=True, kw_only=True)
class NvclipConfig:
    """Address, model and dialect of the service.

    Raises:
        ConfigError: A value is unusable, or the address is on another machine that was not allowed.
    """

    base_url: str
    """Address up to the part before `/embeddings`, such as `http://localhost:8002/v1`."""
    model: str
    dialect: Literal["nim", "infinity", "vllm"]
    image_size: int
    """Rows and columns of the renderings sent: the model's own size, so that the service resizes nothing."""
    preprocessing: str
    """Version of the preprocessing from file to rendering; part of the fingerprint."""
    api_key: str | None = field(default=None, repr=False)
    """Sent as bearer token."""
    allow_remote: tuple[str, ...] = ()
    """Exact `host:port` (https) or `http://host:port` beyond loopback that pixels and texts may be sent to."""

    def __post_init__(self) -> None:
        check_service(
            self.base_url,
            self.api_key,
            url_variable="NVCLIP_BASE_URL",
            key_variable="NVIDIA_API_KEY",
            example="http://localhost:8002/v1",
            data="pixels and texts",
            allowed_hosts=self.allow_remote,
        )
        if not self.model.strip():
            raise ConfigError("NVCLIP_MODEL is empty; set the model that the service serves.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPolicy:
    """Timeouts in seconds, and retries."""

    connect_s: float = 3
    attempt_s: float = 60
    """Time limit of one attempt: from the request to the last byte of the reply."""
    images_deadline_s: float = 120
    """Time limit of one batch of images with its retries, from when its first attempt may start."""
    texts_deadline_s: float = 20
    """The same limit for texts and for the service's identity: a person waits for these."""
    retries: int = 4
    backoff_s: float = 0.5
    """The first wait is drawn from 0 to this; each further one from twice the range (full jitter)."""
    down_s: float = 5
    """How long calls fail at once after a failed connect or a missed deadline: a query is then matched by words."""


class RequestRefused(Exception):
    """The service does not accept this batch, or returns no usable vectors for it.

    Args:
        what: What the service did, as a verb phrase.
        reason: Why an input has no vector, if the batch is that input alone.
        status: Of its answer; 200 if the vectors are not usable.
    """

    def __init__(self, what: str, *, reason: str, status: int) -> None:
        super().__init__(what)
        self.reason = reason
        self.status = status


class RejectedByStatus(EmbeddingRejected):
    """Only another configuration helps.

    Args:
        message: For people.
        status: Of the service's answer.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class _TransientFailure(Exception):
    """An attempt failed, and the next one may succeed; the message is a verb phrase about the service."""

    def __init__(
        self, what: str, *, overloaded: bool = False, unusable: bool = False, retry_after_s: float = 0
    ) -> None:
        super().__init__(what)
        self.overloaded = overloaded
        self.unusable = unusable
        self.retry_after_s = retry_after_s


class AdaptiveLimiter:
    """A limit of concurrent requests: additive increase, multiplicative decrease, as TCP's congestion window.

    From 1 to 16; it grows by one after 16 successes in a row and is halved on overload.
    """

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(_INITIAL_LIMIT)
        self._streak = 0
        self._round = 0

    @property
    def limit(self) -> int:
        """How many requests may run now."""
        return int(self._limiter.total_tokens)

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[int]:
        """Wait for a free slot; yield the current round, for `record_overload`."""
        async with self._limiter:
            yield self._round

    def record_success(self) -> None:
        """Count one success."""
        self._streak += 1
        if self._streak >= _STREAK:
            self._streak = 0
            self._limiter.total_tokens = min(self.limit + 1, _MAX_LIMIT)

    def record_overload(self, begun: int) -> None:
        """Halve the limit, once for all requests that began in round `begun`: they met the same overload."""
        if begun == self._round:
            self._round += 1
            self._streak = 0
            self._limiter.total_tokens = max(self.limit // 2, 1)


@dataclass(frozen=True, slots=True)
class InputKind(Generic[Input]):
    """What differs between images and texts. Each has its own limit: a query never queues behind an ingest."""

    encode: Callable[[Sequence[Input]], Request]
    key: Callable[[Input], Hashable]
    """Inputs with different keys cannot share a vector."""
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
        not_found: What follows "answers 404" in a message, as the dialect explains it.
    """

    def __init__(
        self, config: NvclipConfig, policy: RequestPolicy, transport: Transport | None, *, not_found: str
    ) -> None:
        self._url = config.base_url
        self._policy = policy
        self._advice = {**_ADVICE, _NOT_FOUND: not_found}
        self.client = HttpClient(
            HttpLimits(connect_s=policy.connect_s, deadline_s=policy.attempt_s, max_body_bytes=_MAX_REPLY_BYTES),
            headers={"Authorization": f"Bearer {config.api_key}"} if config.api_key else None,
            allowed_hosts=config.allow_remote,
            transport=transport,
        )
        self._down_until = 0.0
        self.disconnects = 0
        """How often the connection was lost; another service may answer afterwards."""

    def check_up(self) -> None:
        """Fail at once while the service counts as down.

        Raises:
            EmbeddingUnavailable: A connection failed within the last `down_s` seconds.
        """
        if anyio.current_time() < self._down_until:
            raise self._unavailable("could not be reached a moment ago")

    async def request(self, kind: InputKind[Any], request: Callable[[], Request], read: Callable[[bytes], T]) -> T:
        """Return what `read` makes of the reply's body.

        Args:
            kind: Its limit and deadline apply.
            request: Encodes the request, once its slot is free: many may wait.
            read: May raise `BadReply`.

        Raises:
            RequestRefused: The caller may split the batch.
            EmbeddingUnavailable: No connection, or the deadline or the retries ran out.
            EmbeddingRejected: The service needs another configuration.
        """
        with anyio.CancelScope() as scope:
            return await self._request_with_retries(kind, request, read, scope)
        self._record_disconnect(down=True)
        raise self._unavailable(f"gave no answer within {kind.deadline_s:g} s")

    async def is_ready(self, request: Request) -> bool:
        """Return whether `request` is answered with 200, without retries.

        Raises:
            EmbeddingUnavailable: There is no answer.
            EmbeddingRejected: The status says that another configuration is needed.
        """
        try:
            with anyio.fail_after(self._policy.texts_deadline_s):
                reply = await self.client.request("GET", request.url)
            self._down_until = 0.0
            return self._interpret(reply, lambda _: True)
        except Unreachable as exc:
            raise self._unavailable(f"cannot be reached ({exc})") from None
        except (HttpError, TimeoutError):
            raise self._unavailable("gave no answer") from None
        except (_TransientFailure, RequestRefused):
            return False

    async def _request_with_retries(
        self, kind: InputKind[Any], request: Callable[[], Request], read: Callable[[bytes], T], scope: anyio.CancelScope
    ) -> T:
        """Try until an attempt succeeds; the deadline of `scope` starts with the first slot."""
        failure = _TransientFailure("was not called")
        for attempt in range(self._policy.retries + 1):
            async with kind.limiter.slot() as begun:
                scope.deadline = min(scope.deadline, anyio.current_time() + kind.deadline_s)
                try:
                    result = await self._try_once(kind, request, read)
                except _TransientFailure as exc:
                    failure = exc
                    if exc.overloaded:
                        kind.limiter.record_overload(begun)
                    if exc.unusable and attempt:
                        raise RequestRefused(
                            str(exc), reason="without a usable vector from the embedding service", status=OK
                        ) from None
                else:
                    kind.limiter.record_success()
                    return result
            wait_s = max(failure.retry_after_s, random.uniform(0, self._policy.backoff_s * 2**attempt))  # noqa: S311  # no secret
            if attempt == self._policy.retries or anyio.current_time() + wait_s > scope.deadline:
                break
            _log.info("The embedding service %s; retrying in %.1f s", failure, wait_s)
            await anyio.sleep(wait_s)
        raise self._unavailable(str(failure))

    async def _try_once(self, kind: InputKind[Any], request: Callable[[], Request], read: Callable[[bytes], T]) -> T:
        if not kind.retries_connect:
            self.check_up()
        try:
            encoded = request()
            reply = await self.client.request(
                "POST" if encoded.body else "GET",
                encoded.url,
                body=encoded.body,
                headers={"Content-Type": "application/json"} if encoded.body else None,
            )
        except Unreachable as exc:
            self._record_disconnect(down=True)
            if kind.retries_connect:
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

    def _interpret(self, reply: HttpReply, read: Callable[[bytes], T]) -> T:
        """Decide by status. The body of an error is never read: it may quote the request."""
        status = reply.status
        if status == OK:
            try:
                return read(reply.body)
            except BadReply as exc:
                raise _TransientFailure(f"returns {exc}", unusable=True) from None
        if status in _SPLITTABLE:
            reason = f"{_SPLITTABLE[status]} the embedding service ({status})"
            raise RequestRefused(f"answers {status}", reason=reason, status=status)
        if status in _OVERLOADED or status >= _SERVER_ERROR:
            raise _TransientFailure(
                f"answers {status}", overloaded=status in _OVERLOADED, retry_after_s=reply.retry_after_s
            )
        advice = self._advice.get(status, _OTHER_ADVICE)
        raise RejectedByStatus(f"The embedding service at {self._url} answers {status}{advice}.", status=status)

    def _record_disconnect(self, *, down: bool = False) -> None:
        self.disconnects += 1
        if down:
            self._down_until = anyio.current_time() + self._policy.down_s

    def _unavailable(self, what: str) -> EmbeddingUnavailable:
        return EmbeddingUnavailable(
            f"The embedding service at {self._url} {what}; check that it runs, your SSH tunnel if you use one, and "
            "NVCLIP_BASE_URL."
        )
