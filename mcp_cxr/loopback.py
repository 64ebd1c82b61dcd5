"""Whether an address stays on this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Whether `host`, an address without brackets or a name, is this machine's own; of names only `localhost` is."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def remote_name(url: str) -> str | None:
    """Return how MCP_CXR_ALLOW_REMOTE names an address: `host:port` (https) or `http://host:port`; None: loopback.

    Raises:
        ValueError: It is no plain http(s) address; it may hold a password, so it is not to be quoted.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        raise ValueError("no plain address")
    port = parts.port or _PORTS[parts.scheme]
    if is_loopback(parts.hostname):
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}" if parts.scheme == "https" else f"http://{host}:{port}"


def is_allowed(name: str, allowed: tuple[str, ...]) -> bool:
    """Whether MCP_CXR_ALLOW_REMOTE holds a name that `remote_name` returned."""
    return name in {one.lower().rstrip("/") for one in allowed}
