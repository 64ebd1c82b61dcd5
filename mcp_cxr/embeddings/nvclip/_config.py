"""Configuration of the client, checked before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mcp_cxr.errors import ConfigError
from mcp_cxr.http_client import check_service


@dataclass(frozen=True, slots=True, kw_only=True)
class NvclipConfig:
    """Address, model and dialect of the service.

    Raises:
        ConfigError: A value is unusable, or the address is on another machine that was not allowed.
    """

    base_url: str
    """Address up to the part before `/embeddings`, such as `http://localhost:8002/v1`."""
    model: str
    dialect: Literal["nim", "infinity", "vllm"]
    image_size: int
    """Rows and columns of the renderings sent: the model's own size, so that the service resizes nothing."""
    preprocessing: str
    """Version of the preprocessing from file to rendering; part of the fingerprint."""
    api_key: str | None = field(default=None, repr=False)
    """Sent as bearer token."""
    allow_remote: tuple[str, ...] = ()
    """Exact `host:port` (https) or `http://host:port` beyond loopback that pixels and texts may be sent to."""

    def __post_init__(self) -> None:
        check_service(
            self.base_url,
            self.api_key,
            url_variable="NVCLIP_BASE_URL",
            key_variable="NVIDIA_API_KEY",
            example="http://localhost:8002/v1",
            data="pixels and texts",
            allowed_hosts=self.allow_remote,
        )
        if not self.model.strip():
            raise ConfigError("NVCLIP_MODEL is empty; set the model that the service serves.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPolicy:
    """Timeouts in seconds, and retries."""

    connect_s: float = 3
    attempt_s: float = 60
    """For one attempt: from the request to the last byte of the reply."""
    images_deadline_s: float = 120
    """For one batch of images with its retries, from when its first attempt may start."""
    texts_deadline_s: float = 20
    """The same for texts and for the service's identity: a person waits for these."""
    retries: int = 4
    backoff_s: float = 0.5
    """The first wait is drawn from 0 to this; each further one from twice the range (full jitter)."""
    down_s: float = 5
    """How long calls fail at once after a failed connect or a missed deadline: a query is then matched by words."""
