"""A language model behind HTTP, asked for the next part of a conversation; what it says comes as it says it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, cast

import httpx

from mcp_cxr.errors import CxrError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from mcp_types import Tool

    from mcp_cxr.chat._turns import ToolCall, Turn

_CONNECT_S, _SILENT_S = 5, 120  # a local model may read a long prompt before its first word
_LONGEST_REASON = 300  # characters of a service's own words


class ModelFailed(CxrError):
    """The model's service cannot be reached, refuses, or breaks off."""


class Model(ABC):
    """A model by its name, at an address; each subclass is a way to ask.

    Args:
        name: What the service calls it.
        url: The service's base URL.
        key: Sent where the service wants one.
    """

    path: ClassVar[str]
    """After the base URL."""

    def __init__(self, name: str, url: str, key: str | None = None) -> None:
        self.name = name
        self.url = url.rstrip("/")
        self._key = key

    async def stream_reply(
        self, instructions: str, turns: Sequence[Turn], tools: Sequence[Tool]
    ) -> AsyncGenerator[str | ToolCall]:
        """Yield what the model says, bit by bit, and the calls it wants, each whole.

        Raises:
            ModelFailed: In one line, why.
        """
        body = {"model": self.name, "stream": True, **self.body(instructions, turns, tools)}
        try:
            # No proxy of the environment is asked: it would read what is meant for the model alone.
            async with (
                httpx.AsyncClient(timeout=httpx.Timeout(_SILENT_S, connect=_CONNECT_S), trust_env=False) as client,
                client.stream("POST", self.url + self.path, json=body, headers=self.headers()) as reply,
            ):
                if not reply.is_success:
                    raise ModelFailed(_refusal(self.name, reply.status_code, await reply.aread()))
                async for said in self.read(_events(reply)):
                    yield said
        except httpx.HTTPError as exc:
            raise ModelFailed(
                f"The model's service at {self.url} cannot be reached or broke off ({type(exc).__name__}); check "
                "MCP_CXR_CHAT_URL and that it is up."
            ) from exc
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise ModelFailed(
                f"What {self.url} answers is no stream of its kind; check MCP_CXR_CHAT_API and MCP_CXR_CHAT_URL."
            ) from exc

    @abstractmethod
    def headers(self) -> dict[str, str]:
        """Return the headers that carry the key."""

    @abstractmethod
    def body(self, instructions: str, turns: Sequence[Turn], tools: Sequence[Tool]) -> dict[str, Any]:
        """Return the request, but for what all services take alike."""

    @abstractmethod
    def read(self, events: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[str | ToolCall]:
        """Yield what a stream's events say.

        Raises:
            ModelFailed: The service tells of an error, or the stream ends before it is over.
        """


def require_whole(*, is_whole: bool) -> None:
    """Refuse a stream that ended before it was over.

    Raises:
        ModelFailed: It did.
    """
    if not is_whole:
        raise ModelFailed("The model's service broke off in the middle; ask again.")


def arguments_in(packed: str) -> dict[str, Any]:
    """Return a call's arguments; what is no object is handed to the tool, which then says what it wants."""
    try:
        arguments = json.loads(packed or "{}")
    except ValueError:
        arguments = None
    return cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else {"arguments": packed}


def failure(error: Any) -> ModelFailed:  # noqa: ANN401 - JSON of others
    """Return the error that a service tells of in its stream."""
    return ModelFailed(f"The model's service failed: {_reason(error)}")


async def _events(reply: httpx.Response) -> AsyncGenerator[dict[str, Any]]:
    """Yield the data of server-sent events; one line each, as both kinds of service send them."""
    async for line in reply.aiter_lines():
        data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if data and data != "[DONE]":
            yield json.loads(data)


def _refusal(name: str, status: int, body: bytes) -> str:
    try:
        reason = _reason(json.loads(body))
    except ValueError:
        reason = ""
    return f"The model {name} was not asked: its service answers {status}{f' ({reason})' if reason else ''}."


def _reason(error: Any) -> str:  # noqa: ANN401 - JSON of others
    """Return why, in one line: `{"error": {"message": why}}`, or any part of that."""
    for name in ("error", "message"):
        error = cast("dict[str, Any]", error).get(name, error) if isinstance(error, dict) else error
    return " ".join(str(error).split())[:_LONGEST_REASON]
