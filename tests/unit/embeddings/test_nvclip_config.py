"""The configuration refuses hosts that are not allowed, before anything is opened."""

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
def test_loopback_is_always_allowed(scheme: str, host: str) -> None:
    assert config(base_url=f"{scheme}://{host}/v1")


ALLOWED = [
    ("https://gpu.example:8443/v1", "gpu.example:8443"),
    ("https://gpu.example/v1", "gpu.example:443"),
    ("http://gpu.example:8002/v1", "http://gpu.example:8002"),
    ("http://10.0.0.7:8002/v1", "http://10.0.0.7:8002"),
    ("https://[fd00::7]:8002/v1", "[fd00::7]:8002"),
    ("https://GPU.example:8443/v1", "GPU.example:8443"),
]


@pytest.mark.parametrize(("url", "name"), ALLOWED)
def test_another_host_is_refused_until_it_is_allowed(url: str, name: str) -> None:
    with pytest.raises(ConfigError, match="MCP_CXR_ALLOW_REMOTE=") as caught:
        config(base_url=url)
    assert name.lower() in str(caught.value)
    assert config(base_url=url, allow_remote=("other:1", name))


NOT_ALLOWED = [
    ("http://gpu.example:8443/v1", "gpu.example:8443"),  # plain http must be allowed itself
    ("https://gpu.example:8443/v1", "http://gpu.example:8443"),
    ("https://gpu.example:8444/v1", "gpu.example:8443"),
    ("https://gpu.example.evil.com:8443/v1", "gpu.example:8443"),
    ("https://gpu.example:8443/v1", "gpu.example"),
    ("https://localhost.evil.com/v1", ""),
    ("https://127.0.0.1.evil.com/v1", ""),
    ("http://0.0.0.0:8002/v1", ""),
    ("http://2130706433/v1", ""),
]


@pytest.mark.parametrize(("url", "name"), NOT_ALLOWED)
def test_a_host_is_allowed_for_one_scheme_and_port(url: str, name: str) -> None:
    with pytest.raises(ConfigError, match="MCP_CXR_ALLOW_REMOTE"):
        config(base_url=url, allow_remote=(name,))


@pytest.mark.parametrize(
    ("field", "value", "variable"),
    [("base_url", "http://canary@localhost:8002/v1", "NVCLIP_BASE_URL"), ("api_key", "canary\n", "NVIDIA_API_KEY")],
)
def test_an_unusable_address_or_key_is_named_by_its_variable_and_not_quoted(
    field: str, value: str, variable: str
) -> None:
    with pytest.raises(ConfigError, match=variable) as caught:
        config(**{field: value})
    assert "canary" not in str(caught.value)


def test_an_empty_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="NVCLIP_MODEL"):
        config(model=" ")


def test_image_spec_has_the_configured_size() -> None:
    spec = NvclipEmbedder(config(image_size=448)).image_spec
    assert (spec.size, spec.mode, spec.jpeg_quality) == (448, "RGB", 95)


async def test_an_embedder_that_is_not_opened_raises() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await NvclipEmbedder(config()).fingerprint()
