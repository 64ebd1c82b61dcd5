"""Connections are lent, and returned however a call ends."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import to_thread

from mcp_cxr.stores.embedded.database import Connections

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
async def connections(tmp_path: Path) -> AsyncIterator[Connections]:
    opened = Connections(tmp_path / "some.sqlite3", busy_timeout_s=5)
    await opened.create_file()
    await opened.write(lambda connection: connection.execute("CREATE TABLE t (x)") and None)
    yield opened
    await opened.close()


def rows(connection: sqlite3.Connection) -> int:
    return connection.execute("SELECT count(*) FROM t").fetchone()[0]


async def cancelled_while(
    call: Callable[[Callable[[sqlite3.Connection], object]], object], first: str = "SELECT 1"
) -> bool:
    """Cancel a call in the middle of a statement that never ends."""
    started = threading.Event()

    def work(connection: sqlite3.Connection) -> object:
        connection.execute(first)
        started.set()
        return connection.execute(ENDLESS).fetchone()

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, work)  # type: ignore[arg-type]  # any callable works
            await to_thread.run_sync(started.wait)
            tasks.cancel_scope.cancel()
    return tasks.cancel_scope.cancel_called


async def test_a_cancelled_reader_stops_at_once_and_gives_its_connection_back(connections: Connections) -> None:
    for _ in range(9):  # more often than there are connections
        assert await cancelled_while(connections.read)
    assert await connections.read(rows) == 0


async def test_a_cancelled_writer_leaves_nothing_and_lets_the_next_one_write(connections: Connections) -> None:
    for _ in range(3):
        assert await cancelled_while(connections.write, "INSERT INTO t VALUES (1)")
    await connections.write(lambda connection: connection.execute("INSERT INTO t VALUES (2)") and None)
    assert await connections.read(rows) == 1


async def test_a_failed_writer_leaves_nothing(connections: Connections) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (1)")
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await connections.write(fail)
    assert await connections.read(rows) == 0


async def test_no_connection_is_used_by_two_threads_at_once(connections: Connections) -> None:
    using: set[int] = set()
    guard = threading.Lock()

    def work(connection: sqlite3.Connection) -> None:
        with guard:
            assert id(connection) not in using
            using.add(id(connection))
        rows(connection)
        with guard:
            using.remove(id(connection))

    async with anyio.create_task_group() as tasks:
        for number in range(60):
            tasks.start_soon(connections.write if number % 5 == 0 else connections.read, work)


async def test_a_reader_sees_one_state_while_another_writes(connections: Connections) -> None:
    counted, written = threading.Event(), threading.Event()
    seen: list[int] = []

    def read_twice(connection: sqlite3.Connection) -> None:
        seen.append(rows(connection))
        counted.set()
        written.wait(10)
        seen.append(rows(connection))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connections.read, read_twice)
        await to_thread.run_sync(counted.wait)
        await connections.write(lambda connection: connection.execute("INSERT INTO t VALUES (1)") and None)
        written.set()
    assert seen == [0, 0]
    assert await connections.read(rows) == 1


async def test_writers_of_one_process_wait_for_each_other_beyond_the_time_out(tmp_path: Path) -> None:
    impatient = Connections(tmp_path / "some.sqlite3", busy_timeout_s=0)
    await impatient.create_file()
    await impatient.write(lambda connection: connection.execute("CREATE TABLE t (x)") and None)
    async with anyio.create_task_group() as tasks:
        for _ in range(40):
            tasks.start_soon(
                impatient.write, lambda connection: connection.execute("INSERT INTO t VALUES (1)") and None
            )
    assert await impatient.read(rows) == 40
    await impatient.close()


async def test_a_reported_write_survives_a_power_loss(connections: Connections) -> None:
    def pragmas(connection: sqlite3.Connection) -> tuple[object, ...]:
        asked = ("journal_mode", "synchronous", "page_size")
        return tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in asked)

    assert await connections.read(pragmas) == ("wal", 2, 2048)  # 2 is FULL
