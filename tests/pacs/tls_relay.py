"""A TLS server on an ephemeral port that passes bytes on to another port, as a proxy before a PACS does.

Orthanc 1.10.1 of Debian 12 crashes at the first request over its own TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Generator

_CHECKOUT = Path(__file__).parents[2]


@contextmanager
def tls_relay(authority: Path, port: int) -> Generator[int]:
    """Start a relay with the `server.pem` of a folder before a port of loopback; yield the relay's port."""
    command = [sys.executable, "-m", "tests.pacs.tls_relay", str(authority), str(port)]
    with subprocess.Popen(command, cwd=_CHECKOUT, stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


async def _serve(authority: Path, port: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem")

    async def connected(reader: StreamReader, writer: StreamWriter) -> None:
        onward, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass_on(reader, back), _pass_on(onward, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # the test reads it
    await server.serve_forever()


async def _pass_on(reader: StreamReader, writer: StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
