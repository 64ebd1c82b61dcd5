"""Shared parts of the commands: opening the archive, printing, asking for confirmation, exit codes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import signal
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mcp_cxr.cli._standard_streams import discard
from mcp_cxr.errors import ConfigError
from mcp_cxr.untrusted_text import sanitize_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from contextlib import AbstractAsyncContextManager

    from _typeshed import DataclassInstance

    from mcp_cxr.archive import Archive
    from mcp_cxr.records import SearchResult
    from mcp_cxr.settings import Settings

_T = TypeVar("_T")

DONE, FAILED = 0, 1

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
as_tool_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object, as the MCP tools return it, instead of text."
)


_ALLOWS_DEMO_ENCODER = "mcp_cxr.allow_demo_encoder"


def _remember(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    context.meta[_ALLOWS_DEMO_ENCODER] = value


allow_demo_encoder = click.option(
    "--allow-demo-encoder",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    help="Allow the demonstration encoder, which recognizes nothing in real radiographs, outside the demo's archive.",
)
"""An option of commands that embed; `opened_archive` heeds it."""


def opened_archive(settings: Settings) -> AbstractAsyncContextManager[Archive]:
    """Open the archive of `settings` as the options of the command allow."""
    from mcp_cxr.archive import open_archive

    allows = demo_encoder_is_allowed(click.get_current_context())
    return open_archive(settings, allow_demo_encoder=allows)


def demo_encoder_is_allowed(context: click.Context) -> bool:
    """Whether the command was given `--allow-demo-encoder`."""
    return bool(context.meta.get(_ALLOWS_DEMO_ENCODER))


def with_archive(work: Callable[[Archive], Awaitable[_T]]) -> _T:
    """Return the result of `work` on the archive that the environment describes."""

    async def on_archive(settings: Settings) -> _T:
        async with opened_archive(settings) as archive:
            return await work(archive)

    return with_settings(on_archive)


def with_settings(work: Callable[[Settings], Awaitable[_T]]) -> _T:
    """Return the result of `work` with the settings of the environment."""
    import anyio  # loaded late, like all heavy modules: `mcp-cxr --help` and `serve` start at once

    return anyio.run(work, read_settings())


def read_settings() -> Settings:
    """Return the settings of the environment; print warnings about likely mistakes."""
    from mcp_cxr.settings import load_settings, warnings

    settings = load_settings()
    for warning in warnings(settings):
        note(f"Warning: {warning}")
    return settings


def say(text: str) -> None:
    """Print data to stdout."""
    click.echo(sanitize_text(text))


def note(text: str) -> None:
    """Print progress, a warning or advice to stderr, if it can be written."""
    try:
        click.echo(sanitize_text(text), err=True)
    except OSError:  # a closed terminal, a full disk: the work goes on
        discard(sys.stderr)


def reports_reread_line(studies: int) -> str:
    """Return the line that says that the reports of this many studies were read again."""
    from mcp_cxr.language import READER_VERSION  # loaded late: `mcp-cxr --help` does not need it

    return f"Read the reports of {studies} studies again with reader version {READER_VERSION}; nothing was embedded."


def print_result(
    value: DataclassInstance | SearchResult | dict[str, Any], lines: Iterable[str], *, as_json: bool
) -> None:
    """Print a result to stdout, as one JSON object or as these lines."""
    if isinstance(value, dict):
        data = value
    else:
        from mcp_cxr.records import to_json  # loaded late: `mcp-cxr --help` does not need it

        data = to_json(value) if dataclasses.is_dataclass(value) else value.model_dump()
    for text in [json.dumps(data, ensure_ascii=False, indent=2)] if as_json else lines:
        say(text)


def confirmed(question: str) -> bool:
    """Return whether the user typed `yes`.

    Raises:
        ConfigError: There is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise ConfigError("This command asks you to type yes; run it in a terminal.")
    return click.prompt(f"{question} Type yes to continue", default="no", show_default=False, err=True).strip() == "yes"


def stop_on_interrupt(
    is_stopping: Callable[[], bool], stop: Callable[[str], None], tell: Callable[[str], None]
) -> None:
    """Stop after the current batch at the first Ctrl-C, at once at the second; lasts as long as the event loop.

    Args:
        is_stopping: Whether the work is being stopped already.
        stop: Stops it, with the reason for the user.
        tell: Prints a line.
    """
    import asyncio  # loaded late: `mcp-cxr --help` does not need it

    def on_signal() -> None:
        if is_stopping():
            raise KeyboardInterrupt
        tell("Stopping after the current batch; a second Ctrl-C or signal stops at once.")
        stop("Interrupted. Run the same command again to continue.")

    hangup = getattr(signal, "SIGHUP", None)  # the terminal was closed; `nohup` ignores it
    ends = [hangup] if hangup and signal.getsignal(hangup) is signal.SIG_DFL else []
    with contextlib.suppress(NotImplementedError):  # on Windows the first Ctrl-C stops the command at once
        for number in (signal.SIGINT, signal.SIGTERM, *ends):
            asyncio.get_running_loop().add_signal_handler(number, on_signal)
