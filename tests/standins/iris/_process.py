"""The stand-in as tests hold it."""

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
    """A process of our own on an ephemeral port of loopback; ended by `stop`, by its id."""

    host = "127.0.0.1"
    namespace = "USER"
    username = "_SYSTEM"
    password = "SYS"  # noqa: S105  # of nothing

    def __init__(self, *, tls: Path | None = None) -> None:
        """Args: tls: the folder that `make_authority` filled; None for plain TCP."""
        self.port = 0
        self._orders = 0
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
        """Its id while it runs."""
        return self._process and self._process.pid

    @property
    def connection(self) -> dict[str, Any]:
        """What `iris.dbapi.connect` wants, but TLS."""
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
        """Start a new process, empty, on the port of the last one where there was one."""
        options = ["--port", str(self.port), *(["--tls", str(self._tls)] if self._tls else [])]
        command = [sys.executable, "-m", "tests.standins.iris", *options]
        self._process = subprocess.Popen(command, cwd=_CHECKOUT, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        with self._process.stdout as told:
            self.port, self._orders = map(int, told.readline().split())

    def stop(self) -> None:
        """End the process; harmless where it has ended."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.wait()
        self._process = None

    def tell(self, **orders: Any) -> None:
        """Set fields of `State`."""
        self._order("tell", **orders)

    def fail(self, kind: str, *, times: int = 1, **more: Any) -> None:
        """Let the next `times` statements fail; the README lists the kinds and what they want."""
        self.tell(fault={"kind": kind, "times": times, **more})

    def heal(self) -> None:
        """No fault from now on, and connections are taken again."""
        self.tell(fault=None, max_connections=None)
        self._order("listen")

    def refuse(self) -> None:
        """Take no more connections until `heal`; those that are open stay."""
        self._order("refuse")

    def cut(self, *, resets: bool = False, count: int | None = None) -> int:
        """End `count` open connections, or all, by FIN or RST; return how many."""
        return self._order("cut", resets=resets, count=count)

    def clear(self) -> None:
        """Be as new: no tables, no connections, nothing told, counted from nought."""
        self._order("clear")

    def forget(self) -> None:
        """Count from nought again; open connections stay counted."""
        self._order("forget")

    def wait(self, *, open: int | None = None, faults_met: int = 0, timeout_s: float = 5) -> None:  # noqa: A002  # as seen
        """Wait until exactly `open` connections are open, and at least `faults_met` faults were met since the start."""
        assert self._order("wait", open=open, faults_met=faults_met, timeout_s=timeout_s), self.seen

    @property
    def seen(self) -> dict[str, Any]:
        """The counters of `Seen`, connections `open`, `faults_met` since the start, and the `fault` that waits."""
        return self._order("seen")

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every row of a table as it is stored, in the order of writing; what is not committed too."""
        return self._order("rows", table=table)

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Each table and its indexes."""
        return self._order("tables")

    def _order(self, do: str, **what: Any) -> Any:
        with socket.create_connection((self.host, self._orders), timeout=10) as sock, sock.makefile("rwb") as lines:
            lines.write(json.dumps({"do": do, **what}).encode() + b"\n")
            lines.flush()
            return json.loads(lines.readline())
