"""Serve until the process is ended; the first line on stdout holds the port and the control port."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.standins.iris._control import control_server
from tests.standins.iris._server import Server
from tests.standins.iris._state import State
from tests.standins.iris._tls import server_context


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.standins.iris", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", type=Path, help="a folder that holds server.pem")
    given = parser.parse_args()
    server = Server(State(), server_context(given.tls) if given.tls else None, given.port)
    commands = control_server(server)
    print(server.port, commands.server_address[1], flush=True)  # noqa: T201  # the fixture reads it
    commands.serve_forever()


if __name__ == "__main__":
    main()
