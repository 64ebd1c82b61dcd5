"""Who asked for what, and which images were given: one line of JSON a call, on this machine."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
from anyio import to_thread
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver.exceptions import ToolError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

_Result = TypeVar("_Result")

_FILTERS = frozenset(
    "limit offset view subject_id study_id labels labels_absent split date_from date_to has_report like unlike "
    "exclude_subject_of group mode image_id window_center window_width invert region max_px dry_run".split()
)
"""Arguments that are logged as they are; any other is words, or may name somebody."""
_ID = re.compile(r"[0-9A-Za-z-]{1,64}|[0-9.]{1,64}")  # of ours, of MIMIC's, a UID; not the name of a file
_LONGEST = 64
_MAX_BYTES = 10 * 2**20
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)


class AccessLog:
    """Appends to a log, whose lines are never changed or removed.

    A call whose line cannot be written is refused: what was given would have left no trace.

    Args:
        path: The log. A full one is given its time as name, and another one begun; what is old is its owner's to keep.
        words: Whether queries and paths are logged, too.
        max_bytes: When it is full.
    """

    def __init__(self, path: Path, *, words: bool = False, max_bytes: int = _MAX_BYTES) -> None:
        self._path = path
        self._words = words
        self._max_bytes = max_bytes

    async def watch(self, tool: str, arguments: dict[str, Any], call: Callable[[], Awaitable[_Result]]) -> _Result:
        """Call a tool, and log what came of it before it is answered.

        Raises:
            ToolError: The line cannot be written.
        """
        started, outcome, ids = time.monotonic(), "cancelled", list[str]()
        try:
            result = await call()
            outcome, ids = "ok", _ids(arguments, result)
        except ToolError:
            outcome = "refused"
            raise
        finally:
            entry = {
                "at": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
                "tool": tool,
                "client": _client(),
                "filters": {name: _short(name, arguments[name]) for name in sorted(_FILTERS & arguments.keys())},
                "outcome": outcome,
                "ids": ids,
                "ms": round((time.monotonic() - started) * 1000),
            }
            if self._words:
                entry["words"] = {name: value for name, value in arguments.items() if name not in _FILTERS}
            with anyio.CancelScope(shield=True):
                await self._write(entry)
        return result

    async def _write(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        try:
            await to_thread.run_sync(self._append, line)
        except OSError as exc:
            raise ToolError(
                f"The access log cannot be written ({exc.strerror}), so nothing is answered; its owner can make room, "
                "or set MCP_CXR_ACCESS_LOG=off."
            ) from exc

    def _append(self, line: bytes) -> None:
        """Append a line, at once: several servers may share the log."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, _FLAGS, 0o600)
        try:
            size = os.lseek(descriptor, 0, os.SEEK_END)
            if size and not _ends_a_line(descriptor):  # the disk was full once
                line = b"\n" + line
            if os.write(descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)
        if size + len(line) >= self._max_bytes:
            self._rotate()

    def _rotate(self) -> None:
        """Give the log another name; where that may not be, it goes on growing."""
        now = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        with suppress(OSError):
            os.link(self._path, self._path.with_name(f"{self._path.stem}-{now}{self._path.suffix}"))
            self._path.unlink()


def _ends_a_line(descriptor: int) -> bool:
    os.lseek(descriptor, -1, os.SEEK_END)
    return os.read(descriptor, 1) == b"\n"


def _client() -> str:
    """Return who asks: the token's subject over HTTP, else the program that started us."""
    token = get_access_token()
    return "stdio" if token is None else token.subject or token.client_id


def _ids(arguments: dict[str, Any], result: Any) -> list[str]:  # noqa: ANN401 - a tool's
    """Return the images an answer is about."""
    data: dict[str, Any] = result.structured_content or {}
    hits: Any = data.get("images")  # a number in an overview
    if isinstance(hits, list):
        return [hit["image_id"] for hit in cast("list[dict[str, Any]]", hits)]
    return [_short("image_id", arguments["image_id"])] if "image_id" in arguments else []


def _short(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a filter's value as it is logged."""
    if isinstance(value, list):
        return [_short(name, each) for each in cast("list[Any]", value)]
    if name in {"like", "unlike"} and not (isinstance(value, str) and _ID.fullmatch(value)):
        return "(no id)"
    return value[:_LONGEST] if isinstance(value, str) else value
