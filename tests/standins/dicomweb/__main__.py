"""Serve until the process is ended; the port is the first line on stdout."""

from __future__ import annotations

import asyncio
import contextlib

from tests.standins.dicomweb._server import Server
from tests.standins.dicomweb._state import State


def main() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Server(State()).run())


if __name__ == "__main__":
    main()
