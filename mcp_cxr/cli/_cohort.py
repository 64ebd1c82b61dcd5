"""mcp-cxr cohort make | list | show | export | verify | diff | remove."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    say,
    with_archive,
)
from mcp_cxr.cli._filter_options import filter_options
from mcp_cxr.cli._option_names import with_option_names
from mcp_cxr.cli._output_files import check_output_files, write_private
from mcp_cxr.errors import ConfigError, QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mcp_cxr.records import CohortDifference, CohortVerification
    from mcp_cxr.research.cohorts import Cohort

_EXAMPLES = 5
_USUAL = {"built_by": "owner", "searchable_words": "archive"}
"""What `show` leaves out."""


@click.group(short_help="Freeze a selection of images, split it, and verify it later.")
def cohort() -> None:
    """Freeze a selection of images in a manifest, split it by patient, and verify it later."""


@cohort.command(short_help="Select images, split them, and freeze them as a cohort.")
@click.argument("name")
@click.argument("query", required=False)
@filter_options
@click.option(
    "--matched",
    type=click.Choice(["full", "part"]),
    default="full",
    show_default=True,
    help="full: studies that match all of the words; part: also those that match some of them.",
)
@click.option("--per-subject", type=int, metavar="N", help="At most N images of each patient, chosen at random.")
@click.option(
    "--split",
    metavar="official|none|70/10/20",
    help="official: the archive's own (the default if it has one); or percentages, by patient; or none.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random choices.")
@click.option(
    "--balance",
    metavar="LABEL",
    help="Leave out studies at random until, in each split, as many have LABEL at 1 as at 0.",
)
@click.option("--mirrored", is_flag=True, help="Also look for mirror images in different splits; embeds images again.")
@click.option("--digests", is_flag=True, help="Also keep the SHA-256 of each file; reads all files.")
@as_tool_json
@allow_demo_encoder
def make(name: str, query: str | None, *, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - of CohortRequest
    """Select images by words and filters, and freeze them as the cohort NAME."""
    from mcp_cxr.records import CohortRequest, to_json
    from mcp_cxr.research.cohorts import summary_of

    request = CohortRequest(name, query, **options)
    try:
        made = with_archive(lambda archive: archive.make_cohort_with(request))
    except QueryError as exc:
        raise QueryError(with_option_names(str(exc), make)) from exc
    print_result(to_json(summary_of(made)), _size_lines(made.header), as_json=as_json)
    if not as_json:
        if not (made.header["query"] or made.header["filters"]):
            note("Note: Neither words nor filters were given: the cohort has all images of the archive.")
        for line in _match_lines(made.header):
            note(line)
        for line in made.header["warnings"]:
            note(f"Note: {with_option_names(line, make, is_warning=True)}")
        note(f"Cohort {name} is frozen; `mcp-cxr cohort verify {name}` shows whether anything has changed.")


def _match_lines(header: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the words were read as, and how many studies match: none without words."""
    from mcp_cxr.records import Understood, count_texts

    understood, counts = Understood.model_validate(header["understood"]), header["counts"]
    if header["understood"]:
        yield f"Read as: {understood.as_text()}"
    if counts:
        matching = counts["present"] + counts["possible"]
        text = f"{matching:,} {'matches' if matching == 1 else 'match'}"
        hedged = f" ({counts['possible']:,} of them as possible)" if counts["possible"] else ""
        names = ("silent", "unknown") if understood.only_rules_out else ("part", "unknown", "denied")
        others = count_texts(counts, (*names, "conflicting"))
        yield f"Of the studies that pass the filters, {'; '.join([text + hedged, *others])}"


@cohort.command("list")
@as_json
def list_cohorts(*, as_json: bool) -> None:
    """List the cohorts."""
    headers = with_archive(lambda archive: archive.cohorts())
    print_result({"cohorts": headers}, map(_list_line, headers), as_json=as_json)
    if not headers and not as_json:
        note('No cohort yet; make one: mcp-cxr cohort make effusion-pa "pleural effusion" --view PA')


def _list_line(header: Mapping[str, Any]) -> str:
    if "images" not in header:
        return f"{header['name']}: damaged; remove it and make it again"
    splits = ", ".join(f"{name} {counts['images']}" for name, counts in _splits(header))
    asked = header["query"] or "no words"
    by = " (by a model)" if header["built_by"] == "model" else ""
    return f"{header['name']}: {header['images']} images ({splits}); {asked}{by}"


@cohort.command(short_help="Show how a cohort was made, and leaks between its splits.")
@click.argument("name")
@as_json
def show(name: str, *, as_json: bool) -> None:
    """Show how a cohort was made, what it holds, and which images leak between its splits."""
    found = _cohort(name)
    print_result({**found.header, "is_as_written": found.is_as_written}, _show_lines(found), as_json=as_json)


def _cohort(name: str) -> Cohort:
    found = with_archive(lambda archive: archive.cohort(name))
    if not found.is_as_written:
        note(
            f"Note: The manifest of cohort {name} was changed after the cohort was made; restore it, or make it again."
        )
    return found


@cohort.command(short_help="Write a cohort as CSV, as JSON Lines, or as links.")
@click.argument("name")
@click.option(
    "--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="As a CSV table."
)
@click.option(
    "--jsonl", "jsonl_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="As JSON Lines."
)
@click.option(
    "--links",
    "links_folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="As links to the image files, in a folder for each split.",
)
def export(name: str, *, csv_file: Path | None, jsonl_file: Path | None, links_folder: Path | None) -> None:
    """Write a cohort's images as a CSV table, as JSON Lines, or as links to their files."""
    from mcp_cxr.research.cohorts import csv_table, json_lines, link_files

    if not (csv_file or jsonl_file or links_folder):
        raise ConfigError(f"Choose an output: mcp-cxr cohort export {name} --csv FILE, --jsonl FILE or --links FOLDER.")
    check_output_files(csv=csv_file, jsonl=jsonl_file)
    found = _cohort(name)
    for file, text_of in ((csv_file, csv_table), (jsonl_file, json_lines)):
        if file:
            write_private(file, text_of(found), content=f"{len(found.rows):,} images")
    if links_folder:
        made = link_files(found, links_folder.absolute())
        note(f"Made {made:,} new links below {links_folder} (the cohort has {len(found.rows):,} images).")


@cohort.command()
@click.argument("name")
@click.option("--digests", is_flag=True, help="Read whole files, if the cohort was made with --digests.")
@as_json
def verify(name: str, *, digests: bool, as_json: bool) -> int:
    """Compare a cohort with the archive and the files as they are now. Exits with 1 if anything has changed."""
    found = with_archive(lambda archive: archive.verify_cohort(name, digests=digests))
    print_result(found, _verify_lines(found), as_json=as_json)
    return FAILED if any(found.problems.values()) else DONE


def _verify_lines(found: CohortVerification) -> Iterator[str]:
    yield f"Images of cohort {found.name}: {found.images}"
    for problem, count in found.problems.items():
        examples = found.examples.get(problem, [])
        yield f"  {problem}: {count}" + (
            f" ({', '.join(examples)}{' ...' if count > len(examples) else ''})" if count else ""
        )


@cohort.command()
@click.argument("first")
@click.argument("second")
@as_json
def diff(first: str, second: str, *, as_json: bool) -> int:
    """Compare two cohorts: images, splits, and how they were made. Exits with 1 if they differ."""
    found = with_archive(lambda archive: archive.compare_cohorts(first, second))
    print_result(asdict(found), _diff_lines(found, first, second), as_json=as_json)
    return DONE if found.is_empty else FAILED


@cohort.command(short_help="Remove a cohort; its images stay in the archive.")
@click.argument("name")
def remove(name: str) -> int:
    """Remove a cohort; asks you to type yes. Its images stay in the archive, and exported files are kept."""
    is_there = any(header["name"] == name for header in with_archive(lambda archive: archive.cohorts()))
    if is_there and not confirmed(f"This removes cohort {name}; its images stay in the archive."):
        note("Not confirmed; nothing was removed.")
        return FAILED
    with_archive(lambda archive: archive.remove_cohort(name))
    say(f"Cohort {name} was removed.")
    return DONE


def _diff_lines(found: CohortDifference, first: str, second: str) -> Iterator[str]:
    for what, ids in (
        (f"Only in {first}", found.only_in_first),
        (f"Only in {second}", found.only_in_second),
        ("In another split", found.other_split),
        ("With other facts", found.other_facts),
    ):
        more = " ..." if len(ids) > _EXAMPLES else ""
        yield f"{what}: {len(ids)} images" + (f" ({', '.join(ids[:_EXAMPLES])}{more})" if ids else "")
    for name, (one, other) in found.made_differently.items():
        yield f"{name.replace('_', ' ')}: {_as_text(one)} in {first}; {_as_text(other)} in {second}"


def _splits(header: Mapping[str, Any]) -> list[tuple[str, dict[str, int]]]:
    """Return each split with its counts: train, validate and test before others."""
    from mcp_cxr.records import SPLITS

    return sorted(header["splits"].items(), key=lambda one: (*(one[0] != name for name in SPLITS), one[0]))


def _size_lines(header: Mapping[str, Any]) -> Iterator[str]:
    """Yield a table of images, studies and patients by split."""
    rows = [("", "images", "studies", "patients")]
    rows += [
        (name, *(str(counts[unit]) for unit in ("images", "studies", "subjects"))) for name, counts in _splits(header)
    ]
    if len(header["splits"]) > 1:
        rows.append(("total", *(str(header[name]) for name in ("images", "studies", "subjects"))))
    width = max(len(row[0]) for row in rows)
    yield from (f"{row[0]:<{width}}" + "".join(f"{cell:>10}" for cell in row[1:]) for row in rows)


def _show_lines(found: Cohort) -> Iterator[str]:
    header = found.header
    yield from _size_lines(header)
    for name in (
        *("query", "understood", "filters", "matched", "counts", "per_subject", "split", "seed", "balance"),
        *("patient_safe", "patients", "labels_by", "fingerprint", "versions", "built_by", "searchable_words"),
    ):
        if (value := header[name]) not in (None, {}, "", _USUAL.get(name)):
            yield f"{name.replace('_', ' ')}: {_as_text(value)}"
    if header["forgotten"]:
        yield f"forgotten: {header['forgotten']} images were removed by `mcp-cxr forget`"
    leaks = header["leaks"]
    yield f"patients in two splits: {leaks['subjects']}" + _in_brackets(leaks["subject_ids"])
    for name in ("near_duplicates", "mirrored"):
        if pairs := leaks.get(name):
            listed = [" = ".join(pair) for pair in pairs["image_ids"]]
            yield f"{name.replace('_', ' ')} across splits, cosine {leaks['cosine']} or more: {pairs['pairs']} pairs"
            yield from (f"  {one}" for one in listed)
    if why := leaks.get("not_checked"):
        yield f"near duplicates across splits were not looked for: {why}"
    yield from (f"note: {with_option_names(line, make, is_warning=True)}" for line in header["warnings"])


def _in_brackets(ids: list[str]) -> str:
    return f" ({', '.join(ids)})" if ids else ""


def _as_text(value: Any) -> str:  # noqa: ANN401 - JSON
    match value:
        case dict():
            parts = [f"{name} {_as_text(one)}" for name, one in value.items() if one not in (None, [], {})]  # pyright: ignore[reportUnknownVariableType]
            return ", ".join(parts) or "nothing"
        case list():
            return ", ".join(map(_as_text, value)) or "nothing"  # pyright: ignore[reportUnknownArgumentType]
        case bool():
            return "yes" if value else "no"
        case None:
            return "nothing"
        case _:
            return str(value)
