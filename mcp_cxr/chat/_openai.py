"""OpenAI's Chat Completions API, which vLLM, Ollama, llama.cpp and others serve too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mcp_cxr.chat._model import Model, interrupted, parsed_arguments, reported
from mcp_cxr.chat._turns import ToolCall

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from mcp_types import Tool

    from mcp_cxr.chat._turns import ToolImage, Turn


class OpenAIModel(Model):
    """A model behind the Chat Completions API."""

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
        is_complete = False
        async for event in events:
            if event.get("error"):
                raise reported(event)
            choices: list[dict[str, Any]] = event.get("choices") or []
            for choice in choices:
                is_complete |= bool(choice.get("finish_reason"))
                delta: dict[str, Any] = choice.get("delta") or {}
                if text := delta.get("content"):
                    yield text
                parts: list[dict[str, Any]] = delta.get("tool_calls") or []
                for part in parts:
                    _add_part(calls, part)
        if not is_complete:
            raise interrupted()
        for number, call in calls.items():
            yield ToolCall(call["id"] or f"call_{number}", call["name"], parsed_arguments(call["arguments"]))


def _add_part(calls: dict[int, dict[str, str]], part: dict[str, Any]) -> None:
    """Add a part of a call to the parts before it; some services send a call in one part, without an index."""
    call = calls.setdefault(part.get("index", len(calls)), {"id": "", "name": "", "arguments": ""})
    function: dict[str, Any] = part.get("function") or {}
    call["id"] = part.get("id") or call["id"]
    for name in ("name", "arguments"):
        call[name] += function.get(name) or ""


def _messages(turn: Turn) -> list[dict[str, Any]]:
    """Return a turn's messages; images follow in a user message, because a tool message cannot hold any."""
    if turn.role == "user":
        return [{"role": "user", "content": turn.prompt}]
    assistant: dict[str, Any] = {"role": "assistant", "content": turn.text}
    if turn.calls:
        assistant["tool_calls"] = [
            {"id": call.id, **_function(name=call.name, arguments=json.dumps(call.arguments))} for call in turn.calls
        ]
    results = [{"role": "tool", "tool_call_id": one.call.id, "content": one.text} for one in turn.answers]
    images = [_image(image) for one in turn.answers for image in one.pictures]
    caption = {"type": "text", "text": "The images in the tools' results:"}
    return [assistant, *results, *([{"role": "user", "content": [caption, *images]}] if images else [])]


def _function(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"type": "function", "function": fields}


def _image(image: ToolImage) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:{image.mime_type};base64,{image.data}"}}
