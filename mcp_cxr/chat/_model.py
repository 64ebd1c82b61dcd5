"""A language model behind HTTP whose reply is read as it is generated."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, cast

from mcp_cxr.errors import CxrError
from mcp_cxr.http_client import HttpClient, HttpError, HttpLimits, Unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from mcp_types import Tool

    from mcp_cxr.chat._turns import ToolCall, Turn
    from mcp_cxr.http_client import StreamedReply

_LIMITS = HttpLimits(
    deadline_s=1800,  # a long answer of a model on a CPU
    silence_s=120,  # a local model may read a long prompt before its first word
    max_body_bytes=16 << 20,
)
_SUCCESS = range(200, 300)
_MAX_REASON = 300  # characters of a service's error message


class ModelFailed(CxrError):
    """The model's service cannot be reached, refuses the request, or its reply is incomplete."""


class Model(ABC):
    """A model of a service; each subclass speaks one API.

    Args:
        name: The service's name for it.
        url: The service's base URL.
        key: API key, if the service requires one.
        allowed_hosts: As in MCP_CXR_ALLOW_REMOTE.
    """

    path: ClassVar[str]
    """After the base URL."""

    def __init__(self, name: str, url: str, key: str | None = None, *, allowed_hosts: tuple[str, ...] = ()) -> None:
        self.name = name
        self.url = url.rstrip("/")
        self._key = key
        self._allowed_hosts = allowed_hosts

    async def stream_reply(
        self, instructions: str, turns: Sequence[Turn], tools: Sequence[Tool]
    ) -> AsyncGenerator[str | ToolCall]:
        """Yield the reply's text in parts, and each tool call once it is complete.

        Raises:
            ModelFailed: With the reason in one line.
        """
        body = {"model": self.name, "stream": True, **self.body(instructions, turns, tools)}
        headers = {"Content-Type": "application/json", **self.headers()}
        try:
            async with (
                HttpClient(_LIMITS, headers=headers, allowed_hosts=self._allowed_hosts) as client,
                client.stream("POST", self.url + self.path, body=json.dumps(body).encode()) as reply,
            ):
                if reply.status not in _SUCCESS:
                    raise ModelFailed(_refusal(self.name, reply.status, await reply.read()))
                async for part in self.read(_events(reply)):
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

    @abstractmethod
    def headers(self) -> dict[str, str]:
        """Return the headers that carry the key."""

    @abstractmethod
    def body(self, instructions: str, turns: Sequence[Turn], tools: Sequence[Tool]) -> dict[str, Any]:
        """Return the request, without the fields that all APIs share."""

    @abstractmethod
    def read(self, events: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[str | ToolCall]:
        """Yield the text and the tool calls in a stream's events.

        Raises:
            ModelFailed: The service reports an error, or the stream ends early.
        """


def interrupted() -> ModelFailed:
    """Return the error for a stream that ended early."""
    return ModelFailed("The model's reply was cut off; try again.")


def reported(error: Any) -> ModelFailed:  # noqa: ANN401 - JSON of the service
    """Return the error for a failure that a service reports within its stream."""
    return ModelFailed(f"The model's service failed: {_reason(error)}")


def parsed_arguments(text: str) -> dict[str, Any]:
    """Return a call's arguments; text that is no JSON object is passed to the tool, which reports what it needs."""
    try:
        arguments = json.loads(text or "{}")
    except ValueError:
        arguments = None
    return cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else {"arguments": text}


async def _events(reply: StreamedReply) -> AsyncGenerator[dict[str, Any]]:
    """Yield the data of server-sent events; both APIs send each in one line."""
    async for line in reply.lines():
        data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if data and data != "[DONE]":
            yield json.loads(data)


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
