"""mcp-cxr search."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mcp_cxr.cli._common import allow_demo_encoder, as_tool_json, note, print_result, with_archive
from mcp_cxr.cli._filter_options import filter_options
from mcp_cxr.cli._option_names import with_option_names
from mcp_cxr.cli._output_files import check_output_files, open_csv_file
from mcp_cxr.csv_writer import CsvWriter
from mcp_cxr.errors import ConfigError, QueryError
from mcp_cxr.records import (
    RESULT_COLUMNS,
    DefaultLimit,
    ImageId,
    SearchArguments,
    counted,
    joined_pages,
    listed,
    result_row,
)

_PAGE = 100
"""Results that are read at once."""
_ANYWHERE = (Path("/"),)  # a file named on the command line may be read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_cxr.archive import Archive
    from mcp_cxr.records import Hit, SearchResult
    from mcp_cxr.research.probes import ScoredImages


@click.command()
@click.argument("query", required=False)
@click.option("--like", multiple=True, metavar="ID|FILE", help="Find images like this one; may be repeated.")
@click.option(
    "--unlike",
    multiple=True,
    metavar="ID",
    help="Rank images that look like this one lower; needs a query or --like; may be repeated.",
)
@click.option("--limit", type=int, default=5, show_default=True, help="Number of results, 1 to 100.")
@click.option("--offset", type=int, default=0, show_default=True, help="Results to skip.")
@filter_options
@click.option("--split", help="Data split: train, validate or test.")
@click.option(
    "--group",
    type=click.Choice(["study", "subject", "none"]),
    default="study",
    show_default=True,
    help="One result per study, patient (subject) or image (none).",
)
@click.option(
    "--mode",
    type=click.Choice(["auto", "vector", "words"]),
    default="auto",
    show_default=True,
    help="auto: vectors and words; vector: vectors only; words: words only.",
)
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the results to this CSV file, with the path of each image.",
)
@click.option(
    "--score",
    "scores",
    multiple=True,
    metavar='"LABEL>0.8"',
    help="Only images whose finding score (see `probe fit`) fulfills this; orders a search without words; may be "
    "repeated.",
)
@click.option("--all", "all_pages", is_flag=True, help="Return every result that matches, not only one page.")
@as_tool_json
@allow_demo_encoder
def search(
    query: str | None,
    *,
    csv_file: Path | None,
    scores: tuple[str, ...],
    all_pages: bool,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - one for each field of SearchArguments
) -> None:
    """Find images by words, by example, by filters, or any mix."""
    arguments = SearchArguments(query, **options)
    if arguments.is_empty and not scores:
        raise ConfigError('Give words, --like or a filter, such as: mcp-cxr search "left pleural effusion" --view PA')
    check_output_files(csv=csv_file)
    has_limit = click.get_current_context().get_parameter_source("limit") is not ParameterSource.DEFAULT
    if not has_limit:  # the words may name one
        arguments = replace(arguments, limit=DefaultLimit(arguments.limit))
    if all_pages:
        if has_limit:
            raise ConfigError("--all returns every result that matches; leave out --limit.")
        arguments = replace(arguments, limit=_PAGE)
    searched_at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    try:
        page, fingerprint, scored = with_archive(
            lambda archive: _search(archive, arguments, scores=scores, all_pages=all_pages)
        )
    except QueryError as exc:
        raise QueryError(with_option_names(str(exc), click.get_current_context().command)) from exc
    if csv_file:
        question = "; ".join(
            filter(None, [arguments.query, listed({"like": arguments.like, "unlike": arguments.unlike})])
        )
        asked = {**page.filters, **({"score": scores} if scores else {})}
        of_search = {"question": question, "fingerprint": fingerprint, "searched_at": searched_at}
        _write_csv(csv_file, page, scored, filters=asked, **of_search)
    print_result(_with_scores(page, scored) if scored else page, _lines(page, scored), as_json=as_json)
    if not as_json:
        _note_about(page, arguments.group)
    if scored:
        from mcp_cxr.research.probes import score_notes  # imports numpy

        for line in score_notes(scored.probes, scored.stale):
            note(line)


async def _search(
    archive: Archive, arguments: SearchArguments, *, scores: tuple[str, ...], all_pages: bool
) -> tuple[SearchResult, str, ScoredImages | None]:
    """Return one page of results, or one with all that match, the fingerprint of the vectors, and finding scores."""
    scored = await archive.images_with_scores(*scores) if scores else None
    search = partial(archive.search_with, example_roots=_ANYWHERE, value_of=scored.value_of if scored else None)
    page = await search(arguments)
    pages = [page]
    while all_pages and page.next_offset is not None and not page.has_ended:
        page = await search(replace(arguments, offset=page.next_offset))
        pages.append(page)
        note(f"  {page.offset + page.results_count:,} of {page.total_results:,} read")
    fingerprint = (await archive.store.info()).fingerprint
    found = joined_pages(pages) if all_pages else page
    return found, fingerprint.description if fingerprint else "", scored


def _write_csv(
    path: Path, page: SearchResult, scored: ScoredImages | None, *, filters: dict[str, Any], **of_search: str
) -> None:
    labels = [f"score of {probe.label}" for probe in scored.probes] if scored else []
    with open_csv_file(path) as file:
        writer = CsvWriter(file, (*RESULT_COLUMNS, *labels))
        for hit in page.images:
            writer.write([*result_row(hit, filters=filters, **of_search), *_scores_of(hit, scored).values()])
    note(f"Wrote {path} ({page.results_count:,} {'result' if page.results_count == 1 else 'results'}).")


def _scores_of(hit: Hit, scored: ScoredImages | None) -> dict[str, float]:
    """Return the finding scores of a hit by label."""
    if scored is None:
        return {}
    values = scored.scores[ImageId(hit.image_id)]
    return {probe.label: round(value, 4) for probe, value in zip(scored.probes, values, strict=True)}


def _with_scores(page: SearchResult, scored: ScoredImages) -> dict[str, Any]:
    """Return a page with finding scores as one JSON object."""
    return page.model_dump() | {
        "scores": {hit.image_id: _scores_of(hit, scored) for hit in page.images},
        "probes": [asdict(probe) for probe in scored.probes],
        "probes_stale": list(scored.stale),
    }


def _lines(page: SearchResult, scored: ScoredImages | None) -> Iterator[str]:
    """Yield the hits, and before the first that does not match a line that says so."""
    first_of_rest, heading = page.rest_heading() or (None, "")
    for hit in page.images:
        if hit.rank == first_of_rest:
            yield f"--- {heading}"
        yield _text(hit, _scores_of(hit, scored))


def _text(hit: Hit, finding_scores: dict[str, float]) -> str:
    score = "" if hit.similarity_score is None else f"{hit.similarity_score:.3f} - "
    statistics = "" if hit.similarity_z is None else f"z {hit.similarity_z:+.1f}, percentile {hit.percentile}; "
    findings = "".join(f"score of {label} {value:.3f}; " for label, value in finding_scores.items())
    part = f"matches in part ({'; '.join(hit.missing)}); " if hit.matched == "part" else ""
    excerpt = f"\n        {hit.report_excerpt}" if hit.report_excerpt else ""
    return (
        f"{score}{hit.image_id} ({hit.view_position}) - Patient {hit.subject_id}\n"
        f"        {findings}{statistics}{part}{'; '.join(hit.why)}{excerpt}"
    )


def _note_about(page: SearchResult, group: str) -> None:
    command = click.get_current_context().command
    for warning in [*filter(None, [page.fallback_reason]), *page.warnings]:
        note(f"Note: {with_option_names(warning, command, is_warning=True)}")
    if page.understood:
        note(f"Read as: {page.understood.as_text()}")
    if not page.images:
        counts = page.counts or {}
        is_explained = any(counts.get(name) for name in ("denied", "unknown", "conflicting"))
        if not page.total_results:
            note((page.matches_text(group) if is_explained else None) or "No image matches.")
        return
    if matches := page.matches_text(group):
        note(matches)
    more = f"; more with --offset {page.next_offset}" if page.next_offset else ""
    total = counted(page.total_results, group)
    note(f"{page.results_count} of {total} ({page.search_mode}, {page.execution_time_ms:.0f} ms){more}")
