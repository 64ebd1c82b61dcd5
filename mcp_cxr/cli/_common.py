"""What the commands share: running, failing with one line, printing."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mcp_cxr.errors import ConfigError, CxrError, PathRefused, QueryError
from mcp_cxr.sanitize import sanitize_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from _typeshed import DataclassInstance

    from mcp_cxr.archive import Archive
    from mcp_cxr.settings import Settings

_T = TypeVar("_T")

DONE, FAILED, WRONG_USE = 0, 1, 2

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, as the MCP tools return it.")


def with_archive(work: Callable[[Archive], Awaitable[_T]]) -> _T:
    """Open the archive the environment describes, do the work, close it."""

    async def on_archive(settings: Settings) -> _T:
        from mcp_cxr.archive import open_archive

        async with open_archive(settings) as archive:
            return await work(archive)

    return with_settings(on_archive)


def with_settings(work: Callable[[Settings], Awaitable[_T]]) -> _T:
    """Read the environment, tell what in it is likely not meant, do the work."""
    import anyio  # loaded late, as all that is heavy: `mcp-cxr --help` and `serve` start at once

    from mcp_cxr.settings import load_settings, warnings

    settings = load_settings()
    for warning in warnings(settings):
        note(f"Warning: {warning}")
    return anyio.run(work, settings)


def say(text: str) -> None:
    """Print data."""
    click.echo(sanitize_text(text))


def note(text: str) -> None:
    """Print progress, a warning or advice."""
    click.echo(sanitize_text(text), err=True)


def print_json(value: DataclassInstance | dict[str, Any]) -> None:
    """Print one JSON object."""
    data = value if isinstance(value, dict) else dataclasses.asdict(value)
    say(json.dumps(data, ensure_ascii=False, indent=2))


def confirmed(question: str) -> bool:
    """Ask for a typed `yes`.

    Raises:
        ConfigError: There is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise ConfigError("This asks for a typed yes: run it in a terminal.")
    return click.prompt(f"{question} Type yes to go on", default="no", show_default=False, err=True).strip() == "yes"


def exit_code(error: CxrError) -> int:
    """Return 2 where the use or the configuration is wrong, 1 where something failed."""
    return WRONG_USE if isinstance(error, ConfigError | PathRefused | QueryError) else FAILED
