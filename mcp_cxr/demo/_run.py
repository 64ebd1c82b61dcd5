"""The main job from end to end: films drawn, ingested, and asked for through a real MCP host's eyes."""

from __future__ import annotations

import base64
import io
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from anyio import to_thread
from mcp import Client, StdioServerParameters
from PIL import Image

from mcp_cxr.archive import open_archive
from mcp_cxr.demo._archive import write_archive
from mcp_cxr.errors import CxrError
from mcp_cxr.images import ContactSheetTile, contact_sheet
from mcp_cxr.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_types import CallToolResult

_HITS = 4
_SHEET_PX = 320
_QUESTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("By words: left pleural effusion", {"query": "left pleural effusion"}),
    ("By words: pacemaker, frontal films", {"query": "pacemaker leads", "view": ["FRONTAL"]}),
    ("By filter: cardiomegaly without effusion", {"labels": ["Cardiomegaly"], "labels_absent": ["Pleural Effusion"]}),
)
_CANNOT_SEE = (
    "The offline embedder is a pixel sketch: films look alike to it by exposure and geometry, never by findings,\n"
    "and it reads no text. The words above were matched in reports, labels and tags; NV-CLIP compares meaning."
)


@dataclass(slots=True)
class _Host:
    """Asks the server's tools as a host does, and keeps what is to be shown."""

    client: Client
    tiles: list[ContactSheetTile] = field(default_factory=list[ContactSheetTile])

    async def ask(self, title: str, **arguments: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - the tool's arguments
        """Search, print the table, look at the films; return the hits."""
        page = _data(await self.client.call_tool("search_medical_images", {"limit": _HITS, **arguments}))
        click.echo(
            f"\n{title}\n  {page['total_results']} studies, {page['search_mode']}, {page['execution_time_ms']} ms"
        )
        for line in _table(page["images"]):
            click.echo(f"  {line}")
        if page["fallback_reason"]:
            click.echo(f"  Note: {page['fallback_reason']}")
        for hit in page["images"]:
            self.tiles.append(await self._look(hit, title))
        return page["images"]

    async def _look(self, hit: dict[str, Any], title: str) -> ContactSheetTile:
        arguments = {"image_id": hit["image_id"], "max_px": _SHEET_PX}
        result = await self.client.call_tool("view_image", arguments)
        if result.is_error:
            raise CxrError(_text(result))
        picture = next(block for block in result.content if block.type == "image")
        with Image.open(io.BytesIO(base64.b64decode(picture.data)), formats=("PNG", "JPEG")) as image:
            pixels = np.asarray(image.convert("L"))
        present = [label for label, value in hit["labels"].items() if value == 1]
        return ContactSheetTile(pixels, (title, f"{hit['view_position']}  {hit['subject_id']}", ", ".join(present)))


async def run_demo(keep: Path | None) -> int:
    """Draw, ingest, serve, ask; print what a person wants to see. May be run again over the same folder.

    Args:
        keep: Folder for films, archive and contact sheet; None: a new temporary one, which stays.
    """
    folder = keep or Path(await to_thread.run_sync(lambda: tempfile.mkdtemp(prefix="mcp-cxr-demo-")))
    films, data = (folder / "films").absolute(), (folder / "archive").absolute()
    settings = {"MCP_CXR_DATA_DIR": str(data), "MCP_CXR_EMBEDDER": "offline", "MCP_CXR_SHARE": "reports,images"}
    os.environ.update(settings)
    click.echo(f"Drawing 60 studies of computer-made chest phantoms in {films} ...")
    drawn = await to_thread.run_sync(write_archive, films)
    async with open_archive(load_settings()) as archive:
        summary = await archive.ingest(films)
    click.echo(
        f"Ingested {len(drawn.images)} films in {summary.seconds:.1f} s: {summary.added} added, {summary.skipped} there"
    )
    click.echo("Starting `mcp-cxr serve` as a host does, and calling its tools.")
    server = StdioServerParameters(command=sys.executable, args=["-m", "mcp_cxr", "serve"], env=settings)
    async with Client(server) as client:
        host = _Host(client)
        await _converse(host)
    sheet = (folder / "contact-sheet.png").absolute()
    await to_thread.run_sync(sheet.write_bytes, contact_sheet(host.tiles, columns=_HITS))
    click.echo(f"\n{_CANNOT_SEE}\n\nContact sheet of all answers: {sheet}")
    return 0


async def _converse(host: _Host) -> None:
    """Ask by words, by filter, by example, and by both."""
    overview = _data(await host.client.call_tool("get_archive_overview", {}))
    click.echo(
        f"The archive: {overview['images']} images, {overview['studies']} studies, {overview['subjects']} patients"
    )
    answers = [await host.ask(title, **arguments) for title, arguments in _QUESTIONS]
    example = answers[0][0]["image_id"]
    like = {"like": [example], "exclude_subject_of": example}
    await host.ask("By example: like the first hit, other patients", **like)
    await host.ask("By example and words: like it, with a nodule", query="nodule", **like)


def _table(hits: Sequence[dict[str, Any]]) -> list[str]:
    lines = [f"{'':>2}  {'view':<8}{'patient':<11}{'study':<11}{'cosine':>7}{'z':>6}  why"]
    for hit in hits:
        cosine = "-" if hit["similarity_score"] is None else f"{hit['similarity_score']:.3f}"
        z = "-" if hit["similarity_z"] is None else f"{hit['similarity_z']:+.1f}"
        place = f"{hit['rank']:>2}  {hit['view_position']:<8}{hit['subject_id']:<11}{hit['study_id']:<11}"
        lines.append(f"{place}{cosine:>7}{z:>6}  {'; '.join(hit['why'])}")
    return lines


def _data(result: CallToolResult) -> dict[str, Any]:
    if result.is_error or result.structured_content is None:
        raise CxrError(_text(result))
    return result.structured_content


def _text(result: CallToolResult) -> str:
    return next((block.text for block in result.content if block.type == "text"), "The server gave no answer.")
