"""The command line: exit code 0 done, 1 failed, 2 wrong use or configuration; one line on stderr says why."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
from click.exceptions import NoArgsIsHelpError

from mcp_cxr import __version__
from mcp_cxr.cli._chat import chat
from mcp_cxr.cli._check_data import check_data
from mcp_cxr.cli._cohort import cohort
from mcp_cxr.cli._common import FAILED, note
from mcp_cxr.cli._demo import demo
from mcp_cxr.cli._doctor import doctor
from mcp_cxr.cli._evaluate import evaluate
from mcp_cxr.cli._forget import forget
from mcp_cxr.cli._ingest import ingest
from mcp_cxr.cli._layout import layout
from mcp_cxr.cli._model import model
from mcp_cxr.cli._option_names import with_shell_lines
from mcp_cxr.cli._probe import probe
from mcp_cxr.cli._pull import pull
from mcp_cxr.cli._search import search
from mcp_cxr.cli._serve import serve
from mcp_cxr.cli._show import show
from mcp_cxr.cli._standard_streams import discard_unwritable, error_of_output, open_closed_streams
from mcp_cxr.cli._table import table
from mcp_cxr.cli._timeline import timeline
from mcp_cxr.errors import ConfigError, CxrError, PathRefused, QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Commands(click.Group):
    """A group that lists its commands in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_Commands)
@click.version_option(__version__, prog_name="mcp-cxr")
def cli() -> None:
    """Search your own archive of chest X-rays, from the command line or from an AI agent."""


for _command in (
    *(serve, chat, ingest, pull, layout, search, show, timeline, cohort, table, forget),
    *(check_data, probe, evaluate, doctor, model, demo),
):
    cli.add_command(_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command of `mcp-cxr` and return its exit code."""
    return run(cli, argv, name="mcp-cxr")


def run(command: click.Command, argv: Sequence[str] | None = None, *, name: str) -> int:
    """Run a command and return its exit code.

    Args:
        name: Program name in its help and errors.
    """
    open_closed_streams()
    lost = None
    try:
        code = _run(command, argv, name)
    except Exception as exc:  # a failed write of the output reaches us as any error
        lost = error_of_output(exc)
        if lost is None:
            raise
        code = FAILED
    lost = discard_unwritable(sys.stdout) or lost
    if lost and not isinstance(lost, BrokenPipeError):  # the program that reads the output has ended, as `head` does
        note(f"Error: Cannot write to stdout ({lost.strerror}).")
    discard_unwritable(sys.stderr)
    return FAILED if lost else code


def _run(command: click.Command, argv: Sequence[str] | None, name: str) -> int:
    try:
        code = command.main(argv, name, standalone_mode=False, help_option_names=["-h", "--help"])
    except CxrError as exc:
        note(f"Error: {with_shell_lines(str(exc), search)}")
        return 2 if isinstance(exc, ConfigError | PathRefused | QueryError) else FAILED
    except NoArgsIsHelpError as exc:
        note(exc.format_message())
        return exc.exit_code
    except click.ClickException as exc:
        context = exc.ctx if isinstance(exc, click.UsageError) else None
        help_line = f" See `{context.command_path} --help`." if context else ""
        message = " ".join(exc.format_message().split()).replace("valid integer range", "valid integer")
        end = "" if message.endswith((".", "?", "?)")) or not context else "."
        if message.startswith("Got unexpected extra argument"):
            end = ". Put quotes around a value that has blanks."
        note(f"Error: {message}{end}{help_line}")
        return exc.exit_code
    except (KeyboardInterrupt, click.Abort):
        note("Interrupted.")
        return FAILED
    return code if isinstance(code, int) else 0
