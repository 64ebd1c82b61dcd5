"""What `doctor --deep --write` finds out on tables of its own, and that it drops them."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import anyio

from mcp_cxr.server_check import Parts
from mcp_cxr.server_check._operation_and_plan_codes import READS, WRITES
from mcp_cxr.server_check.iris import WriteSize, check_iris_by_writing
from mcp_cxr.server_check.iris._scratch_tables import scratch_tables
from mcp_cxr.server_check.iris._session import Session
from tests.server_check.conftest import ask, differences

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.server_check._record import IrisFacts
    from mcp_cxr.stores.iris import IrisConfig
    from tests.standins.iris import StandIn

SMALL = WriteSize(rows=1100, dimension=16, studies=40)
KILLED = """
import os, signal, sys, anyio
from pathlib import Path
from mcp_cxr.server_check import Parts
from mcp_cxr.server_check.iris import WriteSize, check_iris, check_iris_by_writing
from mcp_cxr.stores.iris import IrisConfig

def end(title, share_s):
    if title == "IRIS load":
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    parts = Parts(end)
    config = IrisConfig(host=sys.argv[1], port=int(sys.argv[2]), username=sys.argv[3], password=sys.argv[4])
    facts = await check_iris(config, parts)
    await check_iris_by_writing(config, facts, WriteSize(100, 16, 10), Path(sys.argv[5]), parts)

anyio.run(main)
"""


async def write(config: IrisConfig, folder: Path, size: WriteSize = SMALL) -> IrisFacts:
    return await check_iris_by_writing(config, await ask(config), size, folder, Parts())


def notes(folder: Path) -> list[str]:
    return os.listdir(folder)  # noqa: PTH208  # names, not paths


async def test_a_documented_server_is_as_expected(config: IrisConfig, server: StandIn, tmp_path: Path) -> None:
    server.configure(max_connections=2)  # a third one would be refused
    facts = await write(config, tmp_path)
    assert differences(facts) == {}
    assert facts.own_tables
    assert {call.call for call in facts.own_tables.calls} == {*READS, *WRITES}
    assert facts.load
    assert [one.limit for one in facts.load.searches] == [10, 200, 1000]
    assert (facts.load.index_sqlcode, facts.load.index_is_planned) == (0, True)
    assert facts.cases
    assert {one.query for one in facts.cases.cases if one.comes_back == "capitals"} == {"DISTINCT", "GROUP BY", "MAX"}
    assert facts.writers
    assert facts.writers.stored == SMALL.studies


async def test_nothing_is_left_and_the_archive_is_untouched(
    archive: IrisConfig, server: StandIn, tmp_path: Path
) -> None:
    before = {table: server.rows(table) for table in server.tables}
    await write(archive, tmp_path, WriteSize(10, 16, 4))
    assert {table: server.rows(table) for table in server.tables} == before
    assert notes(tmp_path) == []


async def test_a_refused_index_is_named(config: IrisConfig, server: StandIn, tmp_path: Path) -> None:
    server.configure(hnsw=False, version="IRIS for UNIX 2024.1 (Build 267U)")
    facts = await write(config, tmp_path, WriteSize(10, 16, 4))
    found = differences(facts)
    assert set(found) == {"HNSW version", "index built"}
    assert found["index built"].startswith("SQLCODE -1:")


async def test_a_lock_that_the_index_leaves_is_named(config: IrisConfig, server: StandIn, tmp_path: Path) -> None:
    server.inject_fault("error", code=-110, times=1, matching="SET ViewPosition")
    facts = await write(config, tmp_path, WriteSize(10, 16, 4))
    assert set(differences(facts)) == {"update after index"}


async def test_an_index_that_is_not_planned_is_named(config: IrisConfig, server: StandIn, tmp_path: Path) -> None:
    server.configure(uses_index=False)
    assert set(differences(await write(config, tmp_path, WriteSize(10, 16, 4)))) == {"index is planned"}


async def test_missing_privileges_to_create_are_named(config: IrisConfig, server: StandIn, tmp_path: Path) -> None:
    server.configure(grants=["%DROP_TABLE"])
    found = differences(await write(config, tmp_path, WriteSize(10, 16, 4)))
    assert "SQLCODE -99" in found["own statement create tables"]


async def test_without_nolock_all_statements_run_and_it_is_named(
    config: IrisConfig, server: StandIn, tmp_path: Path
) -> None:
    server.configure(grants=["%CREATE_TABLE", "%ALTER_TABLE", "%DROP_TABLE"])
    assert set(differences(await write(config, tmp_path, WriteSize(10, 16, 4)))) == {"%NOLOCK"}


async def test_an_interruption_drops_the_tables(config: IrisConfig, server: StandIn, tmp_path: Path) -> None:
    facts = await ask(config)
    with anyio.CancelScope() as scope:

        def interrupt(title: str, share_s: float) -> None:
            if title == "IRIS load":
                assert server.tables
                scope.cancel()

        await check_iris_by_writing(config, facts, SMALL, tmp_path, Parts(interrupt))
    assert (server.tables, notes(tmp_path)) == ({}, [])


async def test_the_next_run_removes_what_a_kill_left(config: IrisConfig, server: StandIn, tmp_path: Path) -> None:
    login = [server.host, str(server.port), server.username, server.password]
    command = [sys.executable, "-c", KILLED, *login, str(tmp_path)]
    killed = await anyio.run_process(command, check=False)
    assert killed.returncode == -signal.SIGKILL
    left = set(server.tables)
    assert left
    assert await write(config, tmp_path, WriteSize(10, 16, 4))
    assert (server.tables, notes(tmp_path)) == ({}, [])


async def test_tables_of_a_run_that_lives_are_kept(config: IrisConfig, server: StandIn, tmp_path: Path) -> None:
    facts = await ask(config)
    async with Session(config, config.table) as first, scratch_tables(first, tmp_path, Parts()):
        await first.run(lambda on: on.try_execute("CREATE TABLE {table} (X INTEGER)"), may_write=True)
        await check_iris_by_writing(config, facts, WriteSize(10, 16, 4), tmp_path, Parts())
        assert list(server.tables) == [first.table]
    assert server.tables == {}
