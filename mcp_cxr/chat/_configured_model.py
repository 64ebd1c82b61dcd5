"""Which model is talked with, and whether it may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.chat._anthropic import AnthropicModel
from mcp_cxr.chat._openai import OpenAIModel
from mcp_cxr.errors import ConfigError
from mcp_cxr.loopback import is_allowed, remote_name

if TYPE_CHECKING:
    from mcp_cxr.chat._model import Model
    from mcp_cxr.settings import Settings

_WAYS = {"openai": OpenAIModel, "anthropic": AnthropicModel}


def create_model(settings: Settings) -> Model | None:
    """Return the model that the settings name; None where they name none.

    Raises:
        ConfigError: Its address is unusable, or leads beyond this machine to a host that was not named.
    """
    if not settings.chat_model:
        return None
    try:
        name = remote_name(settings.chat_url)
    except ValueError:
        raise ConfigError(
            "MCP_CXR_CHAT_URL is no plain address such as http://localhost:11434/v1 (a key goes into MCP_CXR_CHAT_KEY)."
        ) from None
    if name and not is_allowed(name, settings.allow_remote):
        raise ConfigError(
            f"MCP_CXR_CHAT_URL leads beyond this machine, and {name} was not named. Take a model of your own, or set "
            f"MCP_CXR_ALLOW_REMOTE={name} to let what is typed and what tools answer go there."
        )
    key = settings.chat_key.get_secret_value() if settings.chat_key else None
    if key is not None and not (key.isascii() and key.isprintable()):  # else it would be quoted in an error
        raise ConfigError("MCP_CXR_CHAT_KEY holds characters that no key has; set it again, without line breaks.")
    return _WAYS[settings.chat_api](settings.chat_model, settings.chat_url, key)
