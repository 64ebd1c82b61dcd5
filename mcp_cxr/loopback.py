"""Tells loopback from remote addresses, and checks remote ones against MCP_CXR_ALLOW_REMOTE."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Return whether `host`, an address or a name, is this machine's own; of names only `localhost` is."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def remote_name(url: str) -> str | None:
    """Return what MCP_CXR_ALLOW_REMOTE calls the host of `url`; None if it is this machine.

    The name is `host:port` for https and `http://host:port` for http.

    Raises:
        ValueError: This is not an http(s) URL, or it holds a user name; the error does not quote it.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise ValueError("not an http(s) URL without a user name")
    port = parts.port or _PORTS[parts.scheme]
    if is_loopback(parts.hostname):
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}" if parts.scheme == "https" else f"http://{host}:{port}"


def is_remote_name(text: str) -> bool:
    """Return whether a text has the form of a name that `remote_name` returns: `host:port` or `http://host:port`."""
    if any(char.isspace() for char in text):
        return False
    try:
        parts = urlsplit(text.rstrip("/") if text.lower().startswith("http://") else f"https://{text.rstrip('/')}")
        is_named = bool(parts.hostname and parts.port)
    except ValueError:
        return False
    return is_named and parts.username is None and not (parts.path or parts.query or parts.fragment)


def is_allowed(name: str, allowed: tuple[str, ...]) -> bool:
    """Return whether MCP_CXR_ALLOW_REMOTE holds a name that `remote_name` returned."""
    return name in {entry.lower().rstrip("/") for entry in allowed}
