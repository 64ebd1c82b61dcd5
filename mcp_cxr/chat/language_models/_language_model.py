"""A conversation's turns, and the language models behind HTTP that continue it, read as they generate.

`ChatModel` speaks OpenAI's Chat Completions API, which vLLM, Ollama, llama.cpp and others serve too; `AnthropicModel`
overrides what differs in Anthropic's Messages API.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from mcp_cxr.errors import CxrError
from mcp_cxr.http_client import HttpClient, HttpError, HttpLimits, Unreachable, check_service

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from mcp_types import Tool

    from mcp_cxr.http_client import StreamedReply
    from mcp_cxr.settings import Settings

_LIMITS = HttpLimits(
    deadline_s=1800,  # a long answer of a model on a CPU
    silence_s=120,  # a local model may read a long prompt before its first word
    max_body_bytes=16 << 20,
)
_SUCCESS = range(200, 300)
_MAX_REASON = 300  # characters of a service's error message
_ANTHROPIC_VERSION = "2023-06-01"
_CUT = "length"
"""`finish_reason` of a reply that was cut at the model's limit."""
_MAX_TOKENS = 4096  # of a reply; Anthropic requires a limit


class ModelFailed(CxrError):
    """The model's service cannot be reached, refuses the request, or its reply is incomplete."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call requested by a model."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LimitReached:
    """The reply ends here because the model may write no more in one."""


@dataclass(frozen=True, slots=True)
class ToolImage:
    """An image in a tool's result."""

    data: str
    """Base64."""
    mime_type: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a call, as it is sent to the model."""

    call: ToolCall
    text: str
    images: tuple[ToolImage, ...] = ()
    is_error: bool = False


@dataclass(slots=True)
class Turn:
    """One turn: of the user, or of the model with the results of its calls."""

    role: Literal["user", "assistant"]
    text: str = ""
    context: str = ""
    """What the user was looking at; sent after the text."""
    calls: list[ToolCall] = field(default_factory=list[ToolCall])
    answers: list[ToolResult] = field(default_factory=list[ToolResult])
    """To `calls`, in their order."""
    is_cut: bool = False
    """Whether the model reached its limit and may have had more to say."""


class ChatModel:
    """A model behind the Chat Completions API.

    Args:
        name: The service's name for the model.
        url: The service's base URL.
        key: API key, if the service requires one.
        allowed_hosts: As in MCP_CXR_ALLOW_REMOTE.
    """

    path = "/chat/completions"
    """After the base URL."""

    def __init__(self, name: str, url: str, key: str | None = None, *, allowed_hosts: tuple[str, ...] = ()) -> None:
        self.name = name
        self.url = url.rstrip("/")
        self._key = key
        self._allowed_hosts = allowed_hosts

    async def stream_reply(
        self, instructions: str, turns: Sequence[Turn], tools: Sequence[Tool]
    ) -> AsyncGenerator[str | ToolCall | LimitReached]:
        """Yield the reply's text in parts, then its tool calls, and `LimitReached` if it was cut at the model's limit.

        A call that was cut is left out.

        Raises:
            ModelFailed: With the reason in one line.
        """
        messages = [message for turn in turns for message in self._messages(turn)]
        body = {"model": self.name, "stream": True, **self._body(instructions, messages, tools)}
        headers = {"Content-Type": "application/json", **self._headers()}
        try:
            async with (
                HttpClient(_LIMITS, headers=headers, allowed_hosts=self._allowed_hosts) as client,
                client.stream("POST", self.url + self.path, body=json.dumps(body).encode()) as reply,
            ):
                if reply.status not in _SUCCESS:
                    raise ModelFailed(_refusal(self.name, reply.status, await reply.read()))
                async for part in self._read(reply):
                    yield part
        except Unreachable as exc:
            raise ModelFailed(
                f"The model's service at {self.url} cannot be reached ({exc}); check MCP_CXR_CHAT_URL and that it runs."
            ) from None
        except HttpError as exc:
            raise ModelFailed(f"The reply of the model's service at {self.url} failed ({exc}); try again.") from None
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise ModelFailed(
                f"The reply of {self.url} is not in the configured API's format; check MCP_CXR_CHAT_API and "
                "MCP_CXR_CHAT_URL."
            ) from exc

    async def _read(self, reply: StreamedReply) -> AsyncGenerator[str | ToolCall | LimitReached]:
        calls: dict[int, dict[str, str]] = {}
        is_complete = is_cut = False
        async for event in _events(reply):
            for choice in self._choices(event):
                is_complete |= bool(choice.get("finish_reason"))
                is_cut |= choice.get("finish_reason") == _CUT
                delta: dict[str, Any] = choice.get("delta") or {}
                if text := delta.get("content"):
                    yield text
                parts: list[dict[str, Any]] = delta.get("tool_calls") or []
                for part in parts:
                    _add_part(calls, part)
        if not is_complete:
            raise ModelFailed("The model's reply was cut off; try again.")
        for number, call in calls.items():
            if not is_cut or _is_whole(call):
                yield ToolCall(call["id"] or f"call_{number}", call["name"], _parsed_arguments(call["arguments"]))
        if is_cut:
            yield LimitReached()

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    def _body(self, instructions: str, messages: list[dict[str, Any]], tools: Sequence[Tool]) -> dict[str, Any]:
        return {
            "messages": [{"role": "system", "content": instructions}, *messages],
            "tools": [
                _function(name=tool.name, description=tool.description, parameters=tool.input_schema) for tool in tools
            ],
        }

    def _messages(self, turn: Turn) -> list[dict[str, Any]]:
        """Return a turn's messages: the user's prompt, or what the model wrote and the results of its calls."""
        if turn.role == "user":
            return [{"role": "user", "content": f"{turn.text}\n\n({turn.context})" if turn.context else turn.text}]
        return self._reply_messages(turn)

    def _reply_messages(self, turn: Turn) -> list[dict[str, Any]]:
        """Return messages with the images in one of the user at the end, because a tool message cannot hold any."""
        calls = [
            {"id": call.id, **_function(name=call.name, arguments=json.dumps(call.arguments))} for call in turn.calls
        ]
        images = [
            {"type": "image_url", "image_url": {"url": f"data:{image.mime_type};base64,{image.data}"}}
            for answer in turn.answers
            for image in answer.images
        ]
        caption = {"type": "text", "text": "The images in the tools' results:"}
        return [
            {"role": "assistant", "content": turn.text, **({"tool_calls": calls} if calls else {})},
            *({"role": "tool", "tool_call_id": answer.call.id, "content": answer.text} for answer in turn.answers),
            *([{"role": "user", "content": [caption, *images]}] if images else []),
        ]

    def _choices(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the parts of replies in an event of the stream, in the form of Chat Completions."""
        return event.get("choices") or []


class AnthropicModel(ChatModel):
    """A model behind Anthropic's Messages API."""

    path = "/v1/messages"

    def _headers(self) -> dict[str, str]:
        return {"anthropic-version": _ANTHROPIC_VERSION, **({"x-api-key": self._key} if self._key else {})}

    def _body(self, instructions: str, messages: list[dict[str, Any]], tools: Sequence[Tool]) -> dict[str, Any]:
        return {
            "max_tokens": _MAX_TOKENS,
            "system": instructions,
            "messages": messages,
            "tools": [
                {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}
                for tool in tools
            ],
        }

    def _reply_messages(self, turn: Turn) -> list[dict[str, Any]]:
        text = [{"type": "text", "text": turn.text}] if turn.text.strip() else []
        calls = [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in turn.calls]
        results = [
            {
                "type": "tool_result",
                "tool_use_id": answer.call.id,
                "is_error": answer.is_error,
                "content": [{"type": "text", "text": answer.text}, *map(_base64_image, answer.images)],
            }
            for answer in turn.answers
        ]
        reply = {"role": "assistant", "content": [*text, *calls]}
        return [reply, {"role": "user", "content": results}] if results else [reply]

    def _choices(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        part: dict[str, Any] = event.get("content_block") or event.get("delta") or {}
        match event["type"], part.get("type"):
            case "content_block_start", "tool_use":
                call = {"index": event["index"], "id": part["id"], "function": {"name": part["name"]}}
                return [{"delta": {"tool_calls": [call]}}]
            case "content_block_delta", "text_delta":
                return [{"delta": {"content": part["text"]}}]
            case "content_block_delta", "input_json_delta":
                call = {"index": event["index"], "function": {"arguments": part["partial_json"]}}
                return [{"delta": {"tool_calls": [call]}}]
            case "message_delta", _:
                return [{"finish_reason": _CUT if part.get("stop_reason") == "max_tokens" else None}]
            case kind, _:
                return [{"finish_reason": kind == "message_stop"}]


def create_model(settings: Settings) -> ChatModel | None:
    """Return the model that the settings name; None if there is none.

    Raises:
        ConfigError: The service's address or key is unusable, or it is on another machine that was not allowed.
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
    kind = AnthropicModel if settings.chat_api == "anthropic" else ChatModel
    return kind(settings.chat_model, settings.chat_url, key, allowed_hosts=settings.allow_remote)


async def _events(reply: StreamedReply) -> AsyncGenerator[dict[str, Any]]:
    """Yield the data of server-sent events; both APIs send each in one line, and errors in the same form.

    Raises:
        ModelFailed: The service reports an error.
    """
    async for line in reply.lines():
        data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if data and data != "[DONE]":
            event = json.loads(data)
            if event.get("error"):
                raise ModelFailed(f"The model's service failed: {_reason(event)}")
            yield event


def _add_part(calls: dict[int, dict[str, str]], part: dict[str, Any]) -> None:
    """Add a part of a call to the parts before it; some services send a call in one part, without an index."""
    call = calls.setdefault(part.get("index", len(calls)), {"id": "", "name": "", "arguments": ""})
    function: dict[str, Any] = part.get("function") or {}
    call["id"] = part.get("id") or call["id"]
    for name in ("name", "arguments"):
        call[name] += function.get(name) or ""


def _is_whole(call: dict[str, str]) -> bool:
    """Whether a call was written to its end: cut JSON is no JSON."""
    try:
        return isinstance(json.loads(call["arguments"]), dict)
    except ValueError:
        return False


def _parsed_arguments(text: str) -> dict[str, Any]:
    """Return a call's arguments; text that is no JSON object is passed to the tool, which reports what it needs."""
    try:
        arguments = json.loads(text or "{}")
    except ValueError:
        arguments = None
    return cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else {"arguments": text}


def _function(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"type": "function", "function": fields}


def _base64_image(image: ToolImage) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": image.mime_type, "data": image.data}}


def _refusal(name: str, status: int, body: bytes) -> str:
    try:
        reason = _reason(json.loads(body))
    except ValueError:
        reason = ""
    return f"The service of the model {name} answers {status}{f' ({reason})' if reason else ''}."


def _reason(error: Any) -> str:  # noqa: ANN401 - JSON of the service
    """Return the reason in one line, from `{"error": {"message": reason}}` or any part of it."""
    for name in ("error", "message"):
        error = cast("dict[str, Any]", error).get(name, error) if isinstance(error, dict) else error
    return " ".join(str(error).split())[:_MAX_REASON]
