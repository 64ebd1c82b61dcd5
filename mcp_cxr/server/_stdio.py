"""Serves over stdin and stdout and answers every line: what is no JSON-RPC message gets an error and a line on stderr.

The SDK drops such lines without a word, and a host then waits until its own time limit.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import anyio
from anyio import to_thread
from mcp.os.win32.utilities import rebind_std_handle_to_fd
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, jsonrpc_message_adapter
from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

    from mcp.server import MCPServer

    from mcp_cxr.server._lifespan_state import ServerState

_log = logging.getLogger(__name__)

_BYTE_ORDER_MARK = "\ufeff"
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class RefusedLine(Exception):
    """A line from the host is no message.

    Args:
        what: What is wrong with it, without its content.
        ids: Of the requests in it, each of which is answered; without any, one error has no id.
    """

    def __init__(self, what: str, *, code: int, ids: tuple[str | int, ...] = ()) -> None:
        super().__init__(what)
        self.code = code
        self.ids = ids


async def serve_stdio(server: MCPServer[ServerState]) -> None:
    """Serve over stdin and stdout until stdin ends."""
    sdk = server._lowlevel_server  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # its `run` cannot be given a stdin
    with _diverted_stdin() as stdin:
        lines = _Lines(stdin)
        async with stdio_server(stdin=cast("Any", lines)) as (read_stream, write_stream):
            lines.answer = write_stream.send
            await sdk.run(read_stream, write_stream, sdk.create_initialization_options())


def readable(line: str) -> str:
    """Return the line as the SDK can read it: a lone surrogate, as a text cut within an emoji has it, as U+FFFD.

    Raises:
        RefusedLine: It is no JSON-RPC message.
    """
    text = line.lstrip(_BYTE_ORDER_MARK)
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise RefusedLine("It is not JSON. Send one UTF-8 JSON-RPC message per line.", code=PARSE_ERROR) from None
    ids = tuple(_ids(message))
    if text != line:
        raise RefusedLine("It begins with a byte order mark; send UTF-8 without one.", code=PARSE_ERROR, ids=ids)
    if isinstance(message, list):
        raise RefusedLine("It is a batch; send one message per line.", code=INVALID_REQUEST, ids=ids)
    if _SURROGATE_ESCAPE.search(text):
        text = _SURROGATE.sub("\ufffd", json.dumps(message, ensure_ascii=False))
    try:
        jsonrpc_message_adapter.validate_json(text, by_name=False)
    except ValidationError:
        raise RefusedLine("It is not a JSON-RPC 2.0 message.", code=INVALID_REQUEST, ids=ids) from None
    if "method" in message and "id" in message and not ids:
        raise RefusedLine("The id of a request must be a text or an integer.", code=INVALID_REQUEST)
    return text


def _ids(message: Any) -> list[str | int]:  # noqa: ANN401 - JSON
    """Return the ids of the requests in a message or a batch; a response must not be answered."""
    messages: list[Any] = cast("list[Any]", message) if isinstance(message, list) else [message]
    requests = [cast("dict[str, Any]", each) for each in messages if isinstance(each, dict)]
    return [
        _SURROGATE.sub("\ufffd", each["id"]) if isinstance(each["id"], str) else each["id"]
        for each in requests
        if type(each.get("id")) in {str, int} and not each.keys() & {"result", "error"}
    ]


class _Lines:
    """The readable lines of stdin, as the SDK iterates over them; answers the others itself."""

    def __init__(self, stdin: BinaryIO) -> None:
        self._stdin = stdin
        self.answer: Any = None

    async def __aiter__(self) -> AsyncIterator[str]:
        while line := await to_thread.run_sync(self._stdin.readline):
            text = line.decode("utf-8", "replace")
            if not text.strip():
                continue
            try:
                yield readable(text)
            except RefusedLine as exc:
                await self._refuse(exc)

    async def _refuse(self, refused: RefusedLine) -> None:
        _log.warning("A line from the host was refused. %s", refused)
        error = ErrorData(code=refused.code, message=f"The line was refused. {refused}")
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):  # the server is ending
            for request_id in refused.ids or (None,):
                await self.answer(SessionMessage(JSONRPCError(jsonrpc="2.0", id=request_id, error=error)))


@contextmanager
def _diverted_stdin() -> Generator[BinaryIO]:
    """Yield the host's stdin, with file descriptor 0 at the null device: what a child reads must not be a message.

    The SDK does so too, but only if it opens stdin itself. The file is not closed: a thread may still read it.
    """
    private = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    _rebind_windows_stdin()
    try:
        yield os.fdopen(private, "rb", closefd=False)
    finally:
        os.dup2(private, 0)
        _rebind_windows_stdin()


def _rebind_windows_stdin() -> None:
    if sys.platform == "win32":
        with suppress(OSError):
            rebind_std_handle_to_fd(0)
