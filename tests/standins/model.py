"""A language model that replies from a script, over OpenAI's and Anthropic's streams, in its own process.

Each request takes the next step of the script: `{"text": "...", "calls": [["tool", {...}], ...]}`, or a failure:
`{"status": 500, "reason": "..."}`, `{"cut": true}` (the stream ends after the text), `{"error": "..."}` (it reports an
error after the text), `{"hangs": true}` (it stays open after the text, until the client disconnects).
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

_CHECKOUT = Path(__file__).parents[2]
_CONTROL = "/_standin"
_PART = 12
"""Characters in each part of the text."""


class ScriptedModel:
    """Starts the process, sets its script and reads its requests."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.standins.model"]
        self._process = subprocess.Popen(command, cwd=_CHECKOUT, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def play(self, *steps: dict[str, Any]) -> None:
        """Set the script, and clear the recorded requests."""
        self._control("POST", list(steps))

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Each request since `play`: `path`, `headers`, `body`, and whether the client `left` early."""
        return self._control("GET", None)

    def _control(self, method: str, body: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, _CONTROL, json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


class _Script:
    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.lock = threading.Lock()


_script = _Script()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's signature
        """Log nothing."""

    def do_GET(self) -> None:  # the base class's name
        self._answer(200, _script.requests)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with _script.lock:
            if self.path == _CONTROL:
                _script.steps, _script.requests = body, []
                return self._answer(200, {})
            seen = {"path": self.path, "headers": dict(self.headers), "body": body, "left": False}
            _script.requests.append(seen)
            step: dict[str, Any] = {"status": 500, "reason": "the script has ended"}
            if _script.steps:
                step = _script.steps.pop(0)
        if "status" in step:
            return self._answer(step["status"], {"error": {"message": step["reason"]}})
        try:
            self._stream(step)
        except ConnectionError:
            seen["left"] = True
        return None

    def _stream(self, step: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        stream = _anthropic if self.path.endswith("/messages") else _openai
        for event in stream(step):
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        if "error" in step:
            self.wfile.write(f"data: {json.dumps({'type': 'error', 'error': {'message': step['error']}})}\n\n".encode())
        if step.get("hangs"):
            while True:  # a write fails once the client has left
                threading.Event().wait(0.05)
                self.wfile.write(b": comment\n\n")

    def _answer(self, status: int, answer: Any) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _parts(text: str) -> list[str]:
    return [text[at : at + _PART] for at in range(0, len(text), _PART)]


def _openai(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    for part in _parts(step.get("text", "")):
        yield chunk({"content": part})
    if step.keys() & {"hangs", "cut", "error"}:
        return
    for number, (name, arguments) in enumerate(step.get("calls", [])):
        yield chunk({"tool_calls": [{"index": number, "id": f"call{number}", "function": {"name": name}}]})
        for part in _parts(json.dumps(arguments)):
            yield chunk({"tool_calls": [{"index": number, "function": {"arguments": part}}]})
    if half := step.get("half"):  # a call that the model's limit cut
        yield chunk({"tool_calls": [{"index": 9, "id": "call9", "function": {"name": half[0], "arguments": half[1]}}]})
    yield chunk({}, "length" if step.get("limit") else "tool_calls" if step.get("calls") else "stop")


def _anthropic(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": {}}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for part in _parts(step.get("text", "")):
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": part}}
    yield {"type": "content_block_stop", "index": 0}
    if step.keys() & {"hangs", "cut", "error"}:
        return
    for number, (name, arguments) in enumerate(step.get("calls", []), start=1):
        block = {"type": "tool_use", "id": f"call{number}", "name": name, "input": {}}
        yield {"type": "content_block_start", "index": number, "content_block": block}
        for part in _parts(json.dumps(arguments)):
            delta = {"type": "input_json_delta", "partial_json": part}
            yield {"type": "content_block_delta", "index": number, "delta": delta}
        yield {"type": "content_block_stop", "index": number}
    if half := step.get("half"):
        block = {"type": "tool_use", "id": "call9", "name": half[0], "input": {}}
        yield {"type": "content_block_start", "index": 9, "content_block": block}
        delta = {"type": "input_json_delta", "partial_json": half[1]}
        yield {"type": "content_block_delta", "index": 9, "delta": delta}
    reason = "max_tokens" if step.get("limit") else "tool_use" if step.get("calls") else "end_turn"
    yield {"type": "message_delta", "delta": {"stop_reason": reason}}
    yield {"type": "message_stop"}


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_port, flush=True)  # noqa: T201  # the fixture reads it
    server.serve_forever()


if __name__ == "__main__":
    main()
