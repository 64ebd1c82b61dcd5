"""How a test talks to the server beside the protocol: one line of JSON there, one back."""

from __future__ import annotations

import dataclasses
import json
import socketserver
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.standins.iris._server import Server


def answer(server: Server, order: dict[str, Any]) -> Any:
    """Do one order: `{"do": ..., ...}`."""
    match order.pop("do"):
        case "tell":
            server.state.tell(order)
        case "listen" | "refuse" | "clear" | "forget" as simple:
            getattr(server, simple)()
        case "cut":
            return server.cut(**order)
        case "wait":
            return server.state.wait(**order)
        case "seen":
            with server.state.guard:
                state = server.state
                more = {name: getattr(state, name) for name in ("open", "faults_met", "fault")}
                return {**dataclasses.asdict(state.seen), **more}
        case "rows":
            return server.database.raw(order["table"])
        case "tables":
            return {
                table.full_name: [dataclasses.asdict(index) for index in table.indexes.values()]
                for table in server.database.catalogue.tables.values()
            }
        case unknown:
            raise ValueError(f"no order is called {unknown}")
    return None


def control(server: Server) -> socketserver.ThreadingTCPServer:
    """A server for orders on a port of its own."""

    class Orders(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(json.dumps(answer(server, json.loads(self.rfile.readline()))).encode() + b"\n")

    class Listener(socketserver.ThreadingTCPServer):
        daemon_threads = True

    return Listener(("127.0.0.1", 0), Orders)
