"""docs/evaluate.md names the existing options and protocols."""

from __future__ import annotations

import re
import shlex

import click

from mcp_cxr.cli import cli
from mcp_cxr.evaluate import PROTOCOLS
from tests.docs.pages import ROOT, commands

PAGE = ROOT / "docs" / "evaluate.md"
evaluate = cli.commands["evaluate"]


def test_the_page_names_exactly_the_existing_options() -> None:
    named = set(re.findall(r"--[a-z]+(?:-[a-z]+)*", PAGE.read_text()))
    known = {option for one in evaluate.params if isinstance(one, click.Option) for option in one.opts}
    assert named <= known
    assert known - named == set()


def test_every_protocol_has_a_row() -> None:
    assert tuple(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)) == PROTOCOLS


def test_every_command_is_valid() -> None:
    # A command keeps the help option of its first context, so this one has the names that the program gives it.
    names = ["-h", "--help"]
    for line in commands(PAGE):
        words = shlex.split(line.removeprefix("mcp-cxr evaluate"))
        evaluate.make_context("evaluate", words, help_option_names=names)
