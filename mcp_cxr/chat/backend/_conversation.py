"""A conversation between the user and a language model that may call the tools."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcp import MCPError

from mcp_cxr.chat.backend._backend import text_of
from mcp_cxr.chat.language_models import ChatModel, LimitReached, ToolCall, ToolImage, ToolResult, Turn

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import Tool

    from mcp_cxr.chat.backend._backend import Backend

_MAX_ROUNDS = 12
_STOPPED = "Not executed: the user stopped the reply."
_DENIED = "The user declined this call."
_INSTRUCTIONS = (
    "You help a user search their archive of chest X-rays with the given tools. The user sees the images that "
    "search_medical_images finds beside your answer: name them by rank and image id, and do not describe them again. "
)


@dataclass(slots=True)
class PendingConsent:
    """A tool call that changes the archive and waits for the user's consent."""

    call: ToolCall
    answer: Future[bool] = field(default_factory=Future[bool])

    def answer_once(self, *, yes: bool) -> None:
        """Set the answer unless it is already set."""
        if not self.answer.done():
            self.answer.set_result(yes)


class Conversation:
    """The turns so far. The page reads them while the model continues."""

    def __init__(self, backend: Backend, model: ChatModel) -> None:
        self._backend = backend
        self.model = model
        self.turns: list[Turn] = []
        self.context = ""
        """What the user is viewing; sent along with their next message."""
        self.pending_consent: PendingConsent | None = None
        self.reply: Future[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the model is still answering."""
        return self.reply is not None and not self.reply.done()

    def send(self, text: str) -> None:
        """Send a message to the model and let it answer."""
        self.turns.append(Turn("user", text, context=self.context))
        self.context = ""
        self.reply = self._backend.loop.start(self._reply())

    def stop(self) -> None:
        """Stop the model; what it has written stays."""
        if self.reply:
            self.reply.cancel()

    async def _reply(self) -> None:
        """Let the model write and call tools until a turn has no calls.

        Raises:
            CxrError: The model's service or the server fails.
        """
        instructions, tools = await self._backend.model_server.run(_instructions_and_tools)
        for _ in range(_MAX_ROUNDS):
            turn = Turn("assistant")
            so_far = tuple(self.turns)
            self.turns.append(turn)
            try:
                async for part in self.model.stream_reply(instructions, so_far, tools):
                    if isinstance(part, ToolCall):
                        turn.calls.append(part)
                    elif isinstance(part, LimitReached):
                        turn.is_cut = True
                    else:
                        turn.text += part
                for call in turn.calls:
                    turn.answers.append(await self._call(call, tools))
            finally:
                self._settle(turn)
            if not turn.calls:
                return
        self.turns.append(
            Turn("assistant", f"(Stopped after {_MAX_ROUNDS} rounds of tool calls; send a message to continue.)")
        )

    async def _call(self, call: ToolCall, tools: list[Tool]) -> ToolResult:
        """Call a tool for the model; a tool that writes waits for the user's consent."""
        tool = next((tool for tool in tools if tool.name == call.name), None)
        if tool is None:
            return ToolResult(call, f"There is no tool {call.name}.", is_error=True)
        if not (tool.annotations and tool.annotations.read_only_hint) and not await self._has_consent(call):
            return ToolResult(call, _DENIED, is_error=True)
        try:
            result = await self._backend.model_server.call(call.name, call.arguments)
        except MCPError as exc:
            return ToolResult(call, str(exc), is_error=True)
        images = tuple(ToolImage(block.data, block.mime_type) for block in result.content if block.type == "image")
        return ToolResult(call, text_of(result), images, is_error=bool(result.is_error))

    async def _has_consent(self, call: ToolCall) -> bool:
        self.pending_consent = PendingConsent(call)
        try:
            return await asyncio.wrap_future(self.pending_consent.answer)
        finally:
            self.pending_consent = None

    def _settle(self, turn: Turn) -> None:
        """Make the turn valid for every API: each call has an answer, and no turn is empty."""
        turn.answers += [ToolResult(call, _STOPPED, is_error=True) for call in turn.calls[len(turn.answers) :]]
        if not turn.text.strip() and not turn.calls and not turn.is_cut:
            self.turns.remove(turn)


async def _instructions_and_tools(client: Client) -> tuple[str, list[Tool]]:
    """Return the system prompt and the tools; tools for the viewer alone are left out."""
    tools = (await client.list_tools()).tools
    return _INSTRUCTIONS + (client.instructions or ""), [tool for tool in tools if not _is_for_apps(tool)]


def _is_for_apps(tool: Tool) -> bool:
    ui: dict[str, Any] = (tool.meta or {}).get("ui") or {}
    return "model" not in ui.get("visibility", ["model"])
