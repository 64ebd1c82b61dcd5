"""The access log: who called which tool, and which images were returned. One line of JSON per call, kept locally."""

from __future__ import annotations

import datetime as dt
import errno
import json
import logging
import os
import re
import secrets
import stat
import time
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

import anyio
from anyio import to_thread
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver.exceptions import ToolError

from mcp_cxr.pasted_text import pasted_image_id
from mcp_cxr.records import LABELS, SPLITS, VIEW_GROUPS, VIEW_POSITIONS, CohortMatch, GroupBy, Mode, SearchArguments
from mcp_cxr.safe_files import create_private_folder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

_Result = TypeVar("_Result")

_LOGGED_ARGUMENTS = {field.name for field in fields(SearchArguments) if field.name != "query"} | set(
    "image_id window_center window_width invert region max_px first_rank dry_run tile factor before".split()
    + "matched per_subject seed balance".split()
)
"""Arguments whose values are logged, if they are numbers, ids, or words of the vocabulary below."""
_FREE_TEXT = ("query", "path", "name")
"""Arguments that are logged as they are if that is switched on."""
_IDS = {"image_id", "like", "unlike", "exclude_subject_of", "study_id", "subject_id", "before"}
_ID_FORM = re.compile(
    r"[ps]?[0-9a-f]{24}|[ps]?\d{8}|[0-9a-f]{8}(-[0-9a-f]{8}){4}|(?=.{1,64}$)[0-2](\.(0|[1-9]\d*)){2,}",
    re.ASCII | re.IGNORECASE,
)
"""A keyed hash, an id of MIMIC-CXR, or a UID."""
_TOKEN = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,63}", re.ASCII)
"""What an id of the archive may look like, if it keeps those of headers."""
_WORDS = frozenset(
    word.lower()
    for word in (
        *(*VIEW_POSITIONS, *VIEW_GROUPS, *LABELS, *SPLITS, "F", "M"),
        *(*get_args(GroupBy), *get_args(Mode), *get_args(CohortMatch), "official"),
    )
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NO_ID, _NOT_LOGGED = "(no id)", "(not logged)"
_MOST_ITEMS = 100  # of a list, and ids of a result
_MOST_CHARS = 2_000  # of a query or path
_MOST_CLIENT_CHARS = 200
_MOST_DIGITS = 2**53
_MAX_BYTES = 10 * 2**20
_MAX_AGE = dt.timedelta(days=31)  # of the first line of the file that is written to
_MAX_KEPT = dt.timedelta(days=365)  # of a full file, after its last line
_FIRST_DATE = re.compile(rb'{"at":"(\d{4}-\d{2}-\d{2})T')
_TIMESTAMP = "%Y%m%dT%H%M%S.%fZ"
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
_log = logging.getLogger(__name__)


class AccessLog:
    """An append-only log of tool calls.

    A call whose line cannot be written is refused, so that no access goes unrecorded.

    Args:
        path: The log file. At `max_bytes`, or when its first line is a month old, it is renamed with a timestamp and a
            new one is started. Renamed files are removed a year after their last line.
        words: Whether queries and paths are logged, too.
        max_bytes: Size at which the file is rotated.
    """

    def __init__(self, path: Path, *, words: bool = False, max_bytes: int = _MAX_BYTES) -> None:
        self._path = path
        self._words = words
        self._max_bytes = max_bytes
        self._is_swept = False

    async def record(self, tool: str, arguments: dict[str, Any], call: Callable[[], Awaitable[_Result]]) -> _Result:
        """Return the result of `call`, after its outcome has been logged.

        Args:
            tool: Its name.
            arguments: Empty until `call` has validated them.
            call: Calls the tool.

        Raises:
            ToolError: The line cannot be written.
        """
        started, outcome, ids, known = time.monotonic(), "cancelled", list[str](), set[str]()
        try:
            result = await call()
            outcome = "ok"
            ids, known = _ids(arguments, result)
        except ToolError:
            outcome = "refused"
            raise
        finally:
            entry = {
                "at": _now().isoformat(timespec="milliseconds"),
                "tool": tool,
                "client": _client(),
                "filters": {
                    name: _loggable(name, arguments[name], known)
                    for name in sorted(_LOGGED_ARGUMENTS & arguments.keys())
                },
                "outcome": outcome,
                "ids": ids,
                "ms": round((time.monotonic() - started) * 1000),
            }
            if self._words:
                entry["words"] = {name: arguments[name][:_MOST_CHARS] for name in _FREE_TEXT if arguments.get(name)}
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
        create_private_folder(self._path.parent)
        if self._is_a_month_old():
            self._rotate()
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
        if not self._is_swept:
            self._remove_old_files()

    def _is_a_month_old(self) -> bool:
        """Whether the first line of the file is so old that it would outlive the files that are removed."""
        try:
            descriptor = os.open(self._path, _FLAGS & ~os.O_CREAT)
        except OSError:  # missing; or it cannot be written, which the call is told
            return False
        try:
            first = _FIRST_DATE.match(os.read(descriptor, 32))
        except OSError:
            return False
        finally:
            os.close(descriptor)
        with suppress(ValueError):  # no date: the line was cut off or altered
            return bool(first) and dt.date.fromisoformat(first[1].decode()) < (_now() - _MAX_AGE).date()
        return False

    def _remove_old_files(self) -> None:
        """Remove full files whose last line is a year old, by their name or their time, whichever is older."""
        self._is_swept = True
        name = re.compile(rf"{re.escape(self._path.stem)}-(\d{{8}}T\d{{6}}\.\d{{6}}Z)-[0-9a-f]{{8}}{self._path.suffix}")
        for file in self._path.parent.iterdir():
            if not (found := name.fullmatch(file.name)):
                continue
            try:
                renamed = dt.datetime.strptime(found[1], _TIMESTAMP).replace(tzinfo=dt.UTC)
                status = file.lstat()
                written = min(renamed, dt.datetime.fromtimestamp(status.st_mtime, dt.UTC))
                if stat.S_ISREG(status.st_mode) and written < _now() - _MAX_KEPT:
                    file.unlink()
            except (OSError, ValueError) as exc:  # removed by another server; not permitted; no such date
                if not isinstance(exc, FileNotFoundError):
                    _log.warning("cannot remove the old access log %s (%s)", file.name, type(exc).__name__)

    def _rotate(self) -> None:
        """Rename the full log with a timestamp; if that is not permitted, it keeps growing."""
        now = _now().strftime(_TIMESTAMP)
        self._is_swept = False
        unique = secrets.token_hex(4)  # two servers may rotate in the same microsecond; a rename would overwrite
        with suppress(OSError):
            self._path.rename(self._path.with_name(f"{self._path.stem}-{now}-{unique}{self._path.suffix}"))


def _ends_with_newline(descriptor: int) -> bool:
    os.lseek(descriptor, -1, os.SEEK_END)
    return os.read(descriptor, 1) == b"\n"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _client() -> str:
    """Return the caller: over HTTP the subject or client id of the token, else `stdio`."""
    token = get_access_token()
    return "stdio" if token is None else (token.subject or token.client_id)[:_MOST_CLIENT_CHARS]


def _ids(arguments: dict[str, Any], result: Any) -> tuple[list[str], set[str]]:  # noqa: ANN401 - any tool's result
    """Return the ids of the images in a result, and all ids that are known to be the archive's."""
    data: dict[str, Any] = result.structured_content or {}
    hits: Any = data.get("images") or data.get("studies")  # in an overview, a number
    if "image_ids" in data:  # of a cohort
        hits = [{"image_id": value} for value in data["image_ids"]]
    if not isinstance(hits, list):
        given: Any = arguments.get("image_id", [])
        hits = [{"image_id": value} for value in ([given] if isinstance(given, str) else given)]
    found = cast("list[dict[str, Any]]", hits)[:_MOST_ITEMS]
    ids = [_image_id(hit["image_id"]) for hit in found]
    known = {hit.get(name, "") for hit in found for name in ("study_id", "subject_id")} | set(ids)
    return ids, {text for text in known if _TOKEN.fullmatch(text)}


def _image_id(text: str) -> str:
    """Return the image id that a text gives; a file's name gives one only if it is MIMIC-CXR's."""
    image_id = pasted_image_id(text)
    form = _TOKEN if image_id == text else _ID_FORM
    return image_id if form.fullmatch(image_id) else _NO_ID


def _loggable(name: str, value: Any, known: set[str]) -> Any:  # noqa: ANN401 - JSON
    """Return the value of an argument as it is logged: a number, a known word, a date, or what looks like an id."""
    match value:
        case list() | tuple():
            return [_loggable(name, item, known) for item in cast("list[Any]", value)[:_MOST_ITEMS]]
        case bool() | None:
            return value
        case int() | float() if -_MOST_DIGITS < value < _MOST_DIGITS:  # no NaN
            return value
        case str() if name in _IDS:
            image_id = pasted_image_id(value)
            return image_id if _ID_FORM.fullmatch(image_id) or value in known else _NO_ID
        case str() if value.lower() in _WORDS or _DATE.fullmatch(value):
            return value
        case _:
            return _NOT_LOGGED
