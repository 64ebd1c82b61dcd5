"""Limits concurrent requests adaptively: additive increase, multiplicative decrease, as TCP's congestion window."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_INITIAL = 4
_MAX = 16
_STREAK = 16  # successes before the limit grows by one


class AdaptiveLimiter:
    """A limit from 1 to 16 that grows by one after 16 successes in a row and is halved on overload."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(_INITIAL)
        self._streak = 0
        self._round = 0

    @property
    def limit(self) -> int:
        """How many requests may run now."""
        return int(self._limiter.total_tokens)

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[int]:
        """Wait for a free slot; yield the current round, for `record_overload`."""
        async with self._limiter:
            yield self._round

    def record_success(self) -> None:
        """Count one success."""
        self._streak += 1
        if self._streak >= _STREAK:
            self._streak = 0
            self._limiter.total_tokens = min(self.limit + 1, _MAX)

    def record_overload(self, begun: int) -> None:
        """Halve the limit, once for all requests that began in round `begun`: they met the same overload."""
        if begun == self._round:
            self._round += 1
            self._streak = 0
            self._limiter.total_tokens = max(self.limit // 2, 1)
