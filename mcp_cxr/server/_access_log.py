"""The access log: who called which tool, and which images were returned. One line of JSON per call, kept locally."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import re
import secrets
import time
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
from anyio import to_thread
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver.exceptions import ToolError

from mcp_cxr.pasted_text import pasted_image_id
from mcp_cxr.records import SearchArguments

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

_Result = TypeVar("_Result")

_LOGGED_ARGUMENTS = {field.name for field in fields(SearchArguments) if field.name != "query"} | set(
    "image_id window_center window_width invert region max_px dry_run".split()
)
"""Arguments whose values are logged; any other is free text, or may name a person."""
_IMAGES = {"image_id", "like", "unlike", "exclude_subject_of"}
_ID = re.compile(r"[0-9A-Za-z-]{1,64}|[0-9.]{1,64}")  # a keyed hash, a MIMIC id or a UID; not a file name
_MIMIC_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")  # a file's name that is the id
_MAX_CHARS = 64  # of a logged value
_MAX_BYTES = 10 * 2**20
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)


class AccessLog:
    """An append-only log of tool calls.

    A call whose line cannot be written is refused, so that no access goes unrecorded.

    Args:
        path: The log file. At `max_bytes` it is renamed with a timestamp and a new one is started; old files are kept.
        words: Whether queries and paths are logged, too.
        max_bytes: Size at which the file is rotated.
    """

    def __init__(self, path: Path, *, words: bool = False, max_bytes: int = _MAX_BYTES) -> None:
        self._path = path
        self._words = words
        self._max_bytes = max_bytes

    async def record(self, tool: str, arguments: dict[str, Any], call: Callable[[], Awaitable[_Result]]) -> _Result:
        """Return the result of `call`, after its outcome has been logged.

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
                "filters": {
                    name: _loggable(name, arguments[name]) for name in sorted(_LOGGED_ARGUMENTS & arguments.keys())
                },
                "outcome": outcome,
                "ids": ids,
                "ms": round((time.monotonic() - started) * 1000),
            }
            if self._words:
                entry["words"] = {name: value for name, value in arguments.items() if name not in _LOGGED_ARGUMENTS}
            with anyio.CancelScope(shield=True):
                await self._write(entry)
        return result

    async def _write(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        try:
            await to_thread.run_sync(self._append, line)
        except OSError as exc:
            raise ToolError(
                f"The access log cannot be written ({exc.strerror}), so the call was refused; free disk space, "
                "or set MCP_CXR_ACCESS_LOG=off."
            ) from exc

    def _append(self, line: bytes) -> None:
        """Append a line in one write, because several servers may share the log."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, _FLAGS, 0o600)
        try:
            size = os.lseek(descriptor, 0, os.SEEK_END)
            if size and not _ends_with_newline(descriptor):  # an earlier write was cut off by a full disk
                line = b"\n" + line
            if os.write(descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)
        if size + len(line) >= self._max_bytes:
            self._rotate()

    def _rotate(self) -> None:
        """Rename the full log with a timestamp; if that is not permitted, it keeps growing."""
        now = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        unique = secrets.token_hex(4)  # two servers may rotate in the same microsecond; a rename would overwrite
        with suppress(OSError):
            self._path.rename(self._path.with_name(f"{self._path.stem}-{now}-{unique}{self._path.suffix}"))


def _ends_with_newline(descriptor: int) -> bool:
    os.lseek(descriptor, -1, os.SEEK_END)
    return os.read(descriptor, 1) == b"\n"


def _client() -> str:
    """Return the caller: over HTTP the subject or client id of the token, else `stdio`."""
    token = get_access_token()
    return "stdio" if token is None else token.subject or token.client_id


def _ids(arguments: dict[str, Any], result: Any) -> list[str]:  # noqa: ANN401 - any tool's result
    """Return the ids of the images in a result."""
    data: dict[str, Any] = result.structured_content or {}
    hits: Any = data.get("images")  # in an overview, a number
    if isinstance(hits, list):
        return [hit["image_id"] for hit in cast("list[dict[str, Any]]", hits)]
    return [_loggable("image_id", arguments["image_id"])] if "image_id" in arguments else []


def _loggable(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return the value of an argument as it is logged: shortened, and without file names."""
    if isinstance(value, list):
        return [_loggable(name, item) for item in cast("list[Any]", value)]
    if name in _IMAGES:
        image_id = pasted_image_id(value) if isinstance(value, str) else ""
        return image_id if (_ID if image_id == value else _MIMIC_ID).fullmatch(image_id) else "(no id)"
    return value[:_MAX_CHARS] if isinstance(value, str) else value
