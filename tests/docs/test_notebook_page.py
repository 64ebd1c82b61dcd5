"""The cells of docs/notebook.md, run in order."""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any

import anyio

from mcp_cxr.archive import open_archive
from tests.docs.pages import ROOT, blocks
from tests.server.archives import environment

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from mcp_cxr.demo import DemoDataSet

PAGE = ROOT / "docs" / "notebook.md"


async def test_the_cells_of_the_notebook_page_run(
    demo: DemoDataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks(PAGE, "python"):
        text = block.text.replace("/path/to/images", str(demo.folder))
        cell = compile(text, PAGE.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if inspect.isawaitable(result := eval(cell, names)):  # noqa: S307 - a page of this project
            await result
    printed = capsys.readouterr().out
    assert f"{len(demo.images)} added, {{}} refused" in printed
    assert "patients with cardiomegaly; {'zero': 0," in printed
    assert "The archive has no image nothing" in printed
    assert {"image.png", "alike.png"} <= {path.name async for path in anyio.Path(tmp_path).iterdir()}


async def test_the_cell_of_the_cohorts_page_runs(
    demo: DemoDataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    async with open_archive() as archive:
        await archive.ingest(demo.folder)
    (block,) = blocks(ROOT / "docs" / "cohorts.md", "python")
    await eval(compile(block.text, "cohorts.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), {})  # noqa: S307 - a page of this project
    assert "'file gone': 0" in capsys.readouterr().out
