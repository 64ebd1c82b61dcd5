"""Serve until the process is ended; the port is the first line on stdout."""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from tests.standins.nvclip._dialects import DIALECTS
from tests.standins.nvclip._server import Server
from tests.standins.nvclip._state import State


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.standins.nvclip", description=main.__doc__)
    parser.add_argument("--dialect", choices=sorted(DIALECTS), default="nim")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--model", action="append", required=True, help="a name of the served model")
    parser.add_argument("--dimension", type=int, default=1024)
    given = parser.parse_args()
    state = State(models=tuple(given.model), dimension=given.dimension)
    server = Server(DIALECTS[given.dialect](state), state)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.run(given.port))


if __name__ == "__main__":
    main()
