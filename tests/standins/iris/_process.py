"""The simulated server as a test uses it: starts the process and controls it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_CHECKOUT = Path(__file__).parents[3]


class StandIn:
    """A server process on an ephemeral loopback port; `stop` ends it."""

    host = "127.0.0.1"
    namespace = "USER"
    username = "_SYSTEM"
    password = "SYS"  # noqa: S105  # of nothing

    def __init__(self, *, tls: Path | None = None) -> None:
        """Args: tls: the folder that `make_authority` wrote to; None for plain TCP."""
        self.port = 0
        self._control_port = 0
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process and self._process.pid

    @property
    def connection(self) -> dict[str, Any]:
        """Arguments of `iris.dbapi.connect`, without TLS."""
        return {
            "hostname": self.host,
            "port": self.port,
            "namespace": self.namespace,
            "username": self.username,
            "password": self.password,
            "sharedmemory": False,
            "autoCommit": False,
        }

    def start(self) -> None:
        """Start a new, empty process; after a stop, on the same port."""
        options = ["--port", str(self.port), *(["--tls", str(self._tls)] if self._tls else [])]
        command = [sys.executable, "-m", "tests.standins.iris", *options]
        self._process = subprocess.Popen(command, cwd=_CHECKOUT, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        with self._process.stdout as output:
            self.port, self._control_port = map(int, output.readline().split())

    def stop(self) -> None:
        """End the process; harmless if it has ended."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.wait()
        self._process = None

    def configure(self, **settings: Any) -> None:
        """Set fields of `State`."""
        self._send_command("configure", **settings)

    def inject_fault(self, kind: str, *, times: int = 1, **more: Any) -> None:
        """Let the next `times` statements fail; the README lists the kinds and their parameters."""
        self.configure(fault={"kind": kind, "times": times, **more})

    def clear_faults(self) -> None:
        """Remove the fault and the connection limit, and accept connections again."""
        self.configure(fault=None, max_connections=None)
        self._send_command("listen")

    def refuse_connections(self) -> None:
        """Accept no more connections until `clear_faults`; open ones stay."""
        self._send_command("refuse_connections")

    def drop_connections(self, *, resets: bool = False, count: int | None = None) -> int:
        """Close `count` open connections, or all, by FIN or RST; return how many."""
        return self._send_command("drop_connections", resets=resets, count=count)

    def reset(self) -> None:
        """Return to the state after the start: no tables, no connections, default settings, counters at zero."""
        self._send_command("reset")

    def reset_counters(self) -> None:
        """Set the counters to zero; open connections stay counted."""
        self._send_command("reset_counters")

    def wait_until(self, *, open: int | None = None, faults_injected: int = 0, timeout_s: float = 5) -> None:  # noqa: A002  # as in `counters`
        """Wait until exactly `open` connections are open, and `faults_injected` faults or more were injected."""
        assert self._send_command("wait_until", open=open, faults_injected=faults_injected, timeout_s=timeout_s), (
            self.counters
        )

    @property
    def counters(self) -> dict[str, Any]:
        """Fields of `Counters`, the connections `open`, `faults_injected` since the start, and the pending `fault`."""
        return self._send_command("counters")

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every row of a table as it is stored, in the order of writing; uncommitted ones too."""
        return self._send_command("rows", table=table)

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Each table and its indexes."""
        return self._send_command("tables")

    def _send_command(self, do: str, **what: Any) -> Any:
        with (
            socket.create_connection((self.host, self._control_port), timeout=10) as sock,
            sock.makefile("rwb") as lines,
        ):
            lines.write(json.dumps({"do": do, **what}).encode() + b"\n")
            lines.flush()
            return json.loads(lines.readline())
