"""Starting the page: on loopback, for whoever has the link, telling nobody of it."""

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
from urllib.request import urlopen

from streamlit.web import bootstrap

from mcp_cxr.chat._configured_model import create_model
from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mcp_cxr.settings import Settings

_HOST = "127.0.0.1"
_PAGE = Path(__file__).parent / "_streamlit_script.py"
_STARTS_WITHIN_S = 30
_LOOK_EVERY_S = 0.05
_OPTIONS = {
    "server_address": _HOST,
    "server_headless": True,  # the browser is opened here, with the token
    "server_showEmailPrompt": False,
    "server_fileWatcherType": "none",
    "server_maxUploadSize": 100,
    "browser_gatherUsageStats": False,
    "browser_serverAddress": _HOST,
    "client_toolbarMode": "minimal",
    "client_showErrorDetails": "none",  # an exception may quote what it choked on; the terminal has it
    "logger_hideWelcomeMessage": True,
    "logger_level": "warning",
    "theme_light_primaryColor": "#0b6672",  # these are the viewer's
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
        settings: Those that the page will find, too; a model that may not be asked is refused at once.
        folders: May be ingested from it.
        port: 0: any free one.
        opens_browser: Whether the page is shown in the person's browser at once.
        note: Tells the person who starts it.

    Raises:
        ConfigError: The port is taken, or the model may not be asked.
    """
    create_model(settings)
    import_module("mcp_cxr.chat._app")  # what the first tab would wait for
    port = _free(port)
    token = secrets.token_urlsafe(24)
    url = f"http://{_HOST}:{port}/?token={token}"
    bootstrap.load_config_options(flag_options := {**_OPTIONS, "server_port": port})
    threading.Thread(target=_when_up, args=(port, url, opens_browser, note), daemon=True).start()
    bootstrap.run(str(_PAGE), False, [token, *map(str, folders)], flag_options)


def _free(port: int) -> int:
    try:
        with closing(socket.create_server((_HOST, port))) as listener:
            return listener.getsockname()[1]
    except OSError as exc:
        raise ConfigError(f"Cannot listen on port {port} ({exc.strerror}); give another --port.") from exc


def _when_up(port: int, url: str, opens_browser: bool, note: Callable[[str], None]) -> None:
    """Tell where the page is once it answers, or that it does not."""
    until = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < until:
        with suppress(OSError), urlopen(f"http://{_HOST}:{port}/_stcore/health", timeout=1):
            break
        time.sleep(_LOOK_EVERY_S)  # Streamlit tells nobody that it listens
    else:
        note(f"The page has not answered within {_STARTS_WITHIN_S} s. Press Ctrl-C, and see what stands above.")
        return
    note(f"Open {url}; Ctrl-C ends it.")
    if opens_browser:
        webbrowser.open(url)
