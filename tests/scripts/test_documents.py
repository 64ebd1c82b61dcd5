"""The documented configuration agrees with the settings."""

from __future__ import annotations

import json
import re
from pathlib import Path

from mcp_cxr.settings import Settings, variables

ROOT = Path(__file__).parent.parent.parent
ROW = re.compile(r"^\| `(?P<name>[A-Z_]+)` \| (?P<default>.*?) \| (?P<meaning>.*) \|$", re.MULTILINE)
CONFIGURED = {"MCP_CXR_EMBEDDER", "MCP_CXR_ROOTS", "MCP_CXR_SHARE"}


def test_the_documented_variables_equal_the_settings():
    text = (ROOT / "docs" / "configuration.md").read_text()
    documented = [(row["name"], row["default"], row["meaning"]) for row in ROW.finditer(text)]
    expected = [
        (str(field.validation_alias), default_of(name), field.description)
        for name, field in Settings.model_fields.items()
    ]
    assert documented == expected


def test_the_claude_desktop_example_uses_existing_variables():
    (entry,) = json.loads((ROOT / "claude_desktop_config.example.json").read_text())["mcpServers"].values()
    assert set(entry["env"]) <= set(variables())
    assert set(entry["env"]) >= CONFIGURED
    assert entry["env"]["MCP_CXR_SHARE"] == "reports,images,dates"
    assert entry["args"] == ["serve"]
    assert Path(entry["command"]).is_absolute()


def default_of(name: str) -> str:
    """Return a setting's default as the table shows it."""
    field = Settings.model_fields[name]
    if field.default_factory:
        return "the platform's user data folder"
    if field.default is None:
        return "none"
    shown = ",".join(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{shown}`" if field.default else "empty"
