"""What the client is told, checked before anything leaves: where the service is, and how long to be patient with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mcp_cxr.errors import ConfigError
from mcp_cxr.loopback import is_allowed, remote_name


@dataclass(frozen=True, slots=True, kw_only=True)
class NvclipConfig:
    """Where the service is and how it wants to be asked.

    Raises:
        ConfigError: A value is unusable, or the address leads beyond loopback to a host that was not named.
    """

    base_url: str
    """Address up to the part before `/embeddings`, such as `http://localhost:8002/v1`."""
    model: str
    dialect: Literal["nim", "infinity", "vllm"]
    image_size: int
    """Rows and columns of the pictures sent; the model's own, so that the service has nothing to resize."""
    preprocessing: str
    """Version of the way from file to picture; part of the fingerprint."""
    api_key: str | None = field(default=None, repr=False)
    """Sent as bearer token."""
    allow_remote: tuple[str, ...] = ()
    """Exact `host:port` (https) or `http://host:port` that pixels and texts may be sent to beyond loopback."""

    def __post_init__(self) -> None:
        _check_address(self.base_url, self.allow_remote)
        if not self.model.strip():
            raise ConfigError("NVCLIP_MODEL is empty; name the model that the service serves.")
        # A header that cannot be sent would be quoted in the library's error.
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise ConfigError("NVIDIA_API_KEY holds characters that no key has; set it again, without line breaks.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPolicy:
    """How long to wait for the service, in seconds; the defaults are for people, the tests are in a hurry."""

    connect_s: float = 3
    write_s: float = 20
    read_s: float = 60
    """Longest silence within a reply."""
    images_deadline_s: float = 120
    """Longest for one batch of pictures, retries included, from its turn on."""
    texts_deadline_s: float = 20
    """The same for texts and for the service's identity: a person waits for these."""
    retries: int = 4
    backoff_s: float = 0.5
    """The first wait is drawn from 0 to this; each further one from twice the range (full jitter)."""
    down_s: float = 5
    """After a failed connect or a missed deadline, calls fail at once for so long: a question then goes to words."""


def _check_address(base_url: str, allow_remote: tuple[str, ...]) -> None:
    try:
        name = remote_name(base_url)
    except ValueError:
        # The address is not quoted back where it may hold a password.
        raise ConfigError(
            "NVCLIP_BASE_URL is no plain address such as http://localhost:8002/v1 (a key goes into NVIDIA_API_KEY)."
        ) from None
    if name and not is_allowed(name, allow_remote):
        raise ConfigError(
            f"NVCLIP_BASE_URL leads beyond this machine, and {name} was not named. Tunnel it to localhost, or set "
            f"MCP_CXR_ALLOW_REMOTE={name} to let pixels and texts go there."
        )
