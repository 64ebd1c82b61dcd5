"""mcp-cxr pull."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcp_cxr.cli._common import (
    DONE,
    FAILED,
    allow_demo_encoder,
    confirmed,
    note,
    opened_archive,
    print_result,
    say,
    stop_on_interrupt,
    with_settings,
)
from mcp_cxr.cli._common import as_json as as_json_option
from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Literal

    from mcp_cxr.pacs import Pull, PullPlan, PullSummary
    from mcp_cxr.settings import Settings

_LINE_EVERY_S = 5.0


class _Day(click.ParamType[dt.date]):
    """A date in ISO's form."""

    name = "date"

    def convert(self, value: str | dt.date, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """Return the date that the user typed."""
        if isinstance(value, dt.date):
            return value
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            name = param.opts[0] if param else "The date"
            raise ConfigError(f"{name} must be a date such as 2026-11-01, not {value!r}.") from None


_DAY = _Day()


@click.command()
@click.argument("url", required=False)
@click.option("--since", type=_DAY, help="Only studies of this day or later, YYYY-MM-DD.")
@click.option("--until", type=_DAY, help="Only studies of this day or earlier, YYYY-MM-DD.")
@click.option(
    "--modality",
    default="DX,CR",
    show_default=True,
    help="Modalities to fetch, separated by commas; add DR if the PACS uses it.",
)
@click.option("--patient", help="Only studies of this PatientID.")
@click.option("--accession", help="Only the study with this accession number.")
@click.option("--limit", type=click.IntRange(min=1), help="Fetch at most this many images.")
@click.option("--dry-run", is_flag=True, help="Count what would be fetched, and how large it is; fetch nothing.")
@click.option(
    "--keep",
    type=click.Choice(["none", "files"]),
    default="none",
    show_default=True,
    help="files: keep fetched files in the data folder; none: fetch an image again whenever it is viewed.",
)
@click.option("--rate", type=click.IntRange(min=1), help="Fetch at most this many files a minute.")
@click.option(
    "--companions",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Table with the columns `report`, and `accession` or `study_uid`; may be repeated.",
)
@click.option(
    "--reports-as-they-are",
    is_flag=True,
    help="Allow models to be given reports from the PACS, if MCP_CXR_SHARE has reports. Identifiers in them are masked,"
    " but the reports are not de-identified. Later pulls keep this permission.",
)
@click.option(
    "--remove-gone", is_flag=True, help="Remove studies that are no longer in the PACS; asks you to type yes."
)
@as_json_option
@allow_demo_encoder
def pull(url: str | None, *, as_json: bool, remove_gone: bool, **options: Any) -> int:  # noqa: ANN401 - click's options, passed on
    """Add chest X-rays from a PACS to the archive.

    URL is the base of its DICOMweb service, or dicom://CALLED_AE@host:port; by default MCP_CXR_PACS_URL. Nothing is
    written to the PACS. Images already in the archive are not fetched again, so the command can be run again at any
    time.
    """
    if remove_gone:
        return with_settings(_remove_gone)
    return with_settings(lambda settings: _pull(settings, url, as_json=as_json, **options))


async def _pull(
    settings: Settings,
    url: str | None,
    *,
    as_json: bool,
    reports_as_they_are: bool,
    **options: Any,  # noqa: ANN401 - the same
) -> int:
    from mcp_cxr.archive import open_pacs

    url = (url or settings.pacs_url or "").rstrip("/")
    if not url:
        raise ConfigError(
            "Name the PACS: give the URL of its DICOMweb service or dicom://CALLED_AE@host:port, or set"
            " MCP_CXR_PACS_URL."
        )
    plan = _plan(url, **options)
    async with opened_archive(settings) as archive, open_pacs(settings, url) as source:
        if reports_as_they_are:
            await archive.pulled.confirm_reports()
        summary = await archive.pull(plan, source, on_progress=_Progress().show, on_start=_stop_on_interrupt)
        total = (await archive.overview()).images
    print_result(summary, _lines(summary, dry_run=plan.dry_run, total=total), as_json=as_json)
    if summary.next and not as_json:
        note(f"Error: {summary.next}")
    return FAILED if summary.next else DONE


def _plan(
    url: str,
    *,
    since: dt.date | None,
    until: dt.date | None,
    modality: str,
    patient: str | None,
    accession: str | None,
    limit: int | None,
    dry_run: bool,
    keep: Literal["none", "files"],
    rate: int | None,
    companions: tuple[Path, ...],
) -> PullPlan:
    from mcp_cxr.pacs import PacsQuery, PullPlan

    modalities = tuple(dict.fromkeys(one.strip().upper() for one in modality.split(",") if one.strip()))
    if not modalities or not all(one.isascii() and one.isalnum() for one in modalities):
        raise ConfigError("--modality must be codes such as DX,CR.")
    if since and until and since > until:
        raise ConfigError("--since is after --until; swap them.")
    for option, value in (("--patient", patient), ("--accession", accession)):
        if value is not None and not value.strip():  # the PACS would name every study
            raise ConfigError(f"{option} is empty: name an id, or leave it out.")
    query = PacsQuery(
        since=since,
        until=until,
        modalities=modalities,
        patient_id=patient,
        accession_number=accession,
    )
    return PullPlan(
        query=query, source_name=url, limit=limit, dry_run=dry_run, keep=keep, per_minute=rate, report_tables=companions
    )


def _stop_on_interrupt(pull: Pull) -> None:
    stop_on_interrupt(lambda: pull.summary.next is not None, pull.stop, note)


class _Progress:
    """Prints a line on stderr every few seconds."""

    def __init__(self) -> None:
        self._next_at = time.monotonic() + _LINE_EVERY_S

    async def show(self, summary: PullSummary) -> None:
        """Print the state, unless it was printed a moment ago."""
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + _LINE_EVERY_S
        note(
            f"  Studies {summary.studies_done}/{summary.studies}, fetched {summary.fetched}"
            f" ({_megabytes(summary.fetched_bytes)}), added {summary.added}"
        )


def _lines(summary: PullSummary, *, dry_run: bool, total: int) -> Iterator[str]:
    yield "Pull stopped." if summary.next else "Nothing was fetched: a dry run." if dry_run else "Pull complete."
    yield f"  Time elapsed: {summary.seconds:.1f} s"
    yield f"  Studies found: {summary.studies}"
    if summary.not_asked_for:
        yield f"  Studies that the PACS listed although they do not match the query, skipped: {summary.not_asked_for}"
    yield f"  Files known from earlier pulls: {summary.known}"
    yield from _by_reason("Not fetched", summary.passed_over)
    if dry_run:
        yield f"  Would be fetched: {summary.to_fetch} images, about {_megabytes(summary.to_fetch_bytes)} uncompressed"
    else:
        yield f"  Fetched: {summary.fetched} ({_megabytes(summary.fetched_bytes)})"
        yield f"  Successfully added: {summary.added}"
        yield f"  Reports: {summary.reports}"
    if summary.reports_left_out:
        yield f"  Reports left out until you confirm with --reports-as-they-are: {summary.reports_left_out}"
    yield from _by_reason("Fetched but refused", summary.refused)
    yield from _by_reason("Could not be fetched; the next pull tries again", summary.failed)
    if summary.missing:
        yield f"  Missing from the PACS: {summary.missing} studies (checked again after a day)"
    if summary.gone:
        yield f"  No longer in the PACS, still in the archive: {summary.gone} studies (--remove-gone removes them)"
    if summary.limit_reached:
        yield "  The limit was reached. Run the same command again to continue."
    yield f"Total images in database: {total}"


def _by_reason(what: str, reasons: Mapping[str, int]) -> Iterator[str]:
    if reasons:
        yield f"  {what}: {sum(reasons.values())}"
        yield from (f"    {reason}: {count}" for reason, count in sorted(reasons.items()))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


async def _remove_gone(settings: Settings) -> int:
    from mcp_cxr.records import Filter, StudyId

    async with opened_archive(settings) as archive:
        gone = await archive.pulled.gone_studies()
        if not gone:
            say("Nothing was removed: no pull has found a study of the archive missing from the PACS.")
            return DONE
        wheres = [Filter(study_id=StudyId(study.study_id)) for study in gone]
        previews = [await archive.forget_preview(where) for where in wheres]
        images = sum(preview.images for preview in previews)
        since = min(study.missing_since for study in gone)[:10]
        if not confirmed(f"This removes {images} images of {len(gone)} studies, missing from the PACS since {since}."):
            note("Not confirmed; nothing was removed.")
            return FAILED
        say(f"Images removed: {sum([await archive.forget(where) for where in wheres])}")
    return DONE
