"""Clients of language models that the user talks with: of services that speak Chat Completions or Anthropic's Messages."""

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
