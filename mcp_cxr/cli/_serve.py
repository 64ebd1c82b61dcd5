"""mcp-cxr serve."""

from __future__ import annotations

import gc
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from mcp_cxr.cli._common import note
from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mcp_cxr.archive import Archive
    from mcp_cxr.settings import Settings


@click.command()
def serve() -> None:
    """Serve the archive to an MCP host over stdin and stdout."""
    gc.disable()  # 0.04 s of the 0.46 s a host waits go into collecting while modules load
    from mcp_cxr.server import build_server
    from mcp_cxr.settings import load_settings, warnings

    gc.freeze()
    gc.enable()
    settings = load_settings()
    _require_absolute(settings)
    for warning in warnings(settings):
        note(f"Warning: {warning}")

    @asynccontextmanager
    async def open_late() -> AsyncGenerator[Archive]:
        """Load what is heavy in a thread, while the handshake is answered."""
        from anyio import to_thread

        open_archive = await to_thread.run_sync(_load)
        async with open_archive(settings) as archive:
            yield archive

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # else Ctrl-C waits for the thread that reads stdin
    build_server(open_late, share=settings.share).run("stdio")


def _require_absolute(settings: Settings) -> None:
    """Refuse relative paths: hosts start the server in any folder, and it would look for the archive there.

    Raises:
        ConfigError: One is relative.
    """
    paths = {
        "MCP_CXR_DATA_DIR": [settings.data_dir],
        "MCP_CXR_ID_KEY_FILE": [settings.key_file] if settings.key_file else [],
        "MCP_CXR_ROOTS": settings.roots,
    }
    for name, places in paths.items():
        if relative := [place for place in places if not place.is_absolute()]:
            raise ConfigError(f"{name}: {relative[0]} must be an absolute path for `serve`.")


def _load():  # noqa: ANN202 - the type of a function that is imported late
    from mcp_cxr.archive import open_archive

    return open_archive
