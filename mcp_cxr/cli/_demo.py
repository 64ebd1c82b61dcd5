"""mcp-cxr demo."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the images, the archive and the contact sheet; by default a temporary one.",
)
def demo(*, keep: Path | None) -> int:
    """Try mcp-cxr on computer-drawn images. It draws 60 studies, ingests them and queries them as an MCP host does."""
    import anyio

    from mcp_cxr.demo import run_demo

    return anyio.run(run_demo, keep)
