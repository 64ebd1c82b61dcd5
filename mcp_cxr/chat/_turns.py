"""What is said in a conversation, however a model's service wants it written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that a model wants."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ImageBlock:
    """A picture that a tool answered with."""

    data: str
    """Base64."""
    mime_type: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What a tool answered, as the model is given it."""

    call: Call
    text: str
    pictures: tuple[ImageBlock, ...] = ()
    is_error: bool = False


@dataclass(slots=True)
class Turn:
    """One turn: of the person, or of the model with the answers to its calls."""

    role: Literal["user", "assistant"]
    text: str = ""
    aside: str = ""
    """What the person was looking at; sent after the text."""
    calls: list[Call] = field(default_factory=list[Call])
    answers: list[Answered] = field(default_factory=list[Answered])
    """To `calls`, in their order."""

    @property
    def sent(self) -> str:
        """What the model is given of a person's turn."""
        return f"{self.text}\n\n({self.aside})" if self.aside else self.text
