"""mcp-cxr check-data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from mcp_cxr.cli._common import allow_demo_encoder, as_json, note, print_result, with_archive
from mcp_cxr.cli._output_files import check_output_files, write_private
from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_cxr.archive import Archive
    from mcp_cxr.research.data_check import CheckList, CheckPlan, DataCheck, ListName, PageImages

_FILE = click.Path(dir_okay=False, path_type=Path)
_KEEP_ADVICE = "The check is kept: name another file, with --last."
_SHOWN = 3  # entries of a list that are printed


@click.command("check-data")
@click.option("--only", multiple=True, metavar="LIST", help="Make only this list; may be repeated.")
@click.option(
    "--most",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Maximum number of entries kept of each list; of unknown_views, it is 50,000 at least.",
)
@click.option("--last", is_flag=True, help="Show the last check with the decisions made since; check nothing.")
@click.option(
    "--html",
    type=_FILE,
    metavar="FILE",
    help="Write a web page with the first images of each list; needs the extra `plots`.",
)
@click.option("--csv", type=_FILE, metavar="FILE", help="Write all decisions, and all entries that are not decided.")
@as_json
@allow_demo_encoder
def check_data(
    *, only: tuple[str, ...], most: int, last: bool, html: Path | None, csv: Path | None, as_json: bool
) -> None:
    """List data that may be wrong, for people to look at. Nothing is changed.

    \b
    Lists (docs/check-data.md explains them):
      labels         labels that the images contradict
      views          images that look like another view position than recorded
      unknown_views  images of unknown view position, with a suggestion
      duplicates     near duplicates across splits, patients and studies
      outliers       images unlike the others, or of another body part by their header
      orientation    inverted or rotated images
      reports        reports that contradict labels
      dates          dates, ages and sexes that cannot be right

    Decide about entries on the page of `mcp-cxr chat`; decisions are kept beside the archive.
    """  # noqa: D301 - click does not wrap a paragraph after `\b`
    from mcp_cxr.research.data_check import LIST_NAMES, CheckPlan, page_writer  # imports numpy

    if last and only:
        raise ConfigError("--last shows the last check as it is: leave out --only.")
    check_output_files(csv=csv, html=html)
    plan = CheckPlan(lists=cast("tuple[ListName, ...]", only) or LIST_NAMES, most=most)  # it refuses unknown names
    to_page = page_writer() if html else None
    check, images, table = with_archive(
        lambda archive: _checked(archive, None if last else plan, with_images=html is not None, with_table=bool(csv))
    )
    print_result(check, check_lines(check), as_json=as_json)
    if csv and table is not None:
        write_private(csv, table, advice=_KEEP_ADVICE)
    if html and to_page and images:
        write_private(html, to_page(check, images), advice=_KEEP_ADVICE)
    if not as_json:
        note(
            "Nothing was changed. Decide about entries on the page of `mcp-cxr chat`, or view images with --html FILE."
        )


async def _checked(
    archive: Archive, plan: CheckPlan | None, *, with_images: bool, with_table: bool
) -> tuple[DataCheck, PageImages | None, str | None]:
    """Return the check, the renderings for its page, and its table."""
    files = archive.data_check_files()
    check = files.read_check() if plan is None else await archive.check_data(plan, on_progress=note)
    images = await archive.data_check_images(check) if with_images else None
    return check, images, files.as_csv() if with_table else None


def check_lines(check: DataCheck) -> Iterator[str]:
    """Yield what was checked, a line for each list, and the first entries of each."""
    yield (
        f"{check.images:,} images of {check.studies:,} studies and {check.subjects:,} patients; {check.model}; "
        f"mcp-cxr {check.version}, {check.date}"
    )
    for one in check.lists:
        yield f"\n{one.title} [{one.name}]"
        yield from _list_lines(one)


def _list_lines(one: CheckList) -> Iterator[str]:
    if one.not_made:
        yield f"  not made: {one.not_made}"
        return
    decided = sum(entry.decision is not None for entry in one.entries)
    kept = f", {len(one.entries):,} kept" if len(one.entries) < one.total else ""
    yield f"  {one.total:,} found{kept}{f', {decided:,} decided' if decided else ''}"
    for entry in one.entries[:_SHOWN]:
        decision = f" [{entry.decision}]" if entry.decision else ""
        yield f"  {' = '.join(entry.images)}{decision}: {entry.reason}"
    if len(one.entries) > _SHOWN:
        yield "  ..."
    yield from (f"  note: {text}" for text in one.notes)
