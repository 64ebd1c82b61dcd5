"""docs/check-data.md: its example is run in order, and it names the existing options and lists."""

from __future__ import annotations

import ast
import inspect
import re
import shutil
from typing import TYPE_CHECKING, Any

import anyio
import click

from mcp_cxr.cli import cli
from mcp_cxr.research.data_check import LIST_NAMES
from tests.docs.pages import ROOT, blocks, commands

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from mcp_cxr.demo import DemoDataSet

PAGE = ROOT / "docs" / "check-data.md"
command = cli.commands["check-data"]


async def test_the_example_finds_the_faults_that_it_made(
    demo: DemoDataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(demo.folder, tmp_path / "images")
    names: dict[str, Any] = {}
    for block in blocks(PAGE, "python"):
        text = block.text.replace("/path/to/images", str(tmp_path / "images"))
        cell = compile(text, PAGE.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if inspect.isawaitable(result := eval(cell, names)):  # noqa: S307 - a page of this project
            await result
    printed = capsys.readouterr().out
    assert "duplicates: 1\n" in printed
    assert "0badf00d-0badf00d-0badf00d-0badf00d-0badf00d" in printed
    assert "reports: 1\n" in printed
    assert "pleural effusion: label absent, report affirms it." in printed
    assert "labels: No label can be learned" in printed
    decisions = await anyio.Path(tmp_path / "decisions.csv").read_text()
    assert [line.split(",")[:2] for line in decisions.splitlines()[1:3]] == [
        ["duplicates", "wrong"],
        ["reports", "wrong"],
    ]


def test_the_page_names_exactly_the_existing_options() -> None:
    named = {option for line in commands(PAGE) for option in re.findall(r"--[a-z]+(?:-[a-z]+)*", line)}
    assert named == {option for one in command.params if isinstance(one, click.Option) for option in one.opts}


def test_every_list_has_a_row() -> None:
    assert tuple(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)) == LIST_NAMES
