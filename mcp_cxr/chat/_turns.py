"""The turns of a conversation, independent of any service's format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call requested by a model."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolImage:
    """A picture in a tool's result."""

    data: str
    """Base64."""
    mime_type: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a call, as it is sent to the model."""

    call: ToolCall
    text: str
    pictures: tuple[ToolImage, ...] = ()
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

    @property
    def prompt(self) -> str:
        """The text of a user's turn as it is sent to the model."""
        return f"{self.text}\n\n({self.context})" if self.context else self.text
