"""Configuration of the HTTP server: address, certificate, public URL and issuer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcp_cxr.errors import ConfigError
from mcp_cxr.loopback import is_loopback

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/mcp"
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - refused without a public URL


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """How to serve over HTTP.

    Raises:
        ConfigError: Patient data would be sent unencrypted, or clients would have no URL.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    """0 takes any free one."""
    tls_cert: Path | None = None
    """PEM, with its chain."""
    tls_key: Path | None = None
    public_url: str | None = None
    """The URL that clients use if it differs: a reverse proxy's, or that of a certificate's name."""
    oauth_issuer: str | None = None
    """Authorization server whose tokens are accepted instead of the token in the data folder."""

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigError("--tls-cert and --tls-key belong together; give both.")
        if self.public_url is not None:
            _require_https("--public-url", self.public_url)
        if self.oauth_issuer is not None:
            _require_https("--oauth-issuer", self.oauth_issuer)
        if not is_loopback(self.host) and not (self.tls_cert or self.public_url):
            raise ConfigError(
                f"{self.host} can be reached from other machines: give --tls-cert and --tls-key, or --public-url, the "
                "URL of a reverse proxy that handles TLS."
            )
        if self.host in _ANYWHERE and not self.public_url:
            raise ConfigError(f"{self.host} means all addresses; add --public-url with the URL clients use.")

    def url(self, port: int) -> str:
        """Return the URL that clients use for a server that listens on `port`."""
        if self.public_url:
            return self.public_url.rstrip("/").removesuffix(PATH) + PATH
        return f"{self._scheme}://{_bracketed(self.host)}:{port}{PATH}"

    def names(self, port: int) -> list[str]:
        """Return the allowed Host headers, against DNS rebinding."""
        own = [f"{name}:{port}" for name in (*_LOOPBACK_NAMES, _bracketed(self.host))]
        return [*own, urlsplit(self.public_url).netloc] if self.public_url else own

    def origins(self, port: int) -> list[str]:
        """Return the allowed origins of web pages: the server's own."""
        own = [f"{self._scheme}://{name}" for name in self.names(port)]
        return [*own, self.url(port).removesuffix(PATH)] if self.public_url else own

    @property
    def _scheme(self) -> str:
        return "https" if self.tls_cert else "http"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _require_https(flag: str, url: str) -> None:
    """Refuse URLs that would send tokens unencrypted; plain http is allowed on loopback."""
    parts = urlsplit(url)
    plain = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not (plain or parts.scheme == "https") or not parts.hostname or parts.query or parts.fragment or "@" in url:
        raise ConfigError(f"{flag} must be a plain https URL, such as https://cxr.example.org.")
