"""Calls that crash the driver, or break its connection, cannot happen through the store."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.iris import plain_server

if TYPE_CHECKING:
    from tests.standins.iris import StandIn

CHECKOUT = Path(__file__).parents[2]

RAW = """
import sys, threading, time
import iris.dbapi
connection = iris.dbapi.connect(hostname="127.0.0.1", port=int(sys.argv[1]), namespace="USER", username="_SYSTEM",
                                password="SYS", sharedmemory=False, autoCommit=False)
cursor = connection.cursor()
"""
CLOSE_DURING_A_CALL = """
threading.Timer(0.5, connection.close).start()
cursor.execute("SELECT 1")
"""
TOO_FEW_VALUES = """
cursor.execute("SELECT Name FROM Crash.T WHERE Name = ? AND Number = ?", ["a", 1])
cursor.close()
cursor = connection.cursor()
cursor.execute("SELECT Name FROM Crash.T WHERE Name = ? AND Number = ?", ["a"])
"""
LEFT_EARLY = """
cursor.execute("SELECT TOP 300 Name FROM Crash.T")
cursor.fetchone()
cursor.close()
cursor = connection.cursor()
cursor.execute("SELECT TOP 1 Name FROM Crash.T")
print(len(cursor.fetchall()))
"""
CUT_BETWEEN_PAGES = """
import gc, select, socket
from mcp_cxr.stores.iris.driver._connection import connect_with_socket
def ask(cursor, peer):
    cursor.execute("SELECT TOP 300 Name FROM Crash.T")
    select.select([peer], [], [])  # the second page is here, the third was not asked for
    peer.shutdown(socket.SHUT_RDWR)
    cursor.fetchall()
"""
COLLECTED_UNCLOSED = """
port = int(sys.argv[1])
connection, peer = connect_with_socket(lambda: iris.dbapi.connect(hostname="127.0.0.1", port=port, namespace="USER",
                                       username="_SYSTEM", password="SYS", sharedmemory=False, autoCommit=False), port)
cursor = connection.cursor()
for call in (lambda: ask(cursor, peer), connection.close):
    try:
        call()
    except (iris.dbapi.OperationalError, RuntimeError):
        pass
del cursor
gc.collect()
"""
CUT_IN_A_CONNECTION = """
from mcp_cxr.stores.iris import IrisConfig
from mcp_cxr.stores.iris.driver import Connection
connection = Connection(IrisConfig(host="127.0.0.1", port=int(sys.argv[1]), username="_SYSTEM", password="SYS"), 0)
try:
    with connection._untranslated_cursor() as cursor:
        ask(cursor, connection._socket)
except iris.dbapi.OperationalError:
    connection.close()
del cursor
gc.collect()
print("alive")
"""

STORE = """
import sys
import anyio
from mcp_cxr.stores.iris import IrisConfig, IrisStore
from mcp_cxr.stores.iris.driver import Connection
from tests.contract.stores.making import FINGERPRINT, image, vectors
config = IrisConfig(host="127.0.0.1", port=int(sys.argv[1]), username="_SYSTEM", password="SYS", table="Crash.Images",
                    call_timeout_s=CALL_S)
async def main():
    async with IrisStore(config) as store:
        await store.create(FINGERPRINT)
        await store.put([image(f"i{n:04d}") for n in range(300)], vectors(300))
        await act(store)
        assert len(await store.images_after(None, limit=9)) == 9
"""
CLOSES_DURING_CALLS = """
async def act(store):
    for _ in range(3):
        with anyio.move_on_after(0.1):
            await store.totals()
        try:
            await store.totals()
        except Exception as exc:
            assert "did not answer" in str(exc), exc
"""
GIVES_TOO_FEW_VALUES = """
async def act(store):
    connection = Connection(config, 0)
    assert connection.fetch_all("SELECT ImageID FROM Crash.Images WHERE ImageID = ? AND StudyID = ?", ["i0001", "s1"])
    for values in (["i0001"], ["i0001", "s1", "more"], []):
        try:
            connection.fetch_all("SELECT ImageID FROM Crash.Images WHERE ImageID = ? AND StudyID = ?", values)
        except ValueError:
            continue
        raise AssertionError(values)
    try:
        connection.execute_many("UPDATE Crash.Images SET StudyID = ? WHERE ImageID = ?", [["s1", "i0001"], ["s1"]])
    except ValueError:
        connection.close()
    else:
        raise AssertionError
"""
LEAVES_RESULTS_EARLY = """
async def act(store):
    assert len(await store.images_after(None, limit=300)) == 300
    for _ in range(5):
        with anyio.move_on_after(0.05):
            await store.images_after(None, limit=300)
    assert len(await store.images_after(None, limit=300)) == 300
"""
RUN = "\nanyio.run(main)\nprint('alive')\n"


@pytest.fixture
def server() -> StandIn:
    return plain_server()


def run(server: StandIn, script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "faulthandler=0", "-c", script, str(server.port)]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)


def make_a_table(server: StandIn) -> None:
    rows = "\ncursor.executemany('INSERT INTO Crash.T VALUES (?, ?)', [[f'n{n}', n] for n in range(300)])"
    made = run(
        server,
        RAW
        + "cursor.execute('CREATE TABLE Crash.T (Name VARCHAR(9), Number INTEGER)')"
        + rows
        + "\nconnection.commit()",
    )
    assert made.returncode == 0, made.stderr


def test_the_driver_crashes_when_it_is_closed_during_a_call(server: StandIn) -> None:
    server.inject_fault("delay", ms=1500)
    assert run(server, RAW + CLOSE_DURING_A_CALL).returncode == -signal.SIGSEGV


def test_the_driver_crashes_on_too_few_values(server: StandIn) -> None:
    make_a_table(server)
    assert run(server, RAW + TOO_FEW_VALUES).returncode == -signal.SIGSEGV


def test_the_driver_breaks_if_a_result_is_not_read_to_its_end(server: StandIn) -> None:
    make_a_table(server)
    server.configure(page_rows=10)
    left = run(server, RAW + LEFT_EARLY)
    assert left.returncode == 1
    assert "out of order" in left.stderr


def test_the_driver_aborts_if_a_cursor_lost_between_pages_is_collected(server: StandIn) -> None:
    make_a_table(server)
    server.configure(page_rows=10)
    assert run(server, RAW + CUT_BETWEEN_PAGES + COLLECTED_UNCLOSED).returncode == -signal.SIGABRT
    assert_alive(run(server, RAW + CUT_BETWEEN_PAGES + CUT_IN_A_CONNECTION))


def test_the_store_survives_aborted_calls(server: StandIn) -> None:
    server.inject_fault("silence", times=6, matching="COUNT")
    assert_alive(run(server, STORE.replace("CALL_S", "0.8") + CLOSES_DURING_CALLS + RUN))


def test_the_store_refuses_a_wrong_number_of_values(server: StandIn) -> None:
    assert_alive(run(server, STORE.replace("CALL_S", "30") + GIVES_TOO_FEW_VALUES + RUN))


def test_the_store_reads_results_to_their_end_or_closes_the_connection(server: StandIn) -> None:
    server.configure(page_rows=10)
    server.inject_fault("delay", times=200, on=["FD"], ms=20)
    assert_alive(run(server, STORE.replace("CALL_S", "30") + LEAVES_RESULTS_EARLY + RUN))


def assert_alive(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
