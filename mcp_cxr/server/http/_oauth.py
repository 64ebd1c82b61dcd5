"""OAuth: verifies access tokens of an authorization server with the keys that it publishes.

RFC 9068 (JWT access tokens), RFC 8414 and OpenID Connect Discovery (location of the keys), RFC 8707 (audience).
"""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import anyio
import jwt
from mcp.server.auth.provider import AccessToken

from mcp_cxr.http_client import HttpClient, HttpError, HttpLimits
from mcp_cxr.loopback import remote_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures only: a shared secret, or none, does not prove the issuer."""
_LEEWAY_S = 30  # clocks differ
_KEYS_MAX_AGE_S = 600.0
_FETCH_INTERVAL_S = 10.0  # tokens with invented key ids must not cause a flood of requests to the issuer
_LIMITS = HttpLimits(deadline_s=5, max_body_bytes=1 << 20)
_MAX_REASON = 200  # characters; it may quote the issuer
_log = logging.getLogger(__name__)


class OAuthTokenVerifier:
    """Accepts the tokens of one issuer for one resource.

    Args:
        issuer: Its URL, exactly as in the tokens.
        resource: URL of this server; must be the token's audience, or among them.
        fetch_interval_s: Shortest time between two fetches of the issuer's keys.
    """

    def __init__(self, issuer: str, *, resource: str, fetch_interval_s: float = _FETCH_INTERVAL_S) -> None:
        self._issuer = issuer
        self._resource = resource
        self._fetch_interval_s = fetch_interval_s
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._fetching = anyio.Lock()

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the token's client and subject; None if it is invalid or the issuer's keys are unavailable."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                await self._key(jwt.get_unverified_header(token).get("kid")),
                algorithms=_ALGORITHMS,
                audience=self._resource,
                issuer=self._issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, KeyError, ValueError):
            return None
        return AccessToken(
            token=token,
            client_id=str(claims.get("client_id") or claims.get("azp") or claims["sub"]),
            scopes=str(claims.get("scope") or "").split(),
            expires_at=int(claims["exp"]),
            resource=self._resource,
            subject=str(claims["sub"]),
            claims={"iss": self._issuer},
        )

    async def _key(self, key_id: str | None) -> jwt.PyJWK:
        """Return the issuer's key; keys are fetched again if they are old or the id is unknown.

        Raises:
            KeyError: The issuer has no such key, or its keys are unavailable.
        """
        async with self._fetching:
            age = anyio.current_time() - self._fetched_at
            if age > _KEYS_MAX_AGE_S or (key_id not in self._keys and age > self._fetch_interval_s):
                self._fetched_at = anyio.current_time()
                try:
                    self._keys = await self._fetch_keys()
                except (HttpError, ValueError, LookupError, TypeError, jwt.PyJWTError) as exc:
                    reason = " ".join(str(exc).split())[:_MAX_REASON]
                    _log.warning("Cannot get the keys of %s (%s); its tokens are refused.", self._issuer, reason)
            return self._keys[key_id]

    async def _fetch_keys(self) -> dict[str | None, jwt.PyJWK]:
        key_set = await _fetch(await self._keys_url()) or {}
        return {key.key_id: key for key in jwt.PyJWKSet.from_dict(key_set).keys if key.public_key_use in (None, "sig")}

    async def _keys_url(self) -> str:
        for url in _metadata_urls(self._issuer):
            if metadata := await _fetch(url):
                if metadata["issuer"] != self._issuer:  # RFC 8414, 3.3
                    raise ValueError("its metadata is another issuer's")
                return metadata["jwks_uri"]
        raise LookupError("no metadata published")


def _metadata_urls(issuer: str) -> Iterator[str]:
    """Yield where an issuer may publish its metadata: RFC 8414, 3.1, then OpenID Connect Discovery, 4."""
    parts = urlsplit(issuer.rstrip("/"))
    host = f"{parts.scheme}://{parts.netloc}"
    yield f"{host}/.well-known/oauth-authorization-server{parts.path}"
    yield f"{host}{parts.path}/.well-known/openid-configuration"


async def _fetch(url: str) -> dict[str, Any] | None:
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
    found = json.loads(reply.body)
    if not isinstance(found, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - the reply is wrong, not an argument
    return cast("dict[str, Any]", found)
