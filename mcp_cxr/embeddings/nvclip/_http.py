"""One HTTP exchange with the service. The only page that knows httpx."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import httpx

if TYPE_CHECKING:
    from mcp_cxr.embeddings.nvclip._config import NvclipConfig, RequestPolicy

Transport: TypeAlias = httpx.AsyncBaseTransport
"""The seam of the tests: what carries requests in place of the network."""

_KEEPALIVE_S = 60
_CONNECTIONS = 40  # both lanes at their widest, and some; the pace is kept elsewhere


class Unreachable(Exception):
    """No connection could be made."""


class Broken(Exception):
    """A connection was made, but no whole reply came over it."""


class TimedOut(Exception):
    """The service was silent for too long."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whatever its status."""

    status: int
    body: bytes
    retry_after_s: float
    """0 where the service names no time."""


class Wire:
    """One client for the life of an embedder: no proxy, no redirect, no host but the configured one."""

    def __init__(self, config: NvclipConfig, policy: RequestPolicy, transport: Transport | None) -> None:
        headers = {"Accept-Encoding": "identity", "User-Agent": "mcp-cxr"}  # base64 floats do not compress
        if config.api_key:
            headers["Authorization"] = f"Bearer {config.api_key}"
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(
                connect=policy.connect_s, write=policy.write_s, read=policy.read_s, pool=policy.read_s
            ),
            limits=httpx.Limits(
                max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS, keepalive_expiry=_KEEPALIVE_S
            ),
            trust_env=False,
            follow_redirects=False,
            transport=transport,
        )
        self.connections = 0
        """How many were made so far. Behind a new one may be another process than behind those before."""

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def exchange(self, url: str, body: bytes | None) -> Reply:
        """Post `body` as JSON, or get `url` where there is none.

        Raises:
            Unreachable: Nothing was sent.
            TimedOut: The service was silent for too long.
            Broken: The connection ended before the reply did.
        """
        # What h11 quotes in its errors came from the service, which may quote us: no cause is chained.
        try:
            response = await self._client.request(
                "GET" if body is None else "POST",
                url,
                content=body,
                headers=None if body is None else {"Content-Type": "application/json"},
                extensions={"trace": self._count},
            )
        except httpx.ConnectTimeout:
            raise Unreachable("no answer to the connection") from None
        except httpx.ConnectError:
            raise Unreachable("connection refused, or no such host") from None
        except httpx.TimeoutException:
            raise TimedOut("no answer in time") from None
        except httpx.RequestError:
            raise Broken("connection lost") from None
        return Reply(response.status_code, response.content, _seconds(response.headers.get("Retry-After")))

    async def _count(self, event: str, _info: object) -> None:
        """Hear what httpcore does."""
        if event == "connection.connect_tcp.complete":
            self.connections += 1


def _seconds(retry_after: str | None) -> float:
    """Read Retry-After, RFC 9110 10.2.3; a date is rare here and counts as no time."""
    try:
        seconds = float(retry_after or 0)
    except ValueError:
        return 0
    return max(seconds, 0) if math.isfinite(seconds) else 0
