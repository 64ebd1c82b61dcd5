"""mcp-cxr layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcp_cxr.cli._common import as_json, print_result

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--companions",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    help="Additional folder, or file, with companion tables or reports; may be repeated.",
)
@click.option("--layout", metavar="NAME", help="Use this layout instead of those that are recognized.")
@as_json
def layout(folder: Path, *, companions: tuple[Path, ...], layout: str | None, as_json: bool) -> None:
    """Show which data set and tables an ingest would recognize.

    Also shows what the tables contain. No image is opened and nothing is stored.
    """
    from mcp_cxr.ingest import IngestPlan, preview_layout  # loaded late: `mcp-cxr --help` does not need it

    plan = IngestPlan(folder.resolve(), companion_folders=tuple(one.resolve() for one in companions), layout=layout)
    found = preview_layout(plan)
    print_result(found, _lines(found), as_json=as_json)


def _lines(found: dict[str, Any]) -> Iterator[str]:
    for one in found["layouts"]:
        yield f"{one['title']}: {one['files']} of {found['files']} files"
        yield "  Files with: " + ", ".join(f"{name} {count}" for name, count in one["with"].items())
        yield from (f"  {line}" for line in one["lacks"])
        yield from (f"  Label {own} is also kept as {common}" for own, common in one["labels_named"].items())
    if found["unknown"]:
        yield f"Files of no known layout: {found['unknown']} of {found['files']}; only their headers are read."
    yield from (f"Companion {one['file']}: {one['joined']} of {one['rows']} rows joined" for one in found["companions"])
    yield from (f"Note: {line}" for line in found["notes"])
