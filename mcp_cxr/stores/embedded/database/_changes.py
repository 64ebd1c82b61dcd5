"""What the database says of its own history, and answers that stay right as long as it says the same."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from sqlite3 import Connection

T = TypeVar("T")

_CHANGES = """
SELECT identity, removed, rewritten, facts, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'images'), 0)
FROM changes"""


@dataclass(frozen=True, slots=True)
class Changes:
    """The state that a transaction reads; see `schema.sql`."""

    identity: str
    removed: int
    rewritten: int
    facts: int
    last_slot: int

    @classmethod
    def of(cls, connection: Connection) -> Changes:
        """Ask the database."""
        return cls(*connection.execute(_CHANGES).fetchone())


class KeptAnswers:
    """Keeps the last `keep` answers to questions that are dear and asked again, until the database changes."""

    def __init__(self, *, keep: int) -> None:
        self._keep = keep
        self._kept: OrderedDict[Hashable, tuple[Changes, Any]] = OrderedDict()

    def to(self, question: Callable[..., T], connection: Connection, *about: Hashable) -> T:
        """Return `question(connection, *about)`, perhaps from before."""
        now = Changes.of(connection)
        then, answer = self._kept.pop((question, about), (None, None))
        if then != now:
            answer = question(connection, *about)
        self._kept[question, about] = now, answer
        if len(self._kept) > self._keep:
            self._kept.popitem(last=False)
        return cast("T", answer)
