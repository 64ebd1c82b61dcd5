"""Starts the chat page on loopback behind a link with a token."""

from __future__ import annotations

import secrets
import socket
import threading
import time
import webbrowser
from contextlib import closing, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from streamlit.web import bootstrap

from mcp_cxr.chat._language_model import create_model
from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mcp_cxr.settings import Settings

_HOST = "127.0.0.1"
_PAGE = Path(__file__).parent / "_streamlit_script.py"
_START_TIMEOUT_S = 30
_POLL_S = 0.05
_OPTIONS = {
    "server_address": _HOST,
    "server_headless": True,  # the browser is opened below, with the token
    "server_showEmailPrompt": False,
    "server_fileWatcherType": "none",
    "server_maxUploadSize": 100,
    "browser_gatherUsageStats": False,
    "browser_serverAddress": _HOST,
    "client_toolbarMode": "minimal",
    "client_showErrorDetails": "none",  # an exception may quote its input; the terminal shows it
    "logger_hideWelcomeMessage": True,
    "logger_level": "warning",
    "theme_light_primaryColor": "#0b6672",  # the viewer's colors
    "theme_light_backgroundColor": "#ffffff",
    "theme_light_secondaryBackgroundColor": "#f4f6f7",
    "theme_light_textColor": "#14181d",
    "theme_dark_primaryColor": "#2b98a5",
    "theme_dark_backgroundColor": "#121417",
    "theme_dark_secondaryBackgroundColor": "#1b1e23",
    "theme_dark_textColor": "#e9ecf0",
}


def serve_page(
    settings: Settings, folders: Sequence[Path], *, port: int, opens_browser: bool, note: Callable[[str], None]
) -> None:
    """Serve the page until Ctrl-C or SIGTERM.

    Args:
        settings: The same that the page will load; a language model that is not allowed is refused at once.
        folders: Folders that may be ingested from the page.
        port: 0 for any free port.
        opens_browser: Whether to open the page in the user's browser.
        note: Prints a message for the user.

    Raises:
        ConfigError: The port is taken, or the language model is not allowed.
    """
    create_model(settings)
    import_module("mcp_cxr.chat._app")  # so that the first tab need not wait for it
    port = _free_port(port)
    token = secrets.token_urlsafe(24)
    url = f"http://{_HOST}:{port}/?token={token}"
    bootstrap.load_config_options(flag_options := {**_OPTIONS, "server_port": port})
    threading.Thread(target=_announce, args=(port, url, opens_browser, note), daemon=True).start()
    bootstrap.run(str(_PAGE), False, [token, *map(str, folders)], flag_options)


def _free_port(port: int) -> int:
    try:
        with closing(socket.create_server((_HOST, port))) as listener:
            return listener.getsockname()[1]
    except OSError as exc:
        raise ConfigError(f"Cannot listen on port {port} ({exc.strerror}); choose another --port.") from exc


def _announce(port: int, url: str, opens_browser: bool, note: Callable[[str], None]) -> None:
    """Print the link once the page answers, or that it does not."""
    until = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection((_HOST, port), timeout=1):
            break
        time.sleep(_POLL_S)  # Streamlit does not announce that it listens
    else:
        note(f"The page has not answered within {_START_TIMEOUT_S} s. Press Ctrl-C and read the messages above.")
        return
    note(f"Open {url}; Ctrl-C stops it.")
    if opens_browser:
        webbrowser.open(url)
