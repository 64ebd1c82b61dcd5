"""What is said in a conversation, however a model's service wants it written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call that a model wants."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolImage:
    """A picture that a tool answered with."""

    data: str
    """Base64."""
    mime_type: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered, as the model is given it."""

    call: ToolCall
    text: str
    pictures: tuple[ToolImage, ...] = ()
    is_error: bool = False


@dataclass(slots=True)
class Turn:
    """One turn: of the person, or of the model with the answers to its calls."""

    role: Literal["user", "assistant"]
    text: str = ""
    context: str = ""
    """What the person was looking at; sent after the text."""
    calls: list[ToolCall] = field(default_factory=list[ToolCall])
    answers: list[ToolResult] = field(default_factory=list[ToolResult])
    """To `calls`, in their order."""

    @property
    def sent(self) -> str:
        """What the model is given of a person's turn."""
        return f"{self.text}\n\n({self.context})" if self.context else self.text
