"""Where pixels may go is decided before anything is opened."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_cxr.embeddings.nvclip import NvclipConfig, NvclipEmbedder
from mcp_cxr.errors import ConfigError


def config(**more: Any) -> NvclipConfig:
    known: dict[str, Any] = {"base_url": "http://localhost:8002/v1", "model": "nvidia/nvclip", "dialect": "nim"}
    known |= {"image_size": 224, "preprocessing": "1"}
    return NvclipConfig(**(known | more))


@pytest.mark.parametrize("host", ["localhost:8002", "LOCALHOST", "127.0.0.1:8002", "127.8.4.2", "[::1]:8002"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_loopback_needs_no_leave(scheme: str, host: str) -> None:
    assert config(base_url=f"{scheme}://{host}/v1")


NAMED = [
    ("https://gpu.example:8443/v1", "gpu.example:8443"),
    ("https://gpu.example/v1", "gpu.example:443"),
    ("http://gpu.example:8002/v1", "http://gpu.example:8002"),
    ("http://10.0.0.7:8002/v1", "http://10.0.0.7:8002"),
    ("https://[fd00::7]:8002/v1", "[fd00::7]:8002"),
    ("https://GPU.example:8443/v1", "GPU.example:8443"),
]


@pytest.mark.parametrize(("url", "name"), NAMED)
def test_a_host_beyond_is_refused_until_it_is_named(url: str, name: str) -> None:
    with pytest.raises(ConfigError, match="MCP_CXR_ALLOW_REMOTE=") as caught:
        config(base_url=url)
    assert name.lower() in str(caught.value)
    assert config(base_url=url, allow_remote=("other:1", name))


NOT_NAMED = [
    ("http://gpu.example:8443/v1", "gpu.example:8443"),  # plain http wants its own leave
    ("https://gpu.example:8443/v1", "http://gpu.example:8443"),
    ("https://gpu.example:8444/v1", "gpu.example:8443"),
    ("https://gpu.example.evil.com:8443/v1", "gpu.example:8443"),
    ("https://gpu.example:8443/v1", "gpu.example"),
    ("https://localhost.evil.com/v1", ""),
    ("https://127.0.0.1.evil.com/v1", ""),
    ("http://0.0.0.0:8002/v1", ""),
    ("http://2130706433/v1", ""),
]


@pytest.mark.parametrize(("url", "name"), NOT_NAMED)
def test_leave_is_for_one_scheme_host_and_port(url: str, name: str) -> None:
    with pytest.raises(ConfigError, match="MCP_CXR_ALLOW_REMOTE"):
        config(base_url=url, allow_remote=(name,))


USELESS = [
    "",
    "localhost:8002",
    "ftp://localhost/",
    "http://",
    "http://localhost:port/v1",
    "http://localhost/v1?key=canary",
]


@pytest.mark.parametrize("url", [*USELESS, "http://user:canary@localhost:8002/v1", "http://canary@localhost:8002/v1"])
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigError, match="NVCLIP_BASE_URL") as caught:
        config(base_url=url)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("key", ["canary\n", "canary\r\nX-Other: 1", "canäry"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigError, match="NVIDIA_API_KEY") as caught:
        config(api_key=key)
    assert key.strip()[:4] not in str(caught.value)


def test_an_empty_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="NVCLIP_MODEL"):
        config(model=" ")


def test_the_picture_asked_for_is_the_models_own() -> None:
    spec = NvclipEmbedder(config(image_size=448)).image_spec
    assert (spec.size, spec.mode, spec.jpeg_quality) == (448, "RGB", 95)


async def test_nothing_works_before_it_is_opened() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await NvclipEmbedder(config()).fingerprint()
