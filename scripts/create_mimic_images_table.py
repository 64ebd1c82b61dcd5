#!/usr/bin/env python3
"""Create the archive's table: `mcp-cxr table create`, with --drop after `mcp-cxr table drop`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # runs from a checkout without installation

from mcp_cxr.cli import run, table

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = Path(__file__).name


@click.command()
@click.option("--drop", is_flag=True, help="Remove the table with all rows first; asks you to type yes; needs --force.")
@click.option("--force", is_flag=True, help="Required with --drop.")
def create(*, drop: bool, force: bool) -> int:
    """Create the archive's table if it does not exist. Image files are always kept."""
    dropped = run(table.commands["drop"], ["--force"] if force else [], name=NAME) if drop else 0
    return dropped or run(table.commands["create"], [], name=NAME)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(create, argv, name=NAME)


if __name__ == "__main__":
    sys.exit(main())
