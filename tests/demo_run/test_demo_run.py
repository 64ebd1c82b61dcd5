"""The demo: the main job from end to end."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from mcp_cxr.cli import main
from mcp_cxr.demo import _run, write_data_set

if TYPE_CHECKING:
    from pathlib import Path

STUDIES = 8


@pytest.fixture(autouse=True)
def few_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer images than the demo's, and its settings go again with the test."""
    monkeypatch.setattr(_run, "write_data_set", functools.partial(write_data_set, studies=STUDIES))
    for name in ("MCP_CXR_DATA_DIR", "MCP_CXR_EMBEDDER", "MCP_CXR_SHARE"):
        monkeypatch.setenv(name, "")


def test_it_draws_ingests_asks_and_shows_and_does_so_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    folder = tmp_path / "demo"
    images = len(write_data_set(folder / "images", studies=STUDIES).images)
    for added, present in ((images, 0), (0, images)):
        assert main(["demo", "--keep", str(folder)]) == 0
        out = capfd.readouterr().out
        assert f": {added} added, {present} already present" in out
        for title in ("By words: left pleural effusion", "By filter: ", "By example: ", "By example and words: "):
            assert title in out
        assert "it cannot embed text" in out
        assert out.rstrip().endswith(str(folder / "contact-sheet.png"))
    with Image.open(folder / "contact-sheet.png") as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 1000
        assert len(sheet.convert("L").getcolors() or []) > 100
    assert len(list((folder / "images").rglob("*.dcm"))) == images
