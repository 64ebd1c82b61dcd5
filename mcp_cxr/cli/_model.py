"""mcp-cxr model check | quantize."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcp_cxr.cli._common import DONE, FAILED, as_json, note, print_result, with_archive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_cxr.upkeep import EncoderCheck, QuantizedEncoder

_COMPARED = 32
_FOLDER = click.Path(path_type=Path)
_EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group(short_help="Check or quantize the encoder of a model folder.")
def model() -> None:
    """Try a model folder before it is set as MCP_CXR_MODEL_DIR, or write a smaller copy of it."""


@model.command()
@click.argument("folder", type=_EXISTING_FOLDER)
@as_json
def check(folder: Path, *, as_json: bool) -> int:
    """Print what the encoder in FOLDER is and how fast it runs.

    Embeds drawings and texts with it. Exits with 1 if its vectors fail a check, or differ from those of its exporter
    (reference.npz).
    """
    note("Loading the encoder; the first time on this machine takes longer...")
    path = folder.absolute()
    found = with_archive(lambda archive: archive.check_encoder(path))
    print_result(found, _check_lines(found), as_json=as_json)
    return FAILED if found.problems else DONE


@model.command()
@click.argument("folder", type=_EXISTING_FOLDER)
@click.argument("target", type=_FOLDER)
@as_json
def quantize(folder: Path, target: Path, *, as_json: bool) -> int:
    """Write the encoder in FOLDER to TARGET with int8 weights.

    Prints how much its vectors change: on images of the archive, or on drawings if it has none. An archive cannot
    hold vectors of both encoders.
    """
    note("Quantizing; this takes a minute or two...")
    paths = folder.absolute(), target.absolute()
    found = with_archive(lambda archive: archive.quantize_encoder(*paths, compared=_COMPARED))
    print_result(found, _quantize_lines(found), as_json=as_json)
    return DONE


def _check_lines(found: EncoderCheck) -> Iterator[str]:
    yield f"Model folder  {found.folder} ({found.layout} layout), encoder {found.encoder}"
    if found.is_demo_encoder:
        yield "              the demonstration encoder: trained on drawings; it recognizes nothing in real radiographs"
    yield from (f"  {what:<12}{name}" for what, name in found.files.items())
    yield f"Images        {found.images}"
    yield f"Texts         {found.texts}"
    yield f"Vectors       {found.dimension} dimensions; {found.megabytes:,} MB of weights"
    yield (
        f"Speed         {found.images_per_second:g} images/s, {found.text_ms:g} ms a text; loaded in {found.load_s:g} s"
    )
    yield f"              {found.archive_images:,} images take {found.hours:g} h"
    yield f"Cosines       different images up to {found.closest_images:.4f}"
    yield f"              different texts up to {found.closest_texts:.4f}"
    yield f"              a text alone and beside a longer one {found.text_in_a_batch:.6f}"
    if found.reference_images is None or found.reference_texts is None:
        yield "Reference     none: the folder has no reference.npz of its exporter (docs/models.md)"
    else:
        yield f"Reference     images {found.reference_images:.6f}, texts {found.reference_texts:.6f} (least cosine)"
    yield from (f"FAIL          {problem}" for problem in found.problems)


def _quantize_lines(found: QuantizedEncoder) -> Iterator[str]:
    kind = "drawings, because the archive has no images" if found.are_drawings else "images of the archive"
    yield f"Written to    {found.folder}: {found.megabytes:,} MB instead of {found.megabytes_before:,}"
    yield f"Compared on   {found.images} {kind}"
    yield f"Cosine        images {found.image_cosine:.5f} or more, {found.image_cosine_mean:.5f} on average"
    yield f"              texts {found.text_cosine:.5f} or more"
    yield f"Speed         {found.speedup:g} times as fast as before"
