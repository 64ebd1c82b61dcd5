"""Serves the page on loopback until it is stopped."""

from __future__ import annotations

import html
import os
import secrets
import signal
import socket
import threading
import webbrowser
from typing import TYPE_CHECKING

import anyio
import uvicorn

from mcp_cxr.chat.backend import opened_backend
from mcp_cxr.chat.language_models import create_model
from mcp_cxr.chat.web_server._private_folder import private_folder
from mcp_cxr.chat.web_server._session_secrets import SessionSecrets
from mcp_cxr.chat.web_server._web_app import web_app
from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import FrameType

    from mcp_cxr.settings import Settings

_HOST = "127.0.0.1"
_SHUTDOWN_TIMEOUT_S = 5
_OPENING_FILE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={url}"><title>Chest X-rays</title></head>
<body><a href="{url}">Open the page</a></body></html>
"""


def serve_page(
    settings: Settings,
    folders: Sequence[Path],
    *,
    port: int,
    opens_browser: bool,
    note: Callable[[str], None],
    is_private: bool = False,
) -> None:
    """Serve the page until Ctrl-C, SIGTERM or SIGHUP.

    Args:
        settings: The same that the page will load; a language model that is not allowed is refused at once.
        folders: Folders that may be ingested from the page.
        port: 0 for any free port.
        opens_browser: Whether to open the page in the user's browser.
        note: Prints a message for the user.
        is_private: Whether the page keeps nothing in the browser: no address of a search, no history.

    Raises:
        ConfigError: The port is taken, or the language model is not allowed.
    """
    create_model(settings)
    with _listen(port) as listener, private_folder() as folder:
        (uploads := folder / "uploads").mkdir(mode=0o700)
        address = f"http://{_HOST}:{listener.getsockname()[1]}/"
        opening_file = folder / "open.html"
        sessions = SessionSecrets(lambda code: _write_opening_file(opening_file, _link(address, code)))
        server = _server(sessions)

        async def serve() -> None:
            """Announce the page as soon as connections wait for an answer instead of being refused."""
            note(f"Open {_link(address, sessions.code)}; Ctrl-C stops it.")
            note(f"The link works once. For another browser, open {opening_file}")
            if opens_browser:  # with the file: other users of the machine can read the browser's command line
                threading.Thread(target=webbrowser.open, args=(opening_file.as_uri(),), daemon=True).start()
            await server.serve([listener])

        _stop_on_signals(server)
        with opened_backend(settings, folders, uploads, is_private=is_private):
            anyio.run(serve)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((_HOST, port))
    except OSError as exc:
        raise ConfigError(f"Cannot listen on port {port} ({exc.strerror}); choose another --port.") from exc


def _link(address: str, code: str) -> str:
    """Return the link that opens the page; browsers do not send the part after `#`."""
    return f"{address}#code={code}"


def _write_opening_file(path: Path, url: str) -> None:
    """Write the file that redirects to a link, readable by its owner alone."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(_OPENING_FILE.format(url=html.escape(url)))
    draft.replace(path)


def _server(sessions: SessionSecrets) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            web_app(sessions),
            log_config=None,  # its own writes to stdout
            access_log=False,  # paths hold secrets
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT_S,
        )
    )


def _stop_on_signals(server: uvicorn.Server) -> None:
    """Shut down in order at Ctrl-C, SIGTERM and SIGHUP, which a closed terminal sends."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        if server.should_exit:  # uvicorn raises the signals that it handled once more when it has shut down
            raise SystemExit(0)
        server.should_exit = True

    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    for number in numbers:
        if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` sets it
            signal.signal(number, stop)
