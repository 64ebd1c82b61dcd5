"""How `mcp-cxr chat` starts, and the errors that stop it."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from mcp_cxr.chat import _launch
from mcp_cxr.cli import main

if TYPE_CHECKING:
    import pytest

WITHOUT = "import sys; sys.modules['streamlit'] = None; from mcp_cxr.cli import main; sys.exit(main(['chat']))"


def test_a_missing_extra_is_named() -> None:
    ended = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (
        2,
        "Error: `mcp-cxr chat` needs the extra `chat`: pip install 'mcp-cxr[chat]'.\n",
    )


def test_a_remote_model_that_is_not_allowed_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MCP_CXR_CHAT_MODEL", "m")
    monkeypatch.setenv("MCP_CXR_CHAT_URL", "https://models.example.org/v1")
    assert main(["chat", "--headless"]) == 2
    assert "MCP_CXR_ALLOW_REMOTE=models.example.org:443" in capsys.readouterr().err


def test_a_page_that_does_not_answer_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_launch, "_START_TIMEOUT_S", 0.1)
    notes: list[str] = []
    with closing(socket.socket()) as silent:  # bound, but nobody listens
        silent.bind(("127.0.0.1", 0))
        _launch._announce(silent.getsockname()[1], "http://the-link", False, notes.append)
    assert notes == ["The page has not answered within 0.1 s. Press Ctrl-C and read the messages above."]
