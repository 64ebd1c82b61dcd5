"""Sockets and frames: a thread for each connection, and the faults that a test injects."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

from tests.standins.iris._database import Database
from tests.standins.iris._errors import SqlError
from tests.standins.iris._protocol import NO_REPLY, ClientSession, Reply
from tests.standins.iris._state import Counters

if TYPE_CHECKING:
    import ssl

    from tests.standins.iris._state import State

_HEADER = struct.Struct("<IIIH")
_RUN_MESSAGES = frozenset({"PQ", "PU", "DQ", "DU"})
_BROKEN_LIST = b"\x03\x32a"
"""An item of an unknown type: the driver raises <LIST ERROR>."""


class Disconnected(Exception):
    """The connection is to be closed."""


class Connection:
    """One client's socket, served in one thread."""

    def __init__(self, sock: socket.socket, state: State, database: Database) -> None:
        self._sock = sock
        self._state = state
        self._client_session = ClientSession(state, database)
        self._dropped = threading.Event()
        self._resets = False
        self._broken_texts: set[str] = set()
        """Statements that fail with <LIST ERROR> until this connection is closed."""

    def serve(self) -> None:
        try:
            with contextlib.suppress(OSError, Disconnected):
                while True:
                    self._exchange()
        finally:
            self._client_session.end()
            self._close()

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            if self._resets:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._sock.close()

    def drop(self, *, resets: bool) -> None:
        """Close it from another thread, by FIN or RST."""
        self._resets = resets
        self._dropped.set()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RD if resets else socket.SHUT_RDWR)

    def _exchange(self) -> None:
        header = self._receive(_HEADER.size)
        size, message, number, _ = _HEADER.unpack(header)
        code = header[12:].decode("latin-1")
        body = self._receive(size)
        text = self._client_session.statement(number, code, body)
        fault = self._record_request(code, text)
        if code in NO_REPLY:
            self._client_session.answer(code, number, body)
            if code == "DC":
                raise Disconnected
            return
        self._apply_fault(fault)
        replies = self._fault_replies(fault, code, text) or self._client_session.answer(code, number, body)
        self._send(message, number, replies, fault)

    def _record_request(self, code: str, text: str) -> dict[str, Any]:
        counters = self._state.counters
        with self._state.condition:
            counters.messages[code] = counters.messages.get(code, 0) + 1
            counters.round_trips += code not in NO_REPLY
            if code in _RUN_MESSAGES:
                counters.statements.append(text)
            return self._state.next_fault(code, text)

    def _apply_fault(self, fault: dict[str, Any]) -> None:
        match fault["kind"]:
            case "delay":
                self._dropped.wait(fault["ms"] / 1000)
            case "silence":
                while True:
                    self._receive(1)
            case "fin" | "rst" if not fault.get("after"):
                self._resets = fault["kind"] == "rst"
                raise Disconnected
            case _:
                pass

    def _fault_replies(self, fault: dict[str, Any], code: str, text: str) -> list[Reply]:
        if fault["kind"] == "error":
            return [self._client_session.refusal(SqlError(fault["code"], fault.get("text", "injected")))]
        if fault["kind"] == "list error":
            self._broken_texts.add(text)
        if code not in _RUN_MESSAGES or text not in self._broken_texts:
            return []
        # As observed with a real server: the statement fails, and the text of its error cannot be read.
        return [self._client_session.refusal(SqlError(-400, ""), _BROKEN_LIST)]

    def _send(self, message: int, number: int, replies: list[Reply], fault: dict[str, Any]) -> None:
        data = b"".join(_HEADER.pack(len(body), message, number, status) + body for status, body in replies)
        kind = fault["kind"]
        if kind in ("fin", "rst"):
            self._resets = kind == "rst"
            raise Disconnected
        if kind == "truncate":
            data = data[: len(data) // 2]
        with self._state.condition:  # counted first: a test may look once the client has the reply
            self._state.counters.bytes_out += len(data)
        self._sock.sendall(data)
        if kind == "truncate" or self._dropped.is_set():
            raise Disconnected

    def _receive(self, count: int) -> bytes:
        received = bytearray()
        while len(received) < count:
            part = self._sock.recv(min(count - len(received), 1 << 20))
            if not part or self._dropped.is_set():
                raise Disconnected
            received += part
        with self._state.condition:
            self._state.counters.bytes_in += count
        return bytes(received)


class Server:
    """Accepts connections, or refuses them."""

    def __init__(self, state: State, tls: ssl.SSLContext | None, port: int) -> None:
        self.state = state
        self.database = Database(state)
        self._tls = tls
        self._connections: set[Connection] = set()
        self.port = port
        self._listener: socket.socket | None = None
        self.listen()

    def listen(self) -> None:
        """Accept connections (again)."""
        if self._listener is not None:
            return
        listener = self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def refuse_connections(self) -> None:
        """Accept no more connections: clients get ECONNREFUSED. Open ones stay."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def drop_connections(self, *, resets: bool, count: int | None = None) -> int:
        """Close `count` of the open connections, or all; return how many."""
        with self.state.condition:
            chosen = list(self._connections)[:count]
        for connection in chosen:
            connection.drop(resets=resets)
        return len(chosen)

    def reset(self) -> None:
        """Return to the state after the start, on the same port."""
        self.drop_connections(resets=False)
        self.state.wait_until(open=0, faults_injected=0, timeout_s=5)
        self.state.reset()
        self.database = Database(self.state)
        self.listen()

    def reset_counters(self) -> None:
        with self.state.condition:
            self.state.counters = Counters()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls:
            try:
                sock = self._tls.wrap_socket(sock, server_side=True)
            except OSError:
                sock.close()
                return
        connection = Connection(sock, self.state, self.database)
        with self.state.condition:
            self._connections.add(connection)
        self.state.count_connection(1)
        try:
            connection.serve()
        finally:
            with self.state.condition:
                self._connections.discard(connection)
            self.state.count_connection(-1)
