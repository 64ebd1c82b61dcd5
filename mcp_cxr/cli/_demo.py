"""mcp-cxr demo."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the films, the archive and the contact sheet; by default a temporary one.",
)
def demo(*, keep: Path | None) -> int:
    """Draw 60 studies of chest phantoms, ingest them, and ask for them as an MCP host would."""
    import anyio

    from mcp_cxr.demo import run_demo

    return anyio.run(run_demo, keep)
