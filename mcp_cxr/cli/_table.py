"""mcp-cxr table create | index | drop | stats | verify | refused | copy."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mcp_cxr.cli._common import (
    DONE,
    FAILED,
    allow_demo_encoder,
    as_json,
    as_tool_json,
    confirmed,
    note,
    print_result,
    reports_reread_line,
    with_archive,
    with_settings,
)
from mcp_cxr.cli._verify_lines import next_steps, verification_lines
from mcp_cxr.errors import ConfigError, SchemaMismatch, StoreMissing

if TYPE_CHECKING:
    from mcp_cxr.archive import Archive
    from mcp_cxr.records import Overview, RankedImage
    from mcp_cxr.settings import Settings, StoreKind
    from mcp_cxr.upkeep import CopySummary

_SAMPLES = 5


@click.group(short_help="Create, check, copy or remove the archive's table.")
def table() -> None:
    """Create, check, copy or remove the archive's table of images, and count what it holds."""


@table.command()
@as_json
def create(*, as_json: bool) -> None:
    """Create the table if it does not exist.

    Reports that an older version of mcp-cxr interpreted are interpreted again; images are not embedded again.
    """
    is_created = with_archive(_create)
    lines = [
        "VectorSearch schema created (or exists)",
        "MIMICCXRImages table created successfully" if is_created else "MIMICCXRImages table already exists",
        "Indexes created (StudyID, SubjectID, ViewPosition)",
    ]
    print_result({"created": is_created}, lines, as_json=as_json)


async def _create(archive: Archive) -> bool:
    is_created = await archive.store.create()
    if studies := await archive.store.rebuild_documents_if_older():
        note(reports_reread_line(studies))
    return is_created


@table.command(short_help="Build IRIS's index of vectors, after a large ingest.")
@as_json
def index(*, as_json: bool) -> None:
    """Build the HNSW index of the vectors in InterSystems IRIS, after a large ingest.

    Searches work without it. It takes minutes for 100,000 images, and slows down later ingests. The embedded store
    needs none.
    """
    is_indexed = with_archive(lambda archive: archive.store.create_vector_index())
    line = "HNSW index of the vectors built (or exists)" if is_indexed else "The embedded store needs no vector index"
    print_result({"indexed": is_indexed}, [line], as_json=as_json)


@table.command()
@click.option("--force", is_flag=True, help="Confirm that all rows will be removed; required.")
@as_json
def drop(*, force: bool, as_json: bool) -> int:
    """Remove the table with all rows; asks you to type yes. Image files are kept."""
    if not force:
        raise ConfigError("`table drop` removes all rows; add --force to do that.")
    try:
        count = with_archive(_count)
    except StoreMissing:
        count, done = 0, "MIMICCXRImages table does not exist"
    else:
        if not confirmed(f"This removes {'all' if count is None else count} images from the archive."):
            note("Not confirmed; nothing was removed.")
            return FAILED
        with_archive(_drop)
        done = "MIMICCXRImages table dropped"
    print_result({"dropped": count}, [done], as_json=as_json)
    return DONE


async def _drop(archive: Archive) -> None:
    await archive.store.drop()
    archive.settings.probes_file.unlink(missing_ok=True)


async def _count(archive: Archive) -> int | None:
    """Return the number of images; None if another version of this package wrote the table."""
    try:
        return (await archive.store.totals()).images
    except SchemaMismatch:
        return None


@table.command()
@as_tool_json
def stats(*, as_json: bool) -> None:
    """Count images, patients, studies, views and labels."""
    overview, samples = with_archive(_stats)
    print_result(overview, _lines(overview, samples), as_json=as_json)
    if overview.next and not as_json:
        note(f"Note: {overview.next.partition(', or ')[0].removesuffix('.')}.")  # the rest is of the tool
    if overview.external and not as_json:
        note(
            f"Note: {overview.external} images written by another program have no usable vector. Run `mcp-cxr ingest` "
            "on their folder to make them searchable."
        )


async def _stats(archive: Archive) -> tuple[Overview, list[RankedImage]]:
    from mcp_cxr.records import Filter

    overview = await archive.overview()
    return overview, await archive.store.browse(Filter(), limit=_SAMPLES) if overview.images else []


def _lines(overview: Overview, samples: list[RankedImage]) -> list[str]:
    return [
        f"Total images in database: {overview.images}",
        "By view position:",
        *(f"  {view}: {count}" for view, count in overview.by_view.items()),
        f"Unique patients: {overview.subjects}",
        f"Studies: {overview.studies}",
        *(["Studies by label:"] if overview.by_label else []),
        *(f"  {label}: {count}" for label, count in overview.by_label.items()),
        *(["Folders that may be ingested:"] if overview.roots else []),
        *(f"  {root}" for root in overview.roots),
        *(["Sample images:"] if samples else []),
        *(f"  {sample.image_id} - Study {sample.study_id} - Patient {sample.subject_id}" for sample in samples),
    ]


@table.command(short_help="Check the vector and the file of every image.")
@click.option(
    "--repair",
    is_flag=True,
    help="Embed images with problems again; remove images that newer rules refuse, and data that belongs to no image.",
)
@as_json
@allow_demo_encoder
def verify(*, repair: bool, as_json: bool) -> int:
    """Check that every image has a valid vector and an unchanged file.

    Exits with 1 if there are problems.
    """
    from mcp_cxr.records import Repair

    found = with_archive(lambda archive: archive.repair() if repair else archive.verify())
    repaired = found.repaired if isinstance(found, Repair) else {}
    if studies := repaired.get("reports read by an older version"):
        note(reports_reread_line(studies))
    data = {name: value for name, value in asdict(found).items() if name != "examples"}
    print_result(data, verification_lines(found, repaired), as_json=as_json)
    if not as_json:
        for step in next_steps(found, is_repaired=repair):
            note(step)
    return FAILED if any(found.problems.values()) else DONE


@table.command(short_help="List the files that were refused, with the reason.")
@as_json
def refused(*, as_json: bool) -> None:
    """List the files that ingests read and refused, each with the reason."""
    found = with_archive(lambda archive: archive.files_left_out())
    as_table = [{"path": one.path, "reason": one.reason} for one in found]
    others = sum(one.image_id is not None for one in found)
    lines = [*(f"{one.path}: {one.reason}" for one in found), f"Refused: {len(found) - others}"]
    if others:
        lines.append(f"Left out, another file has the same id: {others}")
    print_result({"refused": as_table}, lines, as_json=as_json)


@table.command(short_help="Copy all images from the other store; nothing is embedded.")
@click.option(
    "--to",
    type=click.Choice(["iris", "embedded"]),
    required=True,
    help="Store to copy to; the other one is the source.",
)
@as_json
def copy(*, to: StoreKind, as_json: bool) -> None:
    """Copy all images from the other store without embedding them again. Can be run again at any time."""
    copied = with_settings(lambda settings: _copy(to, settings))
    lines = [
        f"Copied: {copied.copied}",
        f"Skipped (already exist): {copied.skipped}",
        f"External (not copied): {copied.external}",
    ]
    print_result(copied, lines, as_json=as_json)


async def _copy(to: StoreKind, settings: Settings) -> CopySummary:
    from mcp_cxr.archive import copy_archive

    async def progress(images: int) -> None:
        note(f"  {images} images checked")

    return await copy_archive(to, settings, on_progress=progress)
