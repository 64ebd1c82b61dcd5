"""OAuth: verifies access tokens of an authorization server with the keys that it publishes.

RFC 9068 (JWT access tokens), RFC 8707 (audience).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import jwt
from mcp.server.auth.provider import AccessToken

from mcp_cxr.server.http._issuer_keys import IssuerKeys

if TYPE_CHECKING:
    from collections.abc import Callable

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures only: a shared secret, or none, does not prove the issuer."""
_LEEWAY_S = 30  # clocks differ


class OAuthTokenVerifier:
    """Accepts the tokens of one issuer for one resource.

    Args:
        issuer: Its URL, exactly as in the tokens.
        resource: URL of this server; must be the token's audience, or among them.
        clock: Returns seconds; decides how long the issuer's keys are used.
    """

    def __init__(self, issuer: str, *, resource: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._resource = resource
        self._keys = IssuerKeys(issuer, clock=clock)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the token's client and subject; None if it is invalid or the issuer's keys are unavailable."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                await self._keys.key(jwt.get_unverified_header(token).get("kid")),
                algorithms=_ALGORITHMS,
                audience=self._resource,
                issuer=self._issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, KeyError, ValueError, TypeError, OverflowError):
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
