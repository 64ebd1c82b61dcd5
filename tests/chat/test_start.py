"""How `mcp-cxr chat` starts, and the errors that stop it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

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
