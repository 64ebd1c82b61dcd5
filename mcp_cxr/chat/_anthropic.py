"""Anthropic's Messages API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_cxr.chat._model import Model, interrupted, parsed_arguments, reported
from mcp_cxr.chat._turns import ToolCall

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from mcp_types import Tool

    from mcp_cxr.chat._turns import ToolImage, ToolResult, Turn

_VERSION = "2023-06-01"
_MAX_TOKENS = 4096


class AnthropicModel(Model):
    """A model behind the Messages API."""

    path = "/v1/messages"

    def headers(self) -> dict[str, str]:
        return {"anthropic-version": _VERSION, **({"x-api-key": self._key} if self._key else {})}

    def body(self, instructions: str, turns: Sequence[Turn], tools: Sequence[Tool]) -> dict[str, Any]:
        return {
            "max_tokens": _MAX_TOKENS,
            "system": instructions,
            "messages": [message for turn in turns for message in _messages(turn)],
            "tools": [
                {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}
                for tool in tools
            ],
        }

    async def read(self, events: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[str | ToolCall]:
        block: dict[str, Any] = {}
        arguments = ""
        async for event in events:
            match event["type"]:
                case "content_block_start":
                    block, arguments = event["content_block"], ""
                case "content_block_delta" if event["delta"]["type"] == "text_delta":
                    yield event["delta"]["text"]
                case "content_block_delta" if event["delta"]["type"] == "input_json_delta":
                    arguments += event["delta"]["partial_json"]
                case "content_block_stop" if block["type"] == "tool_use":
                    yield ToolCall(block["id"], block["name"], parsed_arguments(arguments))
                case "message_stop":
                    return
                case "error":
                    raise reported(event)
                case _:
                    pass
        raise interrupted()


def _messages(turn: Turn) -> list[dict[str, Any]]:
    if turn.role == "user":
        return [{"role": "user", "content": turn.prompt}]
    content: list[dict[str, Any]] = [{"type": "text", "text": turn.text}] if turn.text.strip() else []
    content += [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in turn.calls]
    results = [{"role": "user", "content": [_result(answer) for answer in turn.answers]}]
    return [{"role": "assistant", "content": content}, *(results if turn.answers else [])]


def _result(result: ToolResult) -> dict[str, Any]:
    return {
        "type": "tool_result",
        "tool_use_id": result.call.id,
        "is_error": result.is_error,
        "content": [{"type": "text", "text": result.text}, *map(_image, result.pictures)],
    }


def _image(image: ToolImage) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": image.mime_type, "data": image.data}}
