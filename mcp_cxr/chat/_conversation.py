"""A conversation: what the person says, what the model says, and the tools it calls between."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcp import MCPError

from mcp_cxr.chat._backend import text_of
from mcp_cxr.chat._job import Job
from mcp_cxr.chat._turns import ToolCall, ToolImage, ToolResult, Turn

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult, Tool

    from mcp_cxr.chat._backend import Desk
    from mcp_cxr.chat._model import Model

_MOST_ROUNDS = 12
_STOPPED = "Not answered: the person stopped it."
_DENIED = "The person said no to this call."
_MANNERS = (
    "You help a person to search their archive of chest X-rays, with the tools given. The person sees the films that "
    "search_medical_images finds beside your answer: name them by rank and image id, and do not repeat what they show. "
)


@dataclass(slots=True)
class Asked:
    """A call that writes waits for the person's yes."""

    call: ToolCall
    answer: Future[bool] = field(default_factory=Future[bool])

    def settle(self, *, yes: bool) -> None:
        """Answer, if nobody has."""
        if not self.answer.done():
            self.answer.set_result(yes)


class Conversation:
    """What was said so far. The page reads it while the model goes on."""

    def __init__(self, desk: Desk, model: Model) -> None:
        self._desk = desk
        self.model = model
        self.turns: list[Turn] = []
        self.context = ""
        """What the person looks at in the viewer; told with what they say next."""
        self.asked: Asked | None = None
        self.job: Job[None, None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the model is at it."""
        return self.job is not None and self.job.is_running

    def say(self, text: str) -> None:
        """Say something to the model, which then goes on by itself."""
        self.turns.append(Turn("user", text, context=self.context))
        self.context = ""
        self.job = Job(self._desk.loop, lambda _: self._go_on())

    def stop(self) -> None:
        """Have the model stop; what it said stays."""
        if self.job:
            self.job.stop()

    async def _go_on(self) -> None:
        """Let the model speak and call, until it calls no more.

        Raises:
            CxrError: The model's service or the server fails.
        """
        instructions, tools = await self._desk.model.ask(_offer)
        for _ in range(_MOST_ROUNDS):
            turn = Turn("assistant")
            so_far = tuple(self.turns)
            self.turns.append(turn)
            try:
                async for said in self.model.stream_reply(instructions, so_far, tools):
                    if isinstance(said, ToolCall):
                        turn.calls.append(said)
                    else:
                        turn.text += said
                for call in turn.calls:
                    turn.answers.append(await self._call(call, tools))
            finally:
                self._settle(turn)
            if not turn.calls:
                return
        self.turns.append(Turn("assistant", f"(Stopped after {_MOST_ROUNDS} rounds of calls: say how to go on.)"))

    async def _call(self, call: ToolCall, tools: list[Tool]) -> ToolResult:
        """Call a tool as the model wants it; a tool that writes waits for the person."""
        tool = next((one for one in tools if one.name == call.name), None)
        if tool is None:
            return ToolResult(call, f"There is no tool {call.name}.", is_error=True)
        if not (tool.annotations and tool.annotations.read_only_hint) and not await self._may(call):
            return ToolResult(call, _DENIED, is_error=True)
        try:
            result = await self._desk.model.call(call.name, call.arguments)
        except MCPError as exc:
            return ToolResult(call, str(exc), is_error=True)
        return ToolResult(call, text_of(result), _pictures(result), is_error=bool(result.is_error))

    async def _may(self, call: ToolCall) -> bool:
        self.asked = Asked(call)
        try:
            return await asyncio.wrap_future(self.asked.answer)
        finally:
            self.asked = None

    def _settle(self, turn: Turn) -> None:
        """Leave nothing that no service would take: each call has an answer, no turn is empty."""
        turn.answers += [ToolResult(call, _STOPPED, is_error=True) for call in turn.calls[len(turn.answers) :]]
        if not turn.text.strip() and not turn.calls:
            self.turns.remove(turn)


async def _offer(client: Client) -> tuple[str, list[Tool]]:
    """Return what the model is told first, and its tools: those that are for the viewer alone are not."""
    tools = (await client.list_tools()).tools
    return _MANNERS + (client.instructions or ""), [tool for tool in tools if not _is_for_pages(tool)]


def _is_for_pages(tool: Tool) -> bool:
    ui: dict[str, Any] = (tool.meta or {}).get("ui") or {}
    return "model" not in ui.get("visibility", ["model"])


def _pictures(result: CallToolResult) -> tuple[ToolImage, ...]:
    return tuple(ToolImage(block.data, block.mime_type) for block in result.content if block.type == "image")
