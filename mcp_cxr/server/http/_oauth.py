"""OAuth: tokens that an authorization server made for this server, checked with the keys it publishes.

RFC 9068 (JWT access tokens), RFC 8414 and OpenID Connect Discovery (where the keys are), RFC 8707 (for whom one is).
"""

from __future__ import annotations

import http.client
import json
import logging
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import anyio
import jwt
from anyio import to_thread
from mcp.server.auth.provider import AccessToken

from mcp_cxr.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures only: a shared secret, or none, is no proof of the issuer."""
_LEEWAY_S = 30  # clocks differ
_KEYS_FOR_S = 600.0
_PAUSE_S = 10.0  # between two questions for keys: tokens with invented key ids must not become a flood at the issuer
_TIMEOUT_S = 5.0
_MAX_BYTES = 1 << 20
_log = logging.getLogger(__name__)


class OAuthTokenVerifier:
    """Takes tokens of one issuer, made for one resource.

    Args:
        issuer: As it stands in the tokens.
        resource: URL of this server; must be the token's audience, or among them.
        pause_s: Shortest time between two questions for the issuer's keys.
    """

    def __init__(self, issuer: str, *, resource: str, pause_s: float = _PAUSE_S) -> None:
        self._issuer = issuer
        self._resource = resource
        self._pause_s = pause_s
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._asked_at = float("-inf")
        self._asking = anyio.Lock()

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return whose token it is; None for any other, and while the issuer's keys are not to be had."""
        try:
            key = await self._key(jwt.get_unverified_header(token).get("kid"))
            claims = self._claims(token, key) if key else None
        except (jwt.PyJWTError, ValueError):
            return None
        if claims is None:
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

    def _claims(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=_ALGORITHMS,
            audience=self._resource,
            issuer=self._issuer,
            leeway=_LEEWAY_S,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )

    async def _key(self, name: str | None) -> jwt.PyJWK | None:
        """Return the issuer's key of this name; keys are asked for anew when they are old, or the name is unknown."""
        async with self._asking:
            age = anyio.current_time() - self._asked_at
            if age > _KEYS_FOR_S or (name not in self._keys and age > self._pause_s):
                self._asked_at = anyio.current_time()
                try:
                    self._keys = await to_thread.run_sync(self._published)
                except (OSError, ValueError, LookupError, TypeError, http.client.HTTPException, jwt.PyJWTError) as exc:
                    _log.warning("The keys of %s cannot be had (%s).", self._issuer, type(exc).__name__)
            return self._keys.get(name)

    def _published(self) -> dict[str | None, jwt.PyJWK]:
        keys = jwt.PyJWKSet.from_dict(_fetched(self._keys_url())).keys
        return {key.key_id: key for key in keys if key.public_key_use in (None, "sig")}

    def _keys_url(self) -> str:
        for url in _descriptions(self._issuer):
            try:
                told = _fetched(url)
            except FileNotFoundError:
                continue
            if told["issuer"] != self._issuer:  # RFC 8414, 3.3
                raise ValueError("describes another issuer")
            return told["jwks_uri"]
        raise LookupError("no description of the issuer")


def _descriptions(issuer: str) -> Iterator[str]:
    """Yield where an issuer may describe itself: RFC 8414, 3.1, then OpenID Connect Discovery, 4."""
    parts = urlsplit(issuer.rstrip("/"))
    host = f"{parts.scheme}://{parts.netloc}"
    yield f"{host}/.well-known/oauth-authorization-server{parts.path}"
    yield f"{host}{parts.path}/.well-known/openid-configuration"


def _fetched(url: str) -> dict[str, Any]:
    """Return a JSON object. Neither redirects nor the environment's proxies are followed.

    Raises:
        FileNotFoundError: There is none at this address.
        OSError: The host cannot be reached or answers otherwise.
        ValueError: It is no JSON object, or would come in the clear from another machine.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("not https")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    with closing(connection):
        connection.request("GET", parts.path or "/", headers={"Accept": "application/json"})
        with connection.getresponse() as answer:
            if answer.status == http.HTTPStatus.NOT_FOUND:
                raise FileNotFoundError(url)
            if answer.status != http.HTTPStatus.OK:
                raise OSError(f"status {answer.status}")
            found = json.loads(answer.read(_MAX_BYTES))
    if not isinstance(found, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - what came is wrong, not what was passed
    return cast("dict[str, Any]", found)
