"""Scratch tables with a random name, dropped at the end; if the process is killed, the next run drops them.

A note in the data folder names them while they may exist. It is locked as long as the run lives.
"""

from __future__ import annotations

import logging
import os
import secrets
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import anyio

from mcp_cxr.errors import ConfigError, CxrError, StoreError
from mcp_cxr.server_check._allowed_values import TABLES
from mcp_cxr.stores.iris.driver import NO_SUCH_TABLE

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
from mcp_cxr.safe_files import create_private_folder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path
    from typing import LiteralString

    from mcp_cxr.server_check._timed_parts import Parts
    from mcp_cxr.server_check.iris._recorded_statements import RecordedStatements
    from mcp_cxr.server_check.iris._session import Session

_log = logging.getLogger(__name__)

SCHEMA: Final = "McpCxrContact"
ENDINGS: Final = ("", "Original", "Case")
"""A run's archives: its own, one in a table of the original program, and a table of two columns."""
_NOTE = "doctor-tables-"
_DROP_WITHIN_S = 120


@asynccontextmanager
async def scratch_tables(session: Session, folder: Path, parts: Parts) -> AsyncGenerator[None]:
    """Remove what a kill left, then let `session` use scratch tables; drop them, also after Ctrl-C.

    Raises:
        ConfigError: The data folder cannot be written.
        StoreError: The tables that a kill left cannot be dropped.
    """
    for note, location, table in _left_behind(folder):
        if location == session.location:
            session.table = table
            await session.run(_drop, may_write=True)
            note.unlink()
    session.table = f"{SCHEMA}.T{secrets.token_hex(6)}"
    note = folder / f"{_NOTE}{secrets.token_hex(4)}"
    descriptor = _write_note(note, session)
    try:
        yield
    finally:
        parts.announce("IRIS: dropping the new tables", _DROP_WITHIN_S)
        with anyio.move_on_after(_DROP_WITHIN_S, shield=True), suppress(CxrError):
            await session.run(_drop, may_write=True)
            note.unlink()
        os.close(descriptor)
        if note.exists():
            _log.warning("Tables %s... could not be dropped; the next run with --write tries again.", session.table)


def _drop(statements: RecordedStatements) -> None:
    """Drop every table of a run, as far as it exists."""
    statements.connection.rollback()
    for ending in ENDINGS:
        for name in TABLES:
            suffix: LiteralString = ending + ("" if name == "images" else name)
            code = statements.try_execute("DROP TABLE {table}" + suffix)
            if code not in (0, NO_SUCH_TABLE):
                raise StoreError(
                    f"IRIS refused to drop {statements.table}{suffix} (SQLCODE -{code}). Drop it yourself."
                )
            statements.connection.commit()


def _write_note(note: Path, session: Session) -> int:
    """Write what is to be dropped; return the open, locked file."""
    try:
        create_private_folder(note.parent)
        descriptor = os.open(note, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        _lock(descriptor)
        os.write(descriptor, f"{session.location}\n{session.table}\n".encode())
        os.fsync(descriptor)
    except OSError as exc:
        raise ConfigError(f"{note.parent} cannot be written ({exc.strerror}); set MCP_CXR_DATA_DIR.") from exc
    return descriptor


def _left_behind(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """Yield note, location and table of each run that was killed."""
    for note in sorted(folder.glob(f"{_NOTE}*")):
        descriptor = os.open(note, os.O_RDWR)
        try:
            if _lock(descriptor):
                location, _, table = os.read(descriptor, 1000).decode().rstrip("\n").partition("\n")
                if table.startswith(f"{SCHEMA}.T"):  # else it was killed while it wrote this
                    yield note, location, table
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; False if another process has."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
