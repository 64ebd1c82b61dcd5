"""A proxy in front of `serve --http` that adds the token, for clients that cannot send one."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import Self

_MAX_BYTES = 64 * 1024


@dataclass(slots=True)
class Bearer:
    """Listens while it is entered; one request per connection. In headers, the server's address replaces its own.

    Args:
        port: Of the server.
    """

    port: int
    token: str
    listener: socket.socket = field(init=False)

    def __enter__(self) -> Self:
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    @property
    def url(self) -> str:
        return f"http://{self._own}/mcp"

    @property
    def _own(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)) as server:
            head = b""
            while b"\r\n\r\n" not in head and len(head) < _MAX_BYTES:
                if not (more := client.recv(_MAX_BYTES)):
                    return
                head += more
            head, _, body = head.partition(b"\r\n\r\n")
            first, *lines = head.replace(self._own.encode(), f"127.0.0.1:{self.port}".encode()).split(b"\r\n")
            kept = [line for line in lines if not line.lower().startswith(b"connection:")]
            added = [f"Authorization: Bearer {self.token}".encode(), b"Connection: close"]
            server.sendall(b"\r\n".join([first, *kept, *added]) + b"\r\n\r\n" + body)
            threading.Thread(target=_copy, args=(client, server), daemon=True).start()
            _copy(server, client)


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Forward data until either side ends."""
    with contextlib.suppress(OSError):
        while data := source.recv(_MAX_BYTES):
            target.sendall(data)
