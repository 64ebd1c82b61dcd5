"""The simulated IRIS server with the real driver: messages, values, transactions and faults."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import iris.dbapi as driver
import pytest

from tests.standins.iris import CONFIG, StandIn, make_authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAKE = "CREATE TABLE Room.Films (ID_ VARCHAR(40) %EXACT PRIMARY KEY, Place VARCHAR(10), Size INTEGER)"
PUT = "INSERT OR UPDATE INTO Room.Films (ID_, Place, Size) VALUES (?, ?, ?)"
ALL = "SELECT TOP 100 ID_, Place, Size FROM Room.Films ORDER BY ID_"


@pytest.fixture(scope="module")
def process() -> Iterator[StandIn]:
    with StandIn() as process:
        yield process


@pytest.fixture
def server(process: StandIn) -> Iterator[StandIn]:
    yield process
    process.clear_faults()
    process.configure(password="SYS", page_rows=1000, lock_timeout_s=10.0, hnsw=True)  # noqa: S106  # of nothing
    process.drop_connections()
    process.wait_until(open=0)


@pytest.fixture
def table(server: StandIn) -> Iterator[StandIn]:
    """The server with an empty table."""
    run(server, MAKE)
    yield server
    server.clear_faults()
    server.configure(password="SYS")  # noqa: S106  # of nothing
    server.drop_connections()
    server.wait_until(open=0)
    run(server, "DROP TABLE Room.Films")


def connect(server: StandIn, **other: Any) -> driver.IRISConnection:
    return driver.connect(**{**server.connection, "timeout": 3, **other})


def run(server: StandIn, sql: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
    """Run one statement on a connection of its own, committed."""
    connection = connect(server)
    cursor = connection.cursor()
    cursor.execute(sql, values) if values else cursor.execute(sql)
    rows = [tuple(row) for row in cursor.fetchall()] if sql.startswith("SELECT") else []
    connection.commit()
    connection.close()
    return rows


class TestConnecting:
    def test_the_right_password_is_accepted(self, server: StandIn) -> None:
        assert run(server, "SELECT 1") == [(1,)]

    @pytest.mark.parametrize("password", ["sys", "", "ßecret", "a long one " * 9])
    def test_another_password_is_refused_with_417(self, server: StandIn, password: str) -> None:
        with pytest.raises(driver.OperationalError, match=r"\[SQLCODE: <-417>.*Access Denied"):
            connect(server, password=password)

    def test_long_and_non_ascii_passwords_are_accepted(self, server: StandIn) -> None:
        password = "Straße, 1 + 1 = 2 ~" * 4
        server.configure(password=password)
        connect(server, password=password).close()

    def test_connections_are_refused_until_faults_are_cleared(self, server: StandIn) -> None:
        server.refuse_connections()
        with pytest.raises(driver.OperationalError, match="COMMUNICATION LINK ERROR"):
            connect(server)
        server.clear_faults()
        assert run(server, "SELECT 1") == [(1,)]

    def test_connections_beyond_the_license_are_refused(self, server: StandIn) -> None:
        server.configure(max_connections=1)
        first = connect(server)
        with pytest.raises(driver.OperationalError, match="LICENSE LIMIT EXCEEDED"):
            connect(server)
        first.close()
        server.wait_until(open=0)
        connect(server).close()


class TestTls:
    QUERY = """
        import sys, iris.dbapi as driver
        link = driver.connect(hostname="127.0.0.1", port=int(sys.argv[1]), namespace="USER", username="_SYSTEM",
                              password="SYS", sharedmemory=False, timeout=3, sslconfig=sys.argv[2])
        cursor = link.cursor()
        cursor.execute("SELECT 1")
        print(tuple(cursor.fetchone()))
    """

    def ask_over_tls(self, server: StandIn, trusted: Path) -> subprocess.CompletedProcess[str]:
        """Query in a new process: the driver reads its environment variable once."""
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(self.QUERY), str(server.port), CONFIG],
            env={"ISC_SSLconfigurations": str(trusted / "ssl.ini")},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    def test_only_a_client_that_trusts_the_authority_connects(self, tmp_path: Path) -> None:
        make_authority(tmp_path / "trusted")
        make_authority(tmp_path / "other")
        with StandIn(tls=tmp_path / "trusted") as server:
            assert self.ask_over_tls(server, tmp_path / "trusted").stdout == "(1,)\n"
            refused = self.ask_over_tls(server, tmp_path / "other")
        assert refused.returncode == 1
        assert "certificate verify failed" in refused.stderr


class TestValues:
    @pytest.mark.parametrize(
        "value",
        ["", None, "é", "x\u0416\U0001f600", "it's", "007", "a" * 253, "a" * 254, "b" * 65_535, "\u0416" * 40_000],
    )
    def test_text_round_trips(self, server: StandIn, value: str | None) -> None:
        run(server, "CREATE TABLE Room.Texts (T VARCHAR(3641144))")
        try:
            run(server, "INSERT INTO Room.Texts (T) VALUES (?)", [value])
            assert run(server, "SELECT T FROM Room.Texts") == [(value,)]
        finally:
            run(server, "DROP TABLE Room.Texts")

    @pytest.mark.parametrize("value", [0, 1, -1, 255, 256, -256, -257, 2**62, -(2**63), None])
    def test_integers_round_trip(self, server: StandIn, value: int | None) -> None:
        run(server, "CREATE TABLE Room.Numbers (N BIGINT)")
        try:
            run(server, "INSERT INTO Room.Numbers (N) VALUES (?)", [value])
            assert run(server, "SELECT N FROM Room.Numbers") == [(value,)]
        finally:
            run(server, "DROP TABLE Room.Numbers")

    @pytest.mark.parametrize("value", [0.0, 0.1, -1.5, 1e300, 5e-324, 3.0])
    def test_floats_round_trip(self, server: StandIn, value: float) -> None:
        run(server, "CREATE TABLE Room.Floats (X DOUBLE)")
        try:
            run(server, "INSERT INTO Room.Floats (X) VALUES (?)", [value])
            assert run(server, "SELECT X FROM Room.Floats") == [(value,)]
        finally:
            run(server, "DROP TABLE Room.Floats")

    def test_a_string_longer_than_the_maximum_is_refused(self, server: StandIn) -> None:
        assert run(server, "SELECT LENGTH(?)", ["x" * 3_641_144]) == [(3_641_144,)]
        with pytest.raises(driver.DatabaseError, match="MAXSTRING"):
            run(server, "SELECT LENGTH(?)", ["x" * 3_641_145])


class TestStatements:
    def test_many_rows_are_sent_in_one_message(self, table: StandIn) -> None:
        connection = connect(table)
        cursor = connection.cursor()
        table.reset_counters()
        cursor.executemany(PUT, [[f"film{n}", "PA", n] for n in range(300)])
        connection.commit()
        seen = table.counters
        assert cursor.rowcount == len(table.rows("Room.Films")) == 300
        assert seen["messages"] == {"PP": 1, "PU": 1, "TC": 1}
        assert seen["round_trips"] == 3
        assert seen["bytes_in"] > 300 * len("film0PA")

    def test_a_statement_is_prepared_once_per_connection(self, server: StandIn) -> None:
        cursor = connect(server).cursor()
        server.reset_counters()
        for value in ("one", "two"):
            cursor.execute("SELECT ?", [value])
            assert tuple(cursor.fetchone() or ()) == (value,)
        assert server.counters["messages"] == {"PP": 1, "PQ": 2}

    @pytest.mark.parametrize("rows", [0, 1, 3, 4, 10])
    def test_a_result_comes_in_pages(self, table: StandIn, rows: int) -> None:
        connection = connect(table)
        cursor = connection.cursor()
        if rows:
            cursor.executemany(PUT, [[f"film{n}", "PA", n] for n in range(rows)])
        table.configure(page_rows=3)
        table.reset_counters()
        cursor.execute(ALL)
        assert [row[2] for row in cursor.fetchall()] == list(range(rows))
        assert table.counters["messages"].get("FD", 0) == max(0, (rows - 1) // 3)

    def test_a_statement_can_run_without_being_prepared(self, server: StandIn) -> None:
        cursor = connect(server).cursor()
        cursor.direct_execute("SELECT 1")
        assert [tuple(row) for row in cursor.fetchall()] == [(1,)]


class TestTransactions:
    def test_rollback_undoes_what_was_not_committed(self, table: StandIn) -> None:
        connection = connect(table)
        cursor = connection.cursor()
        cursor.execute(PUT, ["kept", "PA", 1])
        connection.commit()
        cursor.execute(PUT, ["undone", "PA", 1])
        connection.rollback()
        assert run(table, ALL) == [("kept", "PA", 1)]

    @pytest.mark.parametrize("resets", [False, True])
    def test_a_lost_connection_rolls_back(self, table: StandIn, resets: bool) -> None:
        connect(table).cursor().execute(PUT, ["lost", "PA", 1])
        table.drop_connections(resets=resets)
        table.wait_until(open=0)
        assert run(table, ALL) == []

    def test_readers_see_what_is_not_committed(self, table: StandIn) -> None:
        writer = connect(table)
        writer.cursor().execute(PUT, ["open", "PA", 1])
        assert run(table, ALL) == [("open", "PA", 1)]
        writer.rollback()

    def test_autocommit_commits_each_statement(self, table: StandIn) -> None:
        connection = connect(table, autoCommit=True)
        connection.cursor().execute(PUT, ["at once", "PA", 1])
        table.drop_connections()
        assert len(table.rows("Room.Films")) == 1
        other = connect(table)
        other.setAutoCommit(True)
        other.cursor().execute(PUT, ["too", "PA", 1])
        table.drop_connections()
        table.wait_until(open=0)
        assert len(table.rows("Room.Films")) == 2

    def test_a_second_writer_gets_a_lock_error(self, table: StandIn) -> None:
        table.configure(lock_timeout_s=0.05)
        writer, other = connect(table), connect(table)
        writer.cursor().execute(PUT, ["first", "PA", 1])
        with pytest.raises(driver.OperationalError, match="<-110>"):
            other.cursor().execute(PUT, ["second", "PA", 1])
        writer.commit()
        other.cursor().execute(PUT, ["second", "PA", 1])
        other.commit()
        assert len(table.rows("Room.Films")) == 2


class TestFaults:
    @pytest.mark.parametrize("kind", ["fin", "rst", "truncate"])
    def test_a_lost_connection_raises_an_operational_error(self, table: StandIn, kind: str) -> None:
        table.inject_fault(kind)
        with pytest.raises(driver.OperationalError, match="COMMUNICATION LINK ERROR"):
            run(table, PUT, ["film", "PA", 1])
        run(table, PUT, ["film", "PA", 1])
        assert table.counters["fault"] is None

    def test_a_change_can_be_made_and_its_reply_lost(self, table: StandIn) -> None:
        table.inject_fault("rst", after=True, on=["TC"])
        with pytest.raises(driver.OperationalError, match="COMMUNICATION LINK ERROR"):
            run(table, PUT, ["film", "PA", 1])
        assert len(table.rows("Room.Films")) == 1

    def test_a_silent_call_ends_when_the_connection_is_dropped(self, server: StandIn) -> None:
        before = faults_before(server)
        server.inject_fault("silence")
        asking = """
            import sys, iris.dbapi as driver
            link = driver.connect(hostname="127.0.0.1", port=int(sys.argv[1]), namespace="USER", username="_SYSTEM",
                                  password="SYS", sharedmemory=False)
            try:
                link.cursor().execute("SELECT 1")
            except driver.OperationalError:
                print("unblocked")
        """
        with driver_process(asking, server) as child:
            server.wait_until(faults_injected=before + 1)
            server.drop_connections()
            assert child.communicate(timeout=10)[0] == "unblocked\n"

    def test_a_delayed_reply_arrives(self, server: StandIn) -> None:
        server.inject_fault("delay", ms=30)
        assert run(server, "SELECT 1") == [(1,)]

    @pytest.mark.parametrize(
        ("code", "kind"),
        [(-110, driver.OperationalError), (-99, driver.OperationalError), (-400, driver.DatabaseError)],
    )
    def test_any_sqlcode_can_be_injected(self, server: StandIn, code: int, kind: type[Exception]) -> None:
        server.inject_fault("error", code=code, times=2)
        for _ in range(2):
            with pytest.raises(kind, match=f"SQLCODE: <{code}>"):
                run(server, "SELECT 1")
        assert run(server, "SELECT 1") == [(1,)]

    def test_a_list_error_repeats_for_its_statement_on_its_connection(self, server: StandIn) -> None:
        cursor = connect(server).cursor()
        server.inject_fault("list error", matching="qpar(1) , :%qpar(2)")
        for _ in range(2):
            with pytest.raises(driver.DataError, match="<LIST ERROR>"):
                cursor.execute("SELECT ?, ?", ["a", "b"])
        cursor.execute("SELECT ?", ["a"])
        assert run(server, "SELECT ?, ?", ["a", "b"]) == [("a", "b")]

    def test_a_fault_applies_to_matching_statements_after_skipping_some(self, server: StandIn) -> None:
        server.inject_fault("error", code=-400, matching="as wanted", skip=1)
        assert run(server, "SELECT 1 AS other") == [(1,)]
        assert run(server, "SELECT 1 AS wanted") == [(1,)]
        with pytest.raises(driver.DatabaseError, match="<-400>"):
            run(server, "SELECT 1 AS wanted")

    def test_a_fault_can_apply_to_connecting(self, server: StandIn) -> None:
        server.inject_fault("fin", on=["CN"])
        with pytest.raises(driver.OperationalError, match="COMMUNICATION LINK ERROR"):
            connect(server)


class TestDriverBugs:
    """Crashes of the driver itself, recorded here: the store must never cause them."""

    HEAD = """
        import sys, threading, iris.dbapi as driver
        link = driver.connect(hostname="127.0.0.1", port=int(sys.argv[1]), namespace="USER", username="_SYSTEM",
                              password="SYS", sharedmemory=False, autoCommit=False)
        cursor = link.cursor()
    """

    MOST_TRIALS = 3
    """Two threads race in the driver, and now and then the call ends without a crash."""

    def test_closing_during_a_call_crashes_the_driver(self, server: StandIn) -> None:
        body = """
            call = threading.Thread(target=lambda: cursor.execute("SELECT 1"))
            call.start()
            sys.stdin.readline()
            link.close()
            call.join()
        """
        ends = list[int]()
        while -signal.SIGSEGV not in ends and len(ends) < self.MOST_TRIALS:
            before = faults_before(server)
            server.inject_fault("delay", ms=1500)
            with driver_process(self.HEAD, server, body) as child:
                server.wait_until(faults_injected=before + 1)
                child.communicate("now\n", timeout=10)
            ends.append(child.returncode)
        assert -signal.SIGSEGV in ends

    def test_too_few_values_for_a_prepared_statement_crash_the_driver(self, table: StandIn) -> None:
        body = f"""
            cursor.executemany({PUT!r}, [["one", "PA", 1], ["two", "PA", 2]])
            cursor.executemany({PUT!r}, [["one"], ["two"]])
        """
        with driver_process(self.HEAD, table, body) as child:
            child.communicate(timeout=10)
        assert child.returncode == -signal.SIGSEGV

    def test_a_result_not_read_to_its_end_breaks_the_connection(self, table: StandIn) -> None:
        connection = connect(table)
        cursor = connection.cursor()
        cursor.executemany(PUT, [[f"film{n}", "PA", n] for n in range(10)])
        table.configure(page_rows=3)
        cursor.execute(ALL)
        cursor.fetchone()
        cursor.close()
        with pytest.raises(driver.OperationalError, match="Message out of order"):
            connection.cursor().execute("SELECT 1")


def faults_before(server: StandIn) -> int:
    return server.counters["faults_injected"]


def driver_process(head: str, server: StandIn, body: str = "") -> subprocess.Popen[str]:
    """Run the driver in a process of its own, since it may crash."""
    program = textwrap.dedent(head) + textwrap.dedent(body)
    command = [sys.executable, "-c", program, str(server.port)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
