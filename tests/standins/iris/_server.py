"""Sockets and frames: a thread for each connection, and the faults that a test asked for."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

from tests.standins.iris._database import Database
from tests.standins.iris._errors import SqlError
from tests.standins.iris._session import NO_ANSWER, Reply, Session
from tests.standins.iris._state import Seen

if TYPE_CHECKING:
    import ssl

    from tests.standins.iris._state import State

_HEADER = struct.Struct("<IIIH")
_RUNS = frozenset({"PQ", "PU", "DQ", "DU"})
_BROKEN_LIST = b"\x03\x32a"
"""An item of a type there is not: the driver says <LIST ERROR>."""


class Gone(Exception):
    """The connection ends here."""


class Connection:
    """One client's socket, served in one thread."""

    def __init__(self, sock: socket.socket, state: State, database: Database) -> None:
        self._sock = sock
        self._state = state
        self._session = Session(state, database)
        self._cut = threading.Event()
        self._resets = False
        self._broken_texts: set[str] = set()
        """Statements that answer <LIST ERROR> for the rest of this connection's life."""

    def serve(self) -> None:
        try:
            with contextlib.suppress(OSError, Gone):
                while True:
                    self._exchange()
        finally:
            self._session.end()
            self._close()

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            if self._resets:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._sock.close()

    def cut(self, *, resets: bool) -> None:
        """End it from another thread, by FIN or by RST."""
        self._resets = resets
        self._cut.set()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RD if resets else socket.SHUT_RDWR)

    def _exchange(self) -> None:
        header = self._receive(_HEADER.size)
        size, message, number, _ = _HEADER.unpack(header)
        code = header[12:].decode("latin-1")
        body = self._receive(size)
        text = self._session.statement(number, code, body)
        fault = self._noted(code, text)
        if code in NO_ANSWER:
            self._session.answer(code, number, body)
            if code == "DC":
                raise Gone
            return
        self._before(fault)
        replies = self._faulty(fault, code, text) or self._session.answer(code, number, body)
        self._send(message, number, replies, fault)

    def _noted(self, code: str, text: str) -> dict[str, Any]:
        seen = self._state.seen
        with self._state.guard:
            seen.messages[code] = seen.messages.get(code, 0) + 1
            seen.round_trips += code not in NO_ANSWER
            if code in _RUNS:
                seen.statements.append(text)
            return self._state.next_fault(code, text)

    def _before(self, fault: dict[str, Any]) -> None:
        match fault["kind"]:
            case "delay":
                self._cut.wait(fault["ms"] / 1000)
            case "silence":
                while True:
                    self._receive(1)
            case "fin" | "rst" if not fault.get("after"):
                self._resets = fault["kind"] == "rst"
                raise Gone
            case _:
                pass

    def _faulty(self, fault: dict[str, Any], code: str, text: str) -> list[Reply]:
        if fault["kind"] == "error":
            return [self._session.refusal(SqlError(fault["code"], fault.get("text", "told to refuse")))]
        if fault["kind"] == "list error":
            self._broken_texts.add(text)
        if code not in _RUNS or text not in self._broken_texts:
            return []
        # As where it was met: the statement fails, and the text of its error cannot be read.
        return [self._session.refusal(SqlError(-400, ""), _BROKEN_LIST)]

    def _send(self, message: int, number: int, replies: list[Reply], fault: dict[str, Any]) -> None:
        data = b"".join(_HEADER.pack(len(body), message, number, status) + body for status, body in replies)
        kind = fault["kind"]
        if kind in ("fin", "rst"):
            self._resets = kind == "rst"
            raise Gone
        if kind == "cut":
            data = data[: len(data) // 2]
        with self._state.guard:  # counted first: whoever has the answer may look at once
            self._state.seen.bytes_out += len(data)
        self._sock.sendall(data)
        if kind == "cut" or self._cut.is_set():
            raise Gone

    def _receive(self, count: int) -> bytes:
        received = bytearray()
        while len(received) < count:
            part = self._sock.recv(min(count - len(received), 1 << 20))
            if not part or self._cut.is_set():
                raise Gone
            received += part
        with self._state.guard:
            self._state.seen.bytes_in += count
        return bytes(received)


class Server:
    """Listens, and refuses where it is told to."""

    def __init__(self, state: State, tls: ssl.SSLContext | None, port: int) -> None:
        self.state = state
        self.database = Database(state)
        self._tls = tls
        self._connections: set[Connection] = set()
        self.port = port
        self._listener: socket.socket | None = None
        self.listen()

    def listen(self) -> None:
        """Take connections (again)."""
        if self._listener is not None:
            return
        listener = self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def refuse(self) -> None:
        """Take no more connections: who knocks is told ECONNREFUSED. Those that are open stay."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def cut(self, *, resets: bool, count: int | None = None) -> int:
        """End `count` of the open connections, or all; return how many."""
        with self.state.guard:
            chosen = list(self._connections)[:count]
        for connection in chosen:
            connection.cut(resets=resets)
        return len(chosen)

    def clear(self) -> None:
        """Be as a server that was just started, on the same port."""
        self.cut(resets=False)
        self.state.wait(open=0, faults_met=0, timeout_s=5)
        self.state.reset()
        self.database = Database(self.state)
        self.listen()

    def forget(self) -> None:
        with self.state.guard:
            self.state.seen = Seen()

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
        with self.state.guard:
            self._connections.add(connection)
        self.state.count_connection(1)
        try:
            connection.serve()
        finally:
            with self.state.guard:
                self._connections.discard(connection)
            self.state.count_connection(-1)
