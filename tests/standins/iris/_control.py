"""The control port, by which a test configures the server: one line of JSON each way."""

from __future__ import annotations

import dataclasses
import json
import socketserver
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.standins.iris._server import Server


def execute(server: Server, command: dict[str, Any]) -> Any:
    """Execute one command: `{"do": ..., ...}`."""
    match command.pop("do"):
        case "configure":
            server.state.configure(command)
        case "listen" | "refuse_connections" | "reset" | "reset_counters" as simple:
            getattr(server, simple)()
        case "drop_connections":
            return server.drop_connections(**command)
        case "wait_until":
            return server.state.wait_until(**command)
        case "counters":
            with server.state.condition:
                state = server.state
                more = {name: getattr(state, name) for name in ("open", "faults_injected", "fault")}
                return {**dataclasses.asdict(state.counters), **more}
        case "rows":
            return server.database.raw(command["table"])
        case "tables":
            return {
                table.full_name: [dataclasses.asdict(index) for index in table.indexes.values()]
                for table in server.database.catalogue.tables.values()
            }
        case unknown:
            raise ValueError(f"unknown command {unknown}")
    return None


def control_server(server: Server) -> socketserver.ThreadingTCPServer:
    """Return a server for commands on a port of its own."""

    class CommandHandler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(json.dumps(execute(server, json.loads(self.rfile.readline()))).encode() + b"\n")

    class Listener(socketserver.ThreadingTCPServer):
        daemon_threads = True

    return Listener(("127.0.0.1", 0), CommandHandler)
