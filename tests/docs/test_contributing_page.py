"""The layout, the command and the embedder of CONTRIBUTING.md work as they are printed."""

from __future__ import annotations

import json
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from click.testing import CliRunner

from mcp_cxr.layouts import _layouts, read_layouts
from mcp_cxr.records import LABELS, Rejection, Rendering
from tests.docs.pages import ROOT, blocks
from tests.support.companions import table
from tests.support.image_files import plain

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from mcp_cxr.embeddings import Embedder

PAGE = ROOT / "CONTRIBUTING.md"


def example(name: str) -> ModuleType:
    """Return the block of the page that defines a name, as a module."""
    (text,) = (block.text for block in blocks(PAGE, "python") if f" {name}(" in block.text)
    module = ModuleType(f"example_{name}")
    exec(compile(text, PAGE.name, "exec"), vars(module))  # noqa: S102  # a page of this project
    return module


def test_the_layout_of_the_page_reads_its_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = example("RiversideLayout").RiversideLayout
    monkeypatch.setattr(_layouts, "ADAPTERS", (*_layouts.ADAPTERS, layout))
    image = plain(tmp_path / "7.png", 1)
    table(
        tmp_path / "renamed.csv", ("file", "person", "taken", *LABELS), ("7.png", "12", "2024-01-31", "1.0", *[""] * 13)
    )
    with read_layouts((tmp_path,)) as layouts:
        facts = layouts.facts_of(str(image))
    assert (facts.subject, facts.study, facts.image) == ("riverside-12", "riverside-12-2024-01-31", "riverside-7.png")
    assert facts.labels == {LABELS[0]: 1}


def test_the_command_of_the_page_prints_folders(tmp_path: Path) -> None:
    command = example("roots").roots
    environment = {"MCP_CXR_ROOTS": str(tmp_path), "MCP_CXR_DATA_DIR": str(tmp_path), "MCP_CXR_EMBEDDER": "offline"}
    done = CliRunner().invoke(command, ["--json"], env=environment)
    assert str(tmp_path.resolve()) in json.loads(done.stdout)["roots"]


async def test_the_embedder_of_the_page_embeds() -> None:
    made = example("BlockMeansEmbedder").BlockMeansEmbedder
    noise = np.random.default_rng(1).integers(0, 256, (64, 64), np.uint8)
    embedder: Embedder
    async with made(preprocessing="test-1") as embedder:
        vector, blank = await embedder.embed_images([Rendering(noise), Rendering(np.zeros((64, 64), np.uint8))])
        fingerprint = await embedder.fingerprint()
    assert isinstance(blank, Rejection)
    assert not isinstance(vector, Rejection)
    assert vector.shape == (fingerprint.dimension,)
    assert abs(float(vector @ vector) - 1) < 1e-5
