"""mcp-cxr table create | drop | stats | verify | copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mcp_cxr.cli._common import DONE, FAILED, as_json, confirmed, note, print_json, say, with_archive, with_settings
from mcp_cxr.errors import ConfigError, SchemaMismatch, StoreMissing

if TYPE_CHECKING:
    from mcp_cxr.archive import Archive
    from mcp_cxr.records import Overview, RankedImage, Repair, Verification
    from mcp_cxr.settings import Settings, StoreKind
    from mcp_cxr.upkeep import Copied

_SAMPLES = 5


@click.group()
def table() -> None:
    """Make, remove, count, check and move the archive's table."""


@table.command()
@as_json
def create(*, as_json: bool) -> None:
    """Make the table, if it is not there."""
    made = with_archive(lambda archive: archive.store.create())
    if as_json:
        print_json({"created": made})
        return
    say("VectorSearch schema created (or exists)")
    say("MIMICCXRImages table created successfully" if made else "MIMICCXRImages table already exists")
    say("Indexes created (StudyID, SubjectID, ViewPosition)")


@table.command()
@click.option("--force", is_flag=True, help="Needed: this removes every row.")
@as_json
def drop(*, force: bool, as_json: bool) -> int:
    """Remove the table with every row, after a typed yes. The films' own files stay."""
    if not force:
        raise ConfigError("table drop removes every row; add --force if that is what you want.")
    try:
        count = with_archive(_count)
    except StoreMissing:
        count, done = 0, "MIMICCXRImages table does not exist"
    else:
        if not confirmed(f"This removes {'all' if count is None else count} images from the archive."):
            note("Not confirmed; nothing was removed.")
            return FAILED
        with_archive(lambda archive: archive.store.drop())
        done = "MIMICCXRImages table dropped"
    if as_json:
        print_json({"dropped": count})
    else:
        say(done)
    return DONE


async def _count(archive: Archive) -> int | None:
    """Return how many images there are; None where another version of this package made them."""
    try:
        return (await archive.store.totals()).images
    except SchemaMismatch:
        return None


@table.command()
@as_json
def stats(*, as_json: bool) -> None:
    """Count what the archive holds."""
    overview, samples = with_archive(_stats)
    if as_json:
        print_json(overview)
    else:
        _print(overview, samples)


async def _stats(archive: Archive) -> tuple[Overview, list[RankedImage]]:
    from mcp_cxr.records import Filter

    return await archive.overview(), await archive.store.browse(Filter(), limit=_SAMPLES)


def _print(overview: Overview, samples: list[RankedImage]) -> None:
    say(f"Total images in database: {overview.images}")
    say("By view position:")
    for view, count in overview.by_view.items():
        say(f"  {view}: {count}")
    say(f"Unique patients: {overview.subjects}")
    say(f"Studies: {overview.studies}")
    if overview.by_label:
        say("Studies by label:")
    for label, count in overview.by_label.items():
        say(f"  {label}: {count}")
    say("Sample images:")
    for sample in samples:
        say(f"  {sample.image_id} - Study {sample.study_id} - Patient {sample.subject_id}")
    if overview.external:
        note(f"Note: {overview.external} images were written by another program; ingest their files again.")


@table.command()
@click.option(
    "--repair",
    is_flag=True,
    help="Embed films anew where that mends something, which needs their files; remove what belongs to nothing.",
)
@as_json
def verify(*, repair: bool, as_json: bool) -> int:
    """Walk every row and look for vectors, files and roots that are wrong."""
    found = with_archive(lambda archive: archive.repair() if repair else archive.verify())
    if as_json:
        print_json(found)
    else:
        _print_found(found)
    return FAILED if any(found.problems.values()) else DONE


def _print_found(found: Verification | Repair) -> None:
    from mcp_cxr.records import Repair

    say(f"Images: {found.images}")
    for problem, count in found.problems.items():
        mended = found.mended[problem] if isinstance(found, Repair) else 0
        say(f"  {problem}: {count}" + (f" ({mended} mended)" if mended else ""))


@table.command()
@click.option("--to", type=click.Choice(["iris", "embedded"]), required=True, help="Where to; from the other one.")
@as_json
def copy(*, to: StoreKind, as_json: bool) -> None:
    """Bring every image of the other store into this one, without embedding again. May be run again at any time."""
    copied = with_settings(lambda settings: _copy(to, settings))
    if as_json:
        print_json(copied)
        return
    say(f"Copied: {copied.copied}")
    say(f"Skipped (already there): {copied.skipped}")
    say(f"Foreign (stay behind): {copied.external}")


async def _copy(to: StoreKind, settings: Settings) -> Copied:
    from mcp_cxr.archive import copy_archive

    async def progress(images: int) -> None:
        note(f"  {images} images looked at")

    return await copy_archive(to, settings, on_progress=progress)
