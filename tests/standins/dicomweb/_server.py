"""An HTTP/1.1 server with a DICOMweb service at `/dicom-web`, and its faults."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.standins.dicomweb._answers import NoSuchResource, multipart, query, within

if TYPE_CHECKING:
    from tests.standins.dicomweb._state import State

_CONTROL, _ROOT = "/_standin", "/dicom-web"
_JSON = "application/dicom+json"
_BOUNDARY = "a-boundary"
_TRICKLE_S = 0.002


@cache
def _gzip_bomb() -> bytes:
    return gzip.compress(bytes(1 << 28), 1)


class Server:
    def __init__(self, state: State) -> None:
        self.state = state

    async def run(self) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, limit=1 << 20)
        print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # the fixture reads it
        async with server:
            await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._exchange(reader, writer):
                pass
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection stays open."""
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        reply = _Reply(writer)
        if target == _CONTROL:
            if method == "POST":
                self.state.configure(json.loads(body))
            return await reply.send(200, json.dumps(self.state.record()).encode())
        return await self._answer(reply, method, target, headers)

    async def _answer(self, reply: _Reply, method: str, target: str, headers: dict[str, str]) -> bool:
        path, _, parameters = target.removeprefix(_ROOT).partition("?")
        kind = _kind(path, headers)
        kept = {name: headers.get(name, "") for name in ("accept", "accept-encoding")}
        self.state.requests.append({"kind": kind, "method": method, "target": target, **kept})
        behavior, fault = self.state.behavior, self.state.next_fault(kind)
        if behavior.login and headers.get("authorization") not in behavior.login:
            return await reply.send(401, b"Unauthorized", {"WWW-Authenticate": 'Basic realm="PACS"'})
        if fault["kind"] in _BEFORE:
            return await _BEFORE[fault["kind"]](reply, fault)
        if not target.startswith(_ROOT) or method != "GET":
            return await reply.send(404, b"Not Found")
        try:
            content_type, body = self._body(kind, path, parameters, fault)
        except NoSuchResource:
            return await reply.send(404, b"Not Found")
        return await reply.send(200, body, {"Content-Type": content_type}, fault)

    def _body(self, kind: str, path: str, parameters: str, fault: dict[str, Any]) -> tuple[str, bytes]:
        """Return the content type and the body of a query, of metadata or of files."""
        if kind == "query":
            found = [] if fault["kind"] == "empty" else query(self.state.files, path, parameters, self.state.behavior)
            if fault["kind"] == "other":
                found = query(self.state.files, path, "", self.state.behavior)
            return _JSON, json.dumps(fault["results"] if fault["kind"] == "results" else found).encode()
        files, _ = within(self.state.files, path.removesuffix("/metadata"))
        if not files:
            raise NoSuchResource
        if fault["kind"] == "other":
            others = [file for file in self.state.files if file not in files]
            files = [file for file in others if file.value("SOPClassUID") == files[0].value("SOPClassUID")][:1]
        if kind == "metadata":
            return _JSON, json.dumps([file.metadata() for file in files]).encode()
        content_type = f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}'
        if fault["kind"] == "twice":
            files = files * 2
        return content_type, multipart((file.content for file in files), _BOUNDARY)


def _kind(path: str, headers: dict[str, str]) -> str:
    if path.endswith("/metadata"):
        return "metadata"
    return "retrieve" if "multipart/related" in headers.get("accept", "") else "query"


class _Reply:
    """Sends an answer, whole or damaged."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def send(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        fault: dict[str, Any] | None = None,
    ) -> bool:
        """Send an answer; return whether the connection stays open."""
        headers, kind = dict(headers or {}), (fault or {"kind": "none"})["kind"]
        if kind == "wrong boundary":
            headers["Content-Type"] = headers["Content-Type"].replace(_BOUNDARY, "another")
        if kind == "no boundary":
            headers["Content-Type"] = "application/octet-stream"
        if kind == "gzip":
            headers["Content-Encoding"], body = "gzip", _gzip_bomb()
        self.head(status, headers | {"Content-Length": str(len(body))})
        if kind == "trickle":
            for byte in body:
                self._writer.write(bytes([byte]))
                await self._writer.drain()
                await asyncio.sleep(_TRICKLE_S)
            return True
        self._writer.write(body[: len(body) // 2] if kind == "cut" else body)
        await self._writer.drain()
        return kind != "cut"

    def head(self, status: int, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())

    async def endless(self, content_type: str) -> bool:
        """Send one part that never ends."""
        self.head(200, {"Content-Type": content_type, "Transfer-Encoding": "chunked"})
        start = f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + bytes(128) + b"DICM"
        chunk = start
        while True:
            self._writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            await self._writer.drain()
            chunk = bytes(1 << 16)


async def _status(reply: _Reply, fault: dict[str, Any]) -> bool:
    return await reply.send(fault["status"], b"<html>a patient's name</html>", fault.get("headers"))


async def _yes(reply: _Reply, _fault: dict[str, Any]) -> bool:
    return await reply.send(200, b"<html>It works!</html>", {"Content-Type": "text/html"})


async def _hang(_reply: _Reply, _fault: dict[str, Any]) -> bool:
    print("held", flush=True)  # noqa: T201  # the test waits for it
    await asyncio.Event().wait()
    return False


async def _drop(_reply: _Reply, _fault: dict[str, Any]) -> bool:
    return False


async def _endless(reply: _Reply, _fault: dict[str, Any]) -> bool:
    return await reply.endless(f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}')


async def _raw(reply: _Reply, fault: dict[str, Any]) -> bool:
    return await reply.send(200, fault["body"].encode(), {"Content-Type": _JSON})


_BEFORE = {"status": _status, "yes": _yes, "hang": _hang, "drop": _drop, "endless": _endless, "raw": _raw}
"""Faults that answer without looking at the request; the others damage an answer: empty, other, results, twice, cut,
trickle, gzip, `wrong boundary`, `no boundary`."""
