"""The keys that an OAuth authorization server publishes: fetched when needed, and used for a limited time.

RFC 8414 and OpenID Connect Discovery (location of the keys), RFC 7517 (their form).
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

import anyio
import jwt

from mcp_cxr.http_client import HttpClient, HttpError, HttpLimits
from mcp_cxr.loopback import remote_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_AGE_S: Final = 600.0
"""A key that the issuer no longer publishes, or cannot be asked about, is refused after this time at the latest."""
_REFRESH_AGE_S = 300.0
_FETCH_INTERVAL_S = 10.0  # tokens with invented key ids must not cause a flood of requests to the issuer
_FETCH_TIMEOUT_S = 5.0
MAX_WAITING: Final = 8
"""Requests with unknown key ids; more could use up the server's concurrent calls."""
_LOG_INTERVAL_S = 60.0
_LIMITS = HttpLimits(deadline_s=_FETCH_TIMEOUT_S, max_body_bytes=1 << 20)
_MAX_REASON = 200  # characters; it may quote the issuer
_log = logging.getLogger(__name__)

_Keys = dict[str | None, jwt.PyJWK]


class IssuerKeys:
    """The current keys of one issuer.

    Args:
        issuer: Its URL.
        clock: Returns seconds.
        fetch_timeout_s: For metadata and keys together.
    """

    def __init__(
        self,
        issuer: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        fetch_timeout_s: float = _FETCH_TIMEOUT_S,
    ) -> None:
        self._issuer = issuer
        self._fetch_timeout_s = fetch_timeout_s
        self._clock = clock
        self._keys: _Keys = {}
        self._keys_from = float("-inf")
        """When the fetch that returned the keys began."""
        self._fetch_began = float("-inf")
        self._fetch: asyncio.Task[None] | None = None
        self._waiting = 0
        self._logged_at = float("-inf")

    async def key(self, key_id: str | None) -> jwt.PyJWK:
        """Return a key. A known one is returned at once, while older keys are fetched again; others wait for a fetch.

        Raises:
            KeyError: The issuer publishes no such key, or its keys are unavailable.
        """
        age = self._clock() - self._keys_from
        if age >= MAX_AGE_S:
            self._keys = {}
        if key_id in self._keys:
            if age >= _REFRESH_AGE_S:
                self._current_fetch()
            return self._keys[key_id]
        if not (self._keys and self._waiting >= MAX_WAITING) and (fetch := self._current_fetch()):
            self._waiting += 1
            try:
                await asyncio.shield(fetch)  # it goes on if this request is canceled
            finally:
                self._waiting -= 1
        return self._keys[key_id]

    def _current_fetch(self) -> asyncio.Task[None] | None:
        """Return the fetch that is running, or a new one; None if the last one began too recently."""
        if self._fetch and not self._fetch.done():
            return self._fetch
        if self._clock() - self._fetch_began < _FETCH_INTERVAL_S:
            return None
        self._fetch_began = self._clock()
        self._fetch = asyncio.create_task(self._replace_keys())
        return self._fetch

    async def _replace_keys(self) -> None:
        """Replace the keys by those published; keep them if the fetch fails."""
        began = self._clock()
        try:
            with anyio.fail_after(self._fetch_timeout_s):
                self._keys = await _fetch_keys(self._issuer)
        except TimeoutError:
            self._log_failure("no complete answer in time")
        except (HttpError, ValueError, LookupError) as exc:
            self._log_failure(" ".join(str(exc).split())[:_MAX_REASON])
        else:
            self._keys_from = began
            if not self._keys:
                self._log_failure("no usable key published")

    def _log_failure(self, reason: str) -> None:
        if self._clock() - self._logged_at >= _LOG_INTERVAL_S:
            self._logged_at = self._clock()
            _log.warning("Cannot get the keys of %s (%s); tokens with other keys are refused.", self._issuer, reason)


async def _fetch_keys(issuer: str) -> _Keys:
    """Return the usable keys that an issuer publishes.

    Raises:
        HttpError: A host cannot be reached or breaks off.
        ValueError: A reply is not as it should be.
        LookupError: The issuer publishes no metadata.
    """
    key_set = await _fetch_json(await _keys_url(issuer)) or {}
    entries = key_set.get("keys")
    if not isinstance(entries, list):
        raise ValueError("no list of keys")  # noqa: TRY004 - the reply is wrong, not an argument
    keys = [key for entry in cast("list[Any]", entries) if (key := _usable_key(entry))]
    return {key.key_id: key for key in keys}


def _usable_key(entry: Any) -> jwt.PyJWK | None:  # noqa: ANN401 - JSON
    """Return a key for signatures; None if this is none, or is malformed: the others are used all the same."""
    try:
        key = jwt.PyJWK.from_dict(entry)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, LookupError):
        return None
    return key if key.public_key_use in (None, "sig") and isinstance(entry.get("kid", ""), str) else None


async def _keys_url(issuer: str) -> str:
    for url in _metadata_urls(issuer):
        if metadata := await _fetch_json(url):
            if metadata.get("issuer") != issuer:  # RFC 8414, 3.3
                raise ValueError("its metadata is another issuer's")
            keys_url = metadata.get("jwks_uri")
            if not isinstance(keys_url, str):
                raise ValueError("its metadata has no jwks_uri")
            return keys_url
    raise LookupError("no metadata published")


def _metadata_urls(issuer: str) -> Iterator[str]:
    """Yield where an issuer may publish its metadata: RFC 8414, 3.1, then OpenID Connect Discovery, 4."""
    parts = urlsplit(issuer.rstrip("/"))
    host = f"{parts.scheme}://{parts.netloc}"
    yield f"{host}/.well-known/oauth-authorization-server{parts.path}"
    yield f"{host}{parts.path}/.well-known/openid-configuration"


async def _fetch_json(url: str) -> dict[str, Any] | None:
    """Return the JSON object at `url`; None if there is none (404).

    Raises:
        HttpError: The host cannot be reached or breaks off.
        ValueError: The status is another one, the body is no JSON object, or the URL is plain http to another machine.
    """
    host = remote_name(url)
    if host and host.startswith("http://"):
        raise ValueError("not https")
    async with HttpClient(_LIMITS, allowed_hosts=(host,) if host else ()) as client:
        reply = await client.request("GET", url, headers={"Accept": "application/json"})
    if reply.status == HTTPStatus.NOT_FOUND:
        return None
    if reply.status != HTTPStatus.OK:
        raise ValueError(f"status {reply.status}")
    try:
        found = json.loads(reply.body)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - the reply is wrong, not an argument
    return cast("dict[str, Any]", found)
