"""What a test has told the server, and what the server has seen."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass
class Seen:
    """Counters, since the last order that asked to forget."""

    round_trips: int = 0
    """Requests that got an answer, those of connecting included."""
    messages: dict[str, int] = field(default_factory=dict[str, int])
    """Requests by their two letters."""
    statements: list[str] = field(default_factory=list[str])
    """Texts of what was run, as the driver sent them; one `executemany` is one."""
    bytes_in: int = 0
    bytes_out: int = 0
    opened: int = 0


@dataclass
class State:
    """Every field down to `fault` can be told."""

    username: str = "_SYSTEM"
    password: str = "SYS"  # noqa: S105  # of nothing
    page_rows: int = 1000
    """Rows in one message of a result."""
    page_bytes: int = 1 << 20
    lock_timeout_s: float = 10.0
    """How long a writer waits for another transaction before -110; IRIS's default."""
    max_connections: int | None = None
    """Beyond, LICENSE LIMIT EXCEEDED."""
    hnsw: bool = True
    """False: a server before 2025.1."""
    fault: dict[str, Any] | None = None
    """`kind`, `times`, `skip`, `matching` (part of the statement), `on` (messages), and what the kind wants."""

    seen: Seen = field(default_factory=Seen)
    open: int = 0
    faults_met: int = 0
    """Since the start."""
    guard: threading.Condition = field(default_factory=threading.Condition)

    @property
    def is_full(self) -> bool:
        return self.max_connections is not None and self.open > self.max_connections

    def count_connection(self, change: int) -> None:
        with self.guard:
            self.open += change
            self.seen.opened += change > 0
            self.guard.notify_all()

    def wait(self, *, open: int | None, faults_met: int, timeout_s: float) -> bool:  # noqa: A002  # the field's name
        """Wait until so many connections are open, and so many faults were met; False where time ran out."""
        with self.guard:
            return self.guard.wait_for(lambda: open in (None, self.open) and self.faults_met >= faults_met, timeout_s)

    def tell(self, orders: dict[str, Any]) -> None:
        with self.guard:
            for name, value in orders.items():
                if name not in _ORDERS:
                    raise ValueError(f"no order is called {name}")
                setattr(self, name, value)

    def reset(self) -> None:
        """Forget everything that was told and seen."""
        with self.guard:
            for field_ in fields(self):
                if field_.name != "guard":
                    setattr(self, field_.name, getattr(_AS_NEW, field_.name))
            self.seen = Seen()

    def next_fault(self, code: str, text: str) -> dict[str, Any]:
        """The fault of this message; `{"kind": "none"}` where there is none."""
        with self.guard:
            fault = self.fault
            if fault is None or code not in fault.get("on", _RUNS):
                return {"kind": "none"}
            if fault.get("matching", "").upper() not in text.upper():
                return {"kind": "none"}
            if fault.get("skip", 0):
                fault["skip"] -= 1
                return {"kind": "none"}
            fault["times"] -= 1
            self.faults_met += 1
            self.guard.notify_all()
            if fault["times"] <= 0:
                self.fault = None
            return fault


_RUNS = ("PQ", "PU", "DQ", "DU")
"""Messages that run a statement: those that faults are for, where nothing else is said."""
_ORDERS = frozenset("username password page_rows page_bytes lock_timeout_s max_connections hnsw fault".split())
_AS_NEW = State()
