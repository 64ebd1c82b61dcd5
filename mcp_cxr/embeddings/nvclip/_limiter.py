"""How many requests are under way at once: found by trying, as TCP finds its window."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_START = 4
_WIDEST = 16
_STREAK = 16  # successes that earn one more


class AdaptiveLimiter:
    """One more at once after 16 successes, half as many when the service falters; from 1 to 16."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(_START)
        self._streak = 0
        self._round = 0

    @property
    def limit(self) -> int:
        """How many may be under way now."""
        return int(self._limiter.total_tokens)

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[int]:
        """Wait for a turn; yields the round, to hand back when it falters."""
        async with self._limiter:
            yield self._round

    def record_success(self) -> None:
        """Count towards one more."""
        self._streak += 1
        if self._streak >= _STREAK:
            self._streak = 0
            self._limiter.total_tokens = min(self.limit + 1, _WIDEST)

    def record_overload(self, begun: int) -> None:
        """Halve, once for all requests of one round: sixteen refusals of one moment are one piece of news."""
        if begun == self._round:
            self._round += 1
            self._streak = 0
            self._limiter.total_tokens = max(self.limit // 2, 1)
