"""Creates the language model that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.chat._anthropic import AnthropicModel
from mcp_cxr.chat._openai import OpenAIModel
from mcp_cxr.http_client import check_service

if TYPE_CHECKING:
    from mcp_cxr.chat._model import Model
    from mcp_cxr.settings import Settings

_MODELS = {"openai": OpenAIModel, "anthropic": AnthropicModel}


def create_model(settings: Settings) -> Model | None:
    """Return the configured model; None if there is none.

    Raises:
        ConfigError: Its address or key is unusable, or the address is on another machine that was not allowed.
    """
    if not settings.chat_model:
        return None
    key = settings.chat_key.get_secret_value() if settings.chat_key else None
    check_service(
        settings.chat_url,
        key,
        url_variable="MCP_CXR_CHAT_URL",
        key_variable="MCP_CXR_CHAT_KEY",
        example="http://localhost:11434/v1",
        data="questions and tool results",
        allowed_hosts=settings.allow_remote,
    )
    return _MODELS[settings.chat_api](settings.chat_model, settings.chat_url, key, allowed_hosts=settings.allow_remote)
