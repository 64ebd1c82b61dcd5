"""An HTTP/1.1 server whose replies can also be late, cut, slow or missing."""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
from typing import TYPE_CHECKING, Any

from tests.standins.nvclip._dialects import Nim, Refusal, parsed

if TYPE_CHECKING:
    from tests.standins.nvclip._state import State

_CONTROL = "/_standin"


class Server:
    def __init__(self, dialect: Nim, state: State) -> None:
        self.dialect, self.state = dialect, state

    async def run(self, port: int) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", port, limit=1 << 20)
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
        method, path, _ = lines[0].split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if path == _CONTROL:
            if method == "POST":
                self.state.configure(json.loads(body))
            return await _send(writer, 200, self.state.record())  # to the test, without a canary
        return await self._answer(writer, method, path, headers, body)

    async def _answer(
        self, writer: asyncio.StreamWriter, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> bool:
        record = [method, path, 0]
        self.state.requests.append(record)
        try:
            self._check_access(headers, body)
            if method != "POST":
                return await self._get(writer, path)
            request = parsed(body)
            inputs = self.dialect.inputs(path, request)
            record[2] = len(inputs)
            return await self._embed(writer, path, inputs, request)
        except Refusal as exc:
            return await self._send(writer, exc.status, self.dialect.error(exc.status, exc.detail, path))

    def _check_access(self, headers: dict[str, str], body: bytes) -> None:
        if self.state.api_key and headers.get("authorization") != f"Bearer {self.state.api_key}":
            raise Refusal(401, f"Unauthorized: {headers.get('authorization')}")
        if len(body) > self.state.max_body:
            raise Refusal(413, "Request Entity Too Large")

    async def _get(self, writer: asyncio.StreamWriter, path: str) -> bool:
        found = self.dialect.get(path)
        if found is None:
            raise Refusal(404, "Not Found")
        return await self._send(writer, *found)

    async def _embed(self, writer: asyncio.StreamWriter, path: str, inputs: list[str], body: dict[str, Any]) -> bool:
        fault = self.state.next_fault()
        match fault["kind"]:
            case "hang":
                await asyncio.Event().wait()
            case "hold" if len(inputs) >= fault["items"]:
                print("held", flush=True)  # noqa: T201  # as above
                await self.state.released.wait()
            case "drop":
                return False
            case "status":
                error = self.dialect.error(fault["status"], f"configured to refuse {json.dumps(body)}", path)
                return await self._send(writer, fault["status"], error, fault.get("headers"))
            case _:
                pass
        vectors = self.dialect.vectors(inputs, body, fault["kind"])
        await self.state.work(len(inputs))
        return await self._send(writer, 200, self.dialect.reply(vectors, body, fault["kind"]), None, fault["kind"])

    async def _send(
        self,
        writer: asyncio.StreamWriter,
        status: int,
        answer: Any,
        headers: dict[str, str] | None = None,
        kind: str = "whole",
    ) -> bool:
        """Send an answer, with the canary in each of its texts."""
        canary = self.state.canary
        if not canary:
            return await _send(writer, status, answer, headers, kind)
        spoiled = with_canary(answer, canary, in_vectors=self.state.canary_in_vectors)
        return await _send(writer, status, spoiled, {**(headers or {}), "Server": canary, f"X-{canary}": canary}, kind)


def with_canary(answer: Any, canary: str, *, in_vectors: bool) -> Any:
    """Return an answer with the canary after each of its texts, and in a field of its own in each object."""
    match answer:
        case str():
            return answer + canary
        case list():
            return [with_canary(item, canary, in_vectors=in_vectors) for item in answer]
        case dict():
            spoiled = {
                key: value
                if key == "embedding" and not in_vectors
                else with_canary(value, canary, in_vectors=in_vectors)
                for key, value in answer.items()
            }
            return {**spoiled, canary: canary}
        case _:
            return answer


async def _send(
    writer: asyncio.StreamWriter, status: int, answer: Any, headers: dict[str, str] | None = None, kind: str = "whole"
) -> bool:
    body = b"" if answer is None else json.dumps(answer).encode()
    if kind == "prose":
        body = b"<html>It works!</html>"
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}", f"Content-Length: {len(body)}"]
    lines += ["Content-Type: application/json", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    if kind == "cut":
        body = body[: len(body) // 2]
    if kind == "trickle":
        for byte in body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.01)
    writer.write(b"" if kind == "trickle" else body)
    await writer.drain()
    return kind != "cut"
