"""Fifty concurrent searches while connections are dropped at random."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from anyio import create_task_group, to_thread

from mcp_cxr.errors import StoreUnavailable
from mcp_cxr.records import Filter
from mcp_cxr.stores.iris import IrisStore
from tests.contract.stores.making import axis
from tests.faults.iris_stores import config, fill
from tests.support.iris import plain_server, pool_state

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    import pytest

    from tests.standins.iris import StandIn

SEARCHES = 50
ROUNDS = 8
ACQUIRE_S, CALL_S = 20.0, 5.0
QUERIES: list[Callable[[IrisStore], Awaitable[Any]]] = [
    lambda store: store.nearest(axis(), Filter(), limit=5),
    lambda store: store.nearest(axis(), Filter(view=("PA",)), limit=5),
    lambda store: store.match(["effus"], Filter(), limit=5),
    lambda store: store.count(Filter(), distinct="study"),
    lambda store: store.browse(Filter(), limit=5),
]


async def test_fifty_concurrent_searches_while_connections_are_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    server = plain_server()
    async with IrisStore(config(server, acquire_timeout_s=ACQUIRE_S, call_timeout_s=CALL_S)) as store:
        await fill(store)
        expected = [await ask(store) for ask in QUERIES]
        storm = Storm(store, server, expected)
        await storm.run()
        assert storm.wrong == 0
        assert storm.right + storm.refused == SEARCHES * ROUNDS
        assert storm.dropped > 0
        assert storm.longest_s < ACQUIRE_S + 2 * CALL_S
        calm = Storm(store, server, expected)
        await calm.search_all()
        assert (calm.right, calm.refused) == (SEARCHES, 0)
        stats = pool_state(store)
        assert (stats.busy, store._pool._slots.statistics().tasks_waiting) == (0, 0)
        assert stats.idle <= stats.size
        await to_thread.run_sync(lambda: server.wait_until(open=stats.idle))
    with capsys.disabled():
        print(  # noqa: T201  # to be read
            f"\nstorm: {storm.right} right, {storm.refused} refused, {storm.wrong} wrong of {SEARCHES * ROUNDS};"
            f" {storm.dropped} connections dropped, {stats.retried} retried, {stats.opened} opened;"
            f" longest {storm.longest_s:.2f} s"
        )


class Storm:
    def __init__(self, store: IrisStore, server: StandIn, expected: list[Any]) -> None:
        self.store, self.server, self.expected = store, server, expected
        self.right = self.wrong = self.refused = self.dropped = 0
        self.longest_s = 0.0
        self._draw = random.Random(4)  # noqa: S311  # not for security
        self._drop_share = 0.0

    async def run(self) -> None:
        """Search in rounds; every third search, at random, drops one or two connections of others."""
        self._drop_share = 1 / 3
        for _ in range(ROUNDS):
            await self.search_all()

    async def search_all(self) -> None:
        async with create_task_group() as group:
            for number in range(SEARCHES):
                group.start_soon(self._search, number % len(QUERIES))

    async def _search(self, query: int) -> None:
        started = time.monotonic()
        try:
            answer = await QUERIES[query](self.store)
        except StoreUnavailable:
            self.refused += 1
        else:
            if answer == self.expected[query]:
                self.right += 1
            else:
                self.wrong += 1
        self.longest_s = max(self.longest_s, time.monotonic() - started)
        if self._draw.random() < self._drop_share:
            resets, count = self._draw.random() < 0.5, self._draw.randint(1, 2)
            self.dropped += await to_thread.run_sync(lambda: self.server.drop_connections(resets=resets, count=count))
