"""Clients of language models: of services that speak Chat Completions or Anthropic's Messages."""

from mcp_cxr.chat.language_models._language_model import (
    AnthropicModel,
    ChatModel,
    LimitReached,
    ModelFailed,
    ToolCall,
    ToolImage,
    ToolResult,
    Turn,
    create_model,
)

__all__ = [
    "AnthropicModel",
    "ChatModel",
    "LimitReached",
    "ModelFailed",
    "ToolCall",
    "ToolImage",
    "ToolResult",
    "Turn",
    "create_model",
]
