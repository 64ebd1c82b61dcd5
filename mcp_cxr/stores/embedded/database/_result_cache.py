"""Detects changes of the database, and keeps results of queries until it changes."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from sqlite3 import Connection

T = TypeVar("T")

_CHANGES = """
SELECT identity, removed, rewritten, facts, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'images'), 0)
FROM changes"""


@dataclass(frozen=True, slots=True)
class Changes:
    """Counters that identify the state a transaction reads; see `schema.sql`."""

    identity: str
    removed: int
    rewritten: int
    facts: int
    last_slot: int

    @classmethod
    def of(cls, connection: Connection) -> Changes:
        """Read the counters."""
        return cls(*connection.execute(_CHANGES).fetchone())


class ResultCache:
    """Keeps the last `capacity` results of slow queries until the database changes."""

    def __init__(self, *, capacity: int) -> None:
        self._capacity = capacity
        self._cached: OrderedDict[Hashable, tuple[Changes, Any]] = OrderedDict()

    def get(
        self, query: Callable[..., T], connection: Connection, *args: Hashable, unkeyed: Mapping[str, Any] | None = None
    ) -> T:
        """Return `query(connection, *args, **unkeyed)`, from the cache if nothing has changed since.

        Args:
            query: Its result depends on the state of the database and `args`, not on `unkeyed`.
            unkeyed: What it reads faster with.
        """
        now = Changes.of(connection)
        then, result = self._cached.pop((query, args), (None, None))
        if then != now:
            result = query(connection, *args, **(unkeyed or {}))
        self._cached[query, args] = now, result
        if len(self._cached) > self._capacity:
            self._cached.popitem(last=False)
        return cast("T", result)
