"""Settings that a test makes, and counters of what the server received."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass
class Counters:
    """Counts since the start, or since the last reset."""

    round_trips: int = 0
    """Requests that got a reply, those of connecting included."""
    messages: dict[str, int] = field(default_factory=dict[str, int])
    """Requests by their two letters."""
    statements: list[str] = field(default_factory=list[str])
    """Texts of the statements that were run, as the driver sent them; one `executemany` counts once."""
    bytes_in: int = 0
    bytes_out: int = 0
    opened: int = 0
    plans: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """By the text of each statement that was prepared, SQLite's plan: `SCAN i` reads every row of `i`."""
    most_locked_rows: dict[str, int] = field(default_factory=dict[str, int])
    """By table, the most rows that one transaction changed: beyond 1,000, IRIS locks the table (GSQL_tranproc)."""


@dataclass
class State:
    """Every field down to `fault` can be set by a test."""

    username: str = "_SYSTEM"
    password: str = "SYS"  # noqa: S105  # of nothing
    grants: list[str] | None = None
    """Privileges of the user, as GRANT names them; None: all, as a superuser has."""
    page_rows: int = 1000
    """Rows in one message of a result."""
    page_bytes: int = 1 << 20
    password_expired: bool = False
    """The user must change the password first."""
    numbers_as_text: bool = False
    """Return numbers as NUMERIC, in text."""
    whole_numbers: str = "{}"
    """How numbers in text are written if they are whole, such as `{}.0`."""
    vector_cell: str | None = None
    """Return this instead of every vector."""
    lock_timeout_s: float = 10.0
    """How long a writer waits for another transaction before -110; IRIS's default."""
    max_connections: int | None = None
    """Beyond, LICENSE LIMIT EXCEEDED."""
    hnsw: bool = True
    """False: as a server before 2025.1."""
    version: str = (
        "IRIS for UNIX (Ubuntu Server LTS for x86-64 Containers) 2026.1 (Build 235U) Sun Mar 1 2026 00:00:00 EST"
    )
    """Of $ZVERSION; it is a simulated server all the same."""
    options: dict[str, str] = field(
        default_factory=lambda: {"LockThreshold": "1000", "LockTimeout": "10", "FastDistinct": "1"}
    )
    """Of %SYSTEM.SQL.Util.GetOption: the documented defaults."""
    explains: bool = True
    """False: EXPLAIN is refused (-99)."""
    uses_index: bool = True
    """Whether plans name an HNSW index."""
    canary: str = ""
    """Added to every name, plan, version, option and error text that is sent."""
    canary_in_cells: bool = False
    """Add it to every cell of text, too."""
    fault: dict[str, Any] | None = None
    """`kind`, `times`, `skip`, `matching` (part of the statement), `on` (messages), and the parameters of the kind."""

    counters: Counters = field(default_factory=Counters)
    open: int = 0
    faults_injected: int = 0
    """Since the start."""
    condition: threading.Condition = field(default_factory=threading.Condition)

    @property
    def is_full(self) -> bool:
        return self.max_connections is not None and self.open > self.max_connections

    def count_connection(self, change: int) -> None:
        with self.condition:
            self.open += change
            self.counters.opened += change > 0
            self.condition.notify_all()

    def wait_until(self, *, open: int | None, faults_injected: int, timeout_s: float) -> bool:  # noqa: A002  # the field's name
        """Wait until so many connections are open, and so many faults were injected; False at the timeout."""
        with self.condition:
            return self.condition.wait_for(
                lambda: open in (None, self.open) and self.faults_injected >= faults_injected, timeout_s
            )

    def configure(self, settings: dict[str, Any]) -> None:
        with self.condition:
            for name, value in settings.items():
                if name not in _SETTINGS:
                    raise ValueError(f"unknown setting {name}")
                setattr(self, name, value)

    def reset(self) -> None:
        """Restore all settings and counters."""
        with self.condition:
            for field_ in fields(self):
                if field_.name != "guard":
                    setattr(self, field_.name, getattr(_INITIAL, field_.name))
            self.counters = Counters()

    def next_fault(self, code: str, text: str) -> dict[str, Any]:
        """The fault for this message; `{"kind": "none"}` if there is none."""
        with self.condition:
            fault = self.fault
            if fault is None or code not in fault.get("on", _RUN_MESSAGES):
                return {"kind": "none"}
            if fault.get("matching", "").upper() not in text.upper():
                return {"kind": "none"}
            if fault.get("skip", 0):
                fault["skip"] -= 1
                return {"kind": "none"}
            fault["times"] -= 1
            self.faults_injected += 1
            self.condition.notify_all()
            if fault["times"] <= 0:
                self.fault = None
            return fault


_RUN_MESSAGES = ("PQ", "PU", "DQ", "DU")
"""Messages that run a statement: the default of a fault's `on`."""
_SETTINGS = frozenset(
    "username password grants page_rows page_bytes"
    " password_expired numbers_as_text whole_numbers vector_cell lock_timeout_s max_connections hnsw fault"
    " version options explains uses_index canary canary_in_cells".split()
)
_INITIAL = State()
