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
    """Try it on computer-drawn films. 60 studies are drawn, ingested, and asked for as an MCP host does."""
    import anyio

    from mcp_cxr.demo import run_demo

    return anyio.run(run_demo, keep)
