"""Runs the demo from end to end: draws images, ingests them, and searches them as an MCP host does."""

from __future__ import annotations

import base64
import importlib.util
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

from mcp_cxr.archive import mark_as_demo, open_archive
from mcp_cxr.demo._data_set import write_data_set
from mcp_cxr.demo._search_comparison import QUERIES, comparison_lines
from mcp_cxr.errors import ConfigError, CxrError
from mcp_cxr.images import ContactSheetTile, contact_sheet
from mcp_cxr.records import SearchResult, counted
from mcp_cxr.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_types import CallToolResult

    from mcp_cxr.demo._data_set import DemoDataSet
    from mcp_cxr.records import Hit

ENCODER_FOLDER = Path(__file__).with_name("encoder")
"""The demonstration encoder: a model folder, trained on phantoms."""
_ENCODER_NEEDS = ("onnxruntime", "tokenizers")
_HITS = 4
_THUMBNAIL_PX = 320
_SEARCHES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("By words: left pleural effusion", {"query": "left pleural effusion"}),
    ("By words: pacemaker, frontal images", {"query": "pacemaker leads", "view": ["FRONTAL"]}),
    ("By filter: cardiomegaly without effusion", {"labels": ["Cardiomegaly"], "labels_absent": ["Pleural Effusion"]}),
)
_COLUMNS_NOTE = (
    "cosine: similarity to the words or the example, -1 to 1. z: standard deviations above the mean cosine of a sample"
    " of the archive."
)
_SKETCH_NOTE = (
    "The offline embedder compares images by exposure and geometry, never by findings,\n"
    "and it cannot embed text. The words above were matched in reports, labels and tags.\n"
    "With mcp-cxr[local] installed, this demo also finds findings by pixels, without a report."
)
_ENCODER_NOTE = (
    "The encoder behind this was trained by the project on drawings like these. It recognizes nothing in real "
    "radiographs.\nFor those, choose a model folder or a service: docs/models.md."
)


@dataclass(slots=True)
class _Host:
    """Calls the server's tools as a host does, and collects thumbnails for the contact sheet."""

    client: Client
    tiles: list[ContactSheetTile] = field(default_factory=list[ContactSheetTile])

    async def search(self, title: str, **arguments: Any) -> list[Hit]:  # noqa: ANN401 - the tool's arguments
        """Search, print the hits as a table, collect their thumbnails; return the hits."""
        result = await self._ask(**arguments)
        found = result.matches_text() or counted(result.total_results)
        click.echo(f"\n{title}\n  {found} ({result.search_mode}, {result.execution_time_ms} ms)")
        for line in _table(result.images):
            click.echo(f"  {line}")
        if result.fallback_reason:
            click.echo(f"  Note: {result.fallback_reason}")
        await self._collect(result.images, title)
        return result.images

    async def compare(self, query: str, drawn: DemoDataSet) -> None:
        """Search reports by words, and images without a report by pixels; print both results and what was drawn."""
        by_words = await self._ask(query=query, mode="words")
        by_pixels = await self._ask(query=query, mode="vector", has_report=False)
        click.echo(f"\n{query}")
        for line in comparison_lines(query, by_words.images, by_pixels.images, drawn):
            click.echo(f"  {line}")
        await self._collect(by_pixels.images, f"By pixels: {query}")

    async def _ask(self, **arguments: Any) -> SearchResult:  # noqa: ANN401 - the tool's arguments
        answer = await self.client.call_tool("search_medical_images", {"limit": _HITS, **arguments})
        return SearchResult.model_validate(_data(answer))

    async def _collect(self, hits: Sequence[Hit], title: str) -> None:
        for hit in hits:
            self.tiles.append(await self._thumbnail(hit, title))

    async def _thumbnail(self, hit: Hit, title: str) -> ContactSheetTile:
        arguments = {"image_id": hit.image_id, "max_px": _THUMBNAIL_PX}
        result = await self.client.call_tool("view_image", arguments)
        if result.is_error:
            raise CxrError(_text(result))
        block = next(block for block in result.content if block.type == "image")
        with Image.open(io.BytesIO(base64.b64decode(block.data)), formats=("PNG", "JPEG")) as image:
            pixels = np.asarray(image.convert("L"))
        present = [label for label, value in hit.labels.items() if value == 1]
        return ContactSheetTile(pixels, (title, f"{hit.view_position}  {hit.subject_id}", ", ".join(present)))


async def run_demo(keep: Path | None) -> int:
    """Draw, ingest, serve and search; print the results. May be run again over the same folder.

    Args:
        keep: Folder for images, archive and contact sheet; None: a new temporary one, which stays.
    """
    folder = keep or Path(await to_thread.run_sync(lambda: tempfile.mkdtemp(prefix="mcp-cxr-demo-")))
    encodes = all(map(importlib.util.find_spec, _ENCODER_NEEDS))
    images, data = (folder / "images").absolute(), (folder / ("archive-local" if encodes else "archive")).absolute()
    embedder = {"MCP_CXR_EMBEDDER": "offline"}
    if encodes:
        embedder = {"MCP_CXR_EMBEDDER": "local", "MCP_CXR_MODEL_DIR": str(ENCODER_FOLDER)}
    settings = {"MCP_CXR_DATA_DIR": str(data), "MCP_CXR_SHARE": "reports,images,dates", **embedder}
    os.environ.update(settings)
    click.echo(f"Drawing 60 studies of computer-made chest phantoms in {images} ...")
    try:
        drawn = await to_thread.run_sync(lambda: write_data_set(images, withhold_reports=True))
        mark_as_demo(data)
    except OSError as exc:
        raise ConfigError(f"Cannot write to {folder} ({exc.strerror}); choose another folder for --keep.") from exc
    async with open_archive(load_settings()) as archive:
        summary = await archive.ingest(images)
    click.echo(
        f"Ingested {len(drawn.images)} images in {summary.seconds:.1f} s: "
        f"{summary.added} added, {summary.skipped} already present"
    )
    click.echo("Starting `mcp-cxr serve` as a host does, and calling its tools.")
    server = StdioServerParameters(command=sys.executable, args=["-m", "mcp_cxr", "serve"], env=settings)
    async with Client(server) as client:
        host = _Host(client)
        await _run_searches(host)
        if encodes:
            click.echo(
                "\nEach query by words in reports, and by pixels in studies without a report. drawn: the image was"
                " drawn with the finding."
            )
            for query in QUERIES:
                await host.compare(query, drawn)
    sheet = (folder / "contact-sheet.png").absolute()
    await to_thread.run_sync(sheet.write_bytes, contact_sheet(host.tiles, columns=_HITS))
    click.echo(f"\n{_ENCODER_NOTE if encodes else _SKETCH_NOTE}\n\nContact sheet of all results: {sheet}")
    return 0


async def _run_searches(host: _Host) -> None:
    """Search by words, by filter, by example, and by words and example."""
    overview = _data(await host.client.call_tool("get_archive_overview", {}))
    click.echo(
        f"The archive: {overview['images']} images, {overview['studies']} studies, {overview['subjects']} patients"
    )
    click.echo(_COLUMNS_NOTE)
    results = [await host.search(title, **arguments) for title, arguments in _SEARCHES]
    example = results[0][0].image_id
    like = {"like": [example], "exclude_subject_of": example}
    await host.search("By example: like the very first hit", **like)
    await host.search("By example and words: nodule", query="nodule", **like)


def _table(hits: Sequence[Hit]) -> list[str]:
    lines = [f"{'':>2}  {'view':<8}{'patient':<11}{'study':<11}{'cosine':>7}{'z':>6}  why"]
    for hit in hits:
        cosine = "-" if hit.similarity_score is None else f"{hit.similarity_score:.3f}"
        z = "-" if hit.similarity_z is None else f"{hit.similarity_z:+.1f}"
        columns = f"{hit.rank:>2}  {hit.view_position:<8}{hit.subject_id:<11}{hit.study_id:<11}"
        lines.append(f"{columns}{cosine:>7}{z:>6}  {'; '.join(hit.why)}")
    return lines


def _data(result: CallToolResult) -> dict[str, Any]:
    if result.is_error or result.structured_content is None:
        raise CxrError(_text(result))
    return result.structured_content


def _text(result: CallToolResult) -> str:
    return next((block.text for block in result.content if block.type == "text"), "The server gave no answer.")
