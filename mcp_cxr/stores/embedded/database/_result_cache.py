"""Detects changes of the database, and keeps results of queries until it changes."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from sqlite3 import Connection

    from mcp_cxr.records import RankedImage

T = TypeVar("T")

_MAX_RANKED = 30_000  # hits that are kept, of all rankings together: some 9 MB

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


class StaleCopy(Exception):
    """The copy does not fit this state of the database: update it, and query again in a new transaction."""


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

    def clear(self) -> None:
        """Remove all results."""
        self._cached.clear()


@dataclass(frozen=True, slots=True)
class _Ranking:
    hits: list[RankedImage]
    limit: int
    """How many were asked for: fewer hits are all there are."""

    def has(self, limit: int) -> bool:
        return limit <= self.limit or len(self.hits) < self.limit


class RankingCache:
    """Keeps the rankings of the last questions, so that the same question and its next pages need not be ranked again.

    They are valid while the database does not change, and are dropped as soon as a change is seen.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._of: Changes | None = None
        self._cached: OrderedDict[Hashable, _Ranking] = OrderedDict()
        self._ranked = 0

    def get(
        self,
        rank: Callable[..., list[RankedImage]],
        connection: Connection,
        *question: Hashable,
        limit: int,
        unkeyed: Mapping[str, Any],
    ) -> list[RankedImage]:
        """Return the first `limit` hits of `rank(connection, *question, limit=limit, **unkeyed)`.

        Args:
            rank: Returns hits in an order that depends on the state of the database and `question` alone.
            unkeyed: What it ranks faster with.
        """
        now, key = Changes.of(connection), (rank, question)
        with self._lock:
            kept = self._cached.get(key) if self._of == now else None
        if kept is None or not kept.has(limit):
            kept = _Ranking(rank(connection, *question, limit=limit, **unkeyed), limit)
        with self._lock:
            self._keep(now, key, kept)
        return kept.hits[:limit]

    def clear(self) -> None:
        """Remove all rankings."""
        with self._lock:
            self._remove_all()

    def _keep(self, now: Changes, key: Hashable, ranking: _Ranking) -> None:
        if self._of != now:
            self._of = now
            self._remove_all()
        if replaced := self._cached.pop(key, None):
            self._ranked -= len(replaced.hits)
        self._cached[key] = ranking
        self._ranked += len(ranking.hits)
        while self._ranked > _MAX_RANKED:
            _, oldest = self._cached.popitem(last=False)
            self._ranked -= len(oldest.hits)

    def _remove_all(self) -> None:
        self._cached.clear()
        self._ranked = 0
