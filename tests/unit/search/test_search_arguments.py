"""`SearchArguments` is the one list of search arguments: every surface offers each of them, or says why not."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client
from mcp_types import CallToolResult

import mcp_cxr
from mcp_cxr.archive import Archive, open_archive
from mcp_cxr.cli import cli
from mcp_cxr.records import FILTERS, Filter, SearchArguments
from mcp_cxr.server import AccessLog, build_server

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = Path(mcp_cxr.__file__).parent
NAMES = [one.name for one in fields(SearchArguments)]


def words_in(folder: str, suffix: str) -> set[str]:
    """Return every identifier in the sources of a folder: a widget or a script names the argument it sends."""
    return {word for path in (PACKAGE / folder).glob(f"*{suffix}") for word in re.findall(r"\w+", path.read_text())}


SURFACES: dict[str, Callable[[], set[str]]] = {
    "command line": lambda: {str(one.name) for one in cli.commands["search"].params},
    "chat page": lambda: words_in("chat/web", ".js"),
    "viewer": lambda: words_in("server/viewer", ".js"),
}


@pytest.mark.parametrize("surface", SURFACES)
def test_every_surface_offers_every_argument(surface: str) -> None:
    offered = SURFACES[surface]()
    assert not [name for name in NAMES if name not in offered], f"{surface} lacks them"


async def test_the_access_log_records_every_argument(tmp_path: Path) -> None:
    async def succeed() -> CallToolResult:
        return CallToolResult(content=[])

    await AccessLog(tmp_path / "log").record("search_medical_images", dict.fromkeys(NAMES, "given"), succeed)
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert {*json.loads(line)["filters"], "query"} == set(NAMES)


def test_every_filter_reaches_the_store_under_its_own_name() -> None:
    stored = {one.name for one in fields(Filter)} | {"exclude_subject_of"}  # resolved to `exclude_subject`
    assert set(FILTERS) <= stored


async def test_the_tool_keeps_the_order_and_the_defaults() -> None:
    async with Client(build_server(open_archive)) as client:
        tools = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}
    properties = tools["search_medical_images"]["properties"]
    assert list(properties) == NAMES
    given: dict[str, Any] = {name: each["default"] for name, each in properties.items() if each.get("default")}
    assert SearchArguments(**given) == SearchArguments()


def test_a_search_in_a_notebook_has_the_parameters_of_its_arguments() -> None:
    assert list(inspect.signature(Archive.search).parameters)[1:] == NAMES


@pytest.mark.parametrize("blank", [{}, {"query": " "}, {"view": []}, {"split": ""}, {"limit": 3, "mode": "words"}])
def test_arguments_without_words_examples_or_filters_are_empty(blank: dict[str, Any]) -> None:
    assert SearchArguments(**blank).is_empty


@pytest.mark.parametrize("given", [{"query": "edema"}, {"has_report": False}, {"unlike": ["a"]}, {"view": ["PA"]}])
def test_arguments_with_anything_to_look_for_are_not_empty(given: dict[str, Any]) -> None:
    assert not SearchArguments(**given).is_empty
