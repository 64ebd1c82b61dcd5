"""OpenAI's chat completions, which vLLM, Ollama, llama.cpp and others speak, too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mcp_cxr.chat._model import Model, arguments_in, failure, require_whole
from mcp_cxr.chat._turns import ToolCall

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from mcp_types import Tool

    from mcp_cxr.chat._turns import ToolImage, Turn


class OpenAIModel(Model):
    """Asks for chat completions."""

    path = "/chat/completions"

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    def body(self, instructions: str, turns: Sequence[Turn], tools: Sequence[Tool]) -> dict[str, Any]:
        messages = [message for turn in turns for message in _messages(turn)]
        return {
            "messages": [{"role": "system", "content": instructions}, *messages],
            "tools": [
                _function(name=tool.name, description=tool.description, parameters=tool.input_schema) for tool in tools
            ],
        }

    async def read(self, events: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[str | ToolCall]:
        calls: dict[int, dict[str, str]] = {}
        is_whole = False
        async for event in events:
            if event.get("error"):
                raise failure(event)
            choices: list[dict[str, Any]] = event.get("choices") or []
            for choice in choices:
                is_whole |= bool(choice.get("finish_reason"))
                delta: dict[str, Any] = choice.get("delta") or {}
                if text := delta.get("content"):
                    yield text
                parts: list[dict[str, Any]] = delta.get("tool_calls") or []
                for part in parts:
                    _gather(calls, part)
        require_whole(is_whole=is_whole)
        for number, call in calls.items():
            yield ToolCall(call["id"] or f"call_{number}", call["name"], arguments_in(call["arguments"]))


def _gather(calls: dict[int, dict[str, str]], part: dict[str, Any]) -> None:
    """Add a bit of a call to what there is of it; some services send calls whole, without a number."""
    call = calls.setdefault(part.get("index", len(calls)), {"id": "", "name": "", "arguments": ""})
    function: dict[str, Any] = part.get("function") or {}
    call["id"] = part.get("id") or call["id"]
    for name in ("name", "arguments"):
        call[name] += function.get(name) or ""


def _messages(turn: Turn) -> list[dict[str, Any]]:
    """Return a turn; pictures follow in a message of the person's, for a tool's may hold none."""
    if turn.role == "user":
        return [{"role": "user", "content": turn.sent}]
    said: dict[str, Any] = {"role": "assistant", "content": turn.text}
    if turn.calls:
        said["tool_calls"] = [
            {"id": call.id, **_function(name=call.name, arguments=json.dumps(call.arguments))} for call in turn.calls
        ]
    answers = [{"role": "tool", "tool_call_id": one.call.id, "content": one.text} for one in turn.answers]
    pictures = [_picture(picture) for one in turn.answers for picture in one.pictures]
    told = {"type": "text", "text": "The pictures that the tools answered with:"}
    return [said, *answers, *([{"role": "user", "content": [told, *pictures]}] if pictures else [])]


def _function(**facts: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"type": "function", "function": facts}


def _picture(picture: ToolImage) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:{picture.mime_type};base64,{picture.data}"}}
