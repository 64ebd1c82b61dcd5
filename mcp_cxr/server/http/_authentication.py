"""Authentication over HTTP: by the token in the data folder, or by tokens of an OAuth authorization server."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings

from mcp_cxr.errors import ConfigError
from mcp_cxr.safe_files import create_private_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp.server.auth.provider import TokenVerifier

    from mcp_cxr.server.http._config import HttpConfig

_MIN_TOKEN = 32  # characters; a created one has 43


@dataclass(frozen=True, slots=True)
class Authentication:
    """What the SDK needs to authenticate requests."""

    verifier: TokenVerifier
    auth: AuthSettings
    created_token: str | None = None
    """Set if the token was created now; it is shown once."""


class StaticTokenVerifier:
    """Accepts one token; the comparison takes constant time."""

    def __init__(self, token: str) -> None:
        self._digest = _digest(token)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the client if this is the token; None otherwise."""
        if not hmac.compare_digest(_digest(token), self._digest):
            return None
        return AccessToken(token=token, client_id="token", scopes=[])


def authentication_of(
    config: HttpConfig, *, url: str, token_file: Path, clock: Callable[[], float] = time.monotonic
) -> Authentication:
    """Return the authentication of a server whose URL is `url`; `clock` decides how long an issuer's keys are used.

    Raises:
        ConfigError: The token file cannot be used.
    """
    # Validated from strings: URLs are compared literally, with a trailing slash. The SDK requires an issuer; without a
    # resource it does not publish it.
    auth = AuthSettings.model_validate(
        {
            "issuer_url": config.oauth_issuer or url,
            "resource_server_url": url if config.oauth_issuer else None,
            "validate_token_resource": bool(config.oauth_issuer),
        }
    )
    if config.oauth_issuer:
        from mcp_cxr.server.http._oauth import OAuthTokenVerifier  # a server with a token of its own needs no httpx

        return Authentication(OAuthTokenVerifier(config.oauth_issuer, resource=url, clock=clock), auth)
    token, is_new = _token(token_file)
    return Authentication(StaticTokenVerifier(token), auth, token if is_new else None)


def _token(path: Path) -> tuple[str, bool]:
    """Return the token, and whether it was created now."""
    fresh = secrets.token_urlsafe(32)
    try:
        if not path.exists():
            create_private_file(path, fresh.encode() + b"\n")
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(
                f"{path} is readable by other users. Run `chmod 600 {path}`, or delete the file; a new token is then "
                "created at start."
            )
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not text"
        raise ConfigError(f"Cannot read or create the token in {path} ({reason}).") from exc
    if len(token) < _MIN_TOKEN:
        raise ConfigError(
            f"{path} holds no token of {_MIN_TOKEN} characters or more. Delete it; one is then created at start."
        )
    return token, token == fresh


def _digest(token: str) -> bytes:
    """Return a digest, whose length does not depend on the token."""
    return hashlib.sha256(token.encode()).digest()
