"""mcp-cxr ingest."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import click

from mcp_cxr.cli._common import (
    DONE,
    FAILED,
    allow_demo_encoder,
    as_tool_json,
    note,
    print_result,
    reports_reread_line,
    say,
    stop_on_interrupt,
    with_archive,
)
from mcp_cxr.cli._output_files import check_output_files, open_csv_file
from mcp_cxr.csv_writer import CsvWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Self

    from mcp_cxr.archive import Archive
    from mcp_cxr.ingest import IngestProgress, Shard
    from mcp_cxr.records import IngestSummary

_LINE_EVERY_S = 5.0
_BAR_EVERY_S = 0.2
_HINTS = {"implausible pixels": " (noise, or nearly one gray; look at the files, then add --any-pixels to accept them)"}
_STAGES = {
    "walk": "listing",
    "known": "header check",
    "decode": "decoding",
    "embed": "embedding",
    "write": "writing",
}
"""What people read instead of a key of the JSON."""
_EMBEDDERS = {"nvclip": "NV-CLIP", "local": "Local", "offline": "Offline"}
_WHOLE = 10  # files per second from which a fraction says nothing


def _shard(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Shard | None:
    from mcp_cxr.ingest import Shard  # loaded late: needed only with --shard

    return Shard.parse(value) if value is not None else None


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Process at most this many files, sorted by path; files already in the archive count.",
)
@click.option("--dry-run", is_flag=True, help="List what would be added and change nothing.")
@click.option(
    "--batch-size", type=click.IntRange(1, 1024), default=64, show_default=True, help="Images embedded per request."
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Files read at the same time; by default one per core.",
)
@click.option(
    "--shard",
    metavar="I/N",
    callback=_shard,
    help="Process part I of N parts (I counts from 0), to split a folder over N jobs.",
)
@click.option(
    "--companions",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    help="Additional folder, or file, with companion tables or reports; PATH and its parent are always searched; "
    "may be repeated.",
)
@click.option(
    "--layout", metavar="NAME", help="Use this layout instead of those that are recognized; see `mcp-cxr layout`."
)
@click.option("--retry-failed", is_flag=True, help="Try files again that were refused before.")
@click.option(
    "--any-body-part", is_flag=True, help="Accept images whose header names another body part than the chest."
)
@click.option("--any-pixels", is_flag=True, help="Accept images that look like noise or are nearly all one gray.")
@click.option(
    "--outcomes",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.csv",
    help="Write a table of the files that are not in the archive, each with the reason.",
)
@as_tool_json
@allow_demo_encoder
def ingest(path: Path, *, outcomes: Path | None, as_json: bool, **options: Any) -> int:  # noqa: ANN401 - click's options, passed on
    """Add the images below PATH to the archive.

    Images already in the archive are skipped, so the command can be run again at any time.
    """
    check_output_files(outcomes=outcomes)
    display = ProgressDisplay(print_would_add=note if as_json else say, on_terminal=sys.stderr.isatty())
    try:
        with _OutcomesFile(outcomes) as left_out:
            summary = with_archive(lambda archive: _ingest(archive, path, display, left_out, **options))
    finally:
        display.remove_bar()
    print_result(summary, _lines(summary, left_out.examples, dry_run=options["dry_run"]), as_json=as_json)
    if summary.next and not as_json:
        note(f"Error: {summary.next}")
    is_empty_shard = summary.found == 0  # an empty folder is an error before
    readable = summary.other_file_same_id or summary.added or summary.skipped or summary.would_add or is_empty_shard
    return DONE if readable and summary.next is None else FAILED


class _OutcomesFile:
    """Collects the files that are left out: each in a CSV file if there is a path, one example of each reason."""

    def __init__(self, path: Path | None) -> None:
        self.examples: dict[str, str] = {}
        self._file = open_csv_file(path) if path else None
        self._writer = CsvWriter(self._file, ("path", "outcome", "reason")) if self._file else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def add(self, path: str, outcome: str, reason: str) -> None:
        """Add a file."""
        if outcome == "refused":
            self.examples.setdefault(reason, path)
        if self._writer:
            self._writer.write((path, outcome, reason))


async def _ingest(
    archive: Archive,
    path: Path,
    display: ProgressDisplay,
    left_out: _OutcomesFile,
    **options: Any,  # noqa: ANN401 - the same
) -> IngestSummary:
    from mcp_cxr.ingest import IngestCallbacks, StopSignal

    stop_signal, callbacks = (
        StopSignal(),
        IngestCallbacks(display.progress, display.would_add, display.reports_reread, left_out.add),
    )
    if not options["dry_run"]:
        await archive.check_embedder()
        note(f"{_EMBEDDERS[archive.settings.embedder]} embedder initialized")
    note("Scanning for DICOM files...")
    stop_on_interrupt(lambda: stop_signal.reason is not None, stop_signal.stop, display.note)
    roots_before = (await archive.allowed_roots()).roots
    summary = await archive.ingest(path, stop_signal=stop_signal, callbacks=callbacks, **options)
    display.end()
    if summary.processed and not options["dry_run"]:
        _note_root(archive, path, roots_before)
    return summary


def _note_root(archive: Archive, path: Path, roots_before: Sequence[Path]) -> None:
    folder = (path if path.is_dir() else path.parent).resolve()
    if any(map(folder.is_relative_to, roots_before)):
        return
    if archive.store.is_private:
        note(f"Recorded {folder} as a root of this archive: `serve` may now read its images.")
    elif not any(folder.is_relative_to(root.resolve()) for root in archive.settings.roots):
        note(f"To let `serve` show these images, add {folder} to MCP_CXR_ROOTS.")


def _lines(summary: IngestSummary, examples: Mapping[str, str], *, dry_run: bool) -> list[str]:
    rates = ", ".join(
        f"{_STAGES.get(name, name)} {rate:{'.0f' if rate >= _WHOLE else 'g'}}" for name, rate in summary.stages.items()
    )
    slowest_stage = _STAGES.get(summary.slowest_stage or "", summary.slowest_stage)
    slowest = f"  Slowest stage: {slowest_stage} (files per second in each stage: {rates})"
    remaining = f"  Remaining: {'not counted' if summary.remaining is None else summary.remaining}"
    return [
        "Ingestion Complete!" if summary.next is None else "Ingestion stopped.",
        f"  Time elapsed: {summary.seconds:.1f} s",
        f"  Images processed: {summary.processed}",
        f"  Skipped (already exist): {summary.skipped}",
        *_left_out_lines(summary),
        f"  Would insert: {summary.would_add}" if dry_run else f"  Successfully added: {summary.added}",
        f"  Errors: {summary.errors}",
        *(
            f"    {reason}: {count}{_HINTS.get(reason, '')}, for example {examples[reason]}"
            for reason, count in summary.errors_by_reason.items()
        ),
        *_companion_lines(summary),
        *(f"  Note: {each}" for each in summary.notes),
        *([slowest] if summary.slowest_stage else []),
        *([remaining] if summary.next else []),
        f"Total images in database: {summary.total_in_store}",
    ]


def _companion_lines(summary: IngestSummary) -> Iterator[str]:
    """Yield how many studies have which facts, and the companions that they come from."""
    if summary.with_:
        facts = ", ".join(f"{name} {count}" for name, count in summary.with_.items())
        yield f"  Studies: {summary.studies}, of these with {facts}"
    for one in summary.companions:
        gives = f" ({', '.join(one['gives'])})" if one["gives"] else ""
        yield f"  Companion {one['file']}{gives}: {one['joined']} of {one['rows']} rows joined"
    yield from (f"  Warning: {warning}" for warning in summary.warnings)


def _left_out_lines(summary: IngestSummary) -> Iterator[str]:
    if summary.recorded_bad:
        yield f"  Recorded as bad before: {summary.recorded_bad} (--retry-failed tries them again)"
    if summary.other_file_same_id:
        yield f"  Left out, another file has the same id: {summary.other_file_same_id}"
    if summary.other_pixels_same_id:
        yield f"    with other pixels: {summary.other_pixels_same_id} (`mcp-cxr table refused` names them)"


class _LogLines:
    """A file for tqdm that prints each of its states as a line of its own."""

    def write(self, text: str) -> None:
        """Print a state; tqdm writes a carriage return before it and spaces to erase it."""
        if line := text.strip("\r").rstrip():
            note(line)

    def flush(self) -> None:
        """Do nothing: each line is printed at once."""


class ProgressDisplay:
    """Prints progress to stderr while a run lasts, and its last state as a line.

    Args:
        print_would_add: Prints a line of a dry run.
        on_terminal: Whether stderr shows a bar.
    """

    def __init__(self, *, print_would_add: Callable[[str], None], on_terminal: bool) -> None:
        from tqdm import tqdm  # loaded late: `serve` does not need it

        # By default a lock shared between processes, for which some systems start one more.
        tqdm.set_lock(RLock())  # pyright: ignore[reportUnknownMemberType]  # has no annotations
        tqdm.monitor_interval = 0  # no thread: `progress` is called every second
        every_s = _BAR_EVERY_S if on_terminal else _LINE_EVERY_S
        self._print_would_add = print_would_add
        self._on_terminal = on_terminal
        self._last: IngestProgress | None = None
        self._bar = tqdm(
            file=sys.stderr if on_terminal else _LogLines(),
            bar_format=None if on_terminal else "{desc}",
            unit="img",
            mininterval=every_s,
            miniters=0,
            delay=every_s,
            dynamic_ncols=on_terminal,
            leave=False,
        )

    async def progress(self, progress: IngestProgress) -> None:
        """Display a new state, unless the last one was displayed a moment ago."""
        bar, was_counted = self._bar, self._bar.total is not None
        self._last, bar.total = progress, progress.found
        if self._on_terminal:
            bar.set_postfix_str(_counts(progress), refresh=False)
        else:
            bar.set_description_str(_line(progress), refresh=False)
            bar.bar_format = "{desc}, {remaining} left" if progress.found and progress.processed else "{desc}"
        if progress.found is not None and not was_counted:
            self.note(f"Found {progress.found} DICOM files")
        bar.update(progress.processed - bar.n)

    async def would_add(self, image_id: str, view: str) -> None:
        """Print what a dry run would add."""
        with self._bar.external_write_mode(sys.stderr):
            self._print_would_add(f"[DRY RUN] Would insert: {image_id} ({view})")

    async def reports_reread(self, studies: int) -> None:
        """Print that reports were read again."""
        self.note(reports_reread_line(studies))

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        with self._bar.external_write_mode(sys.stderr):
            note(text)

    def remove_bar(self) -> None:
        """Remove the bar, unless it is gone: a bar left open moves the next one down a line."""
        self._bar.close()

    def end(self) -> None:
        """Remove the bar and print the last state."""
        self.remove_bar()
        if self._last:
            note(_line(self._last))


def _counts(progress: IngestProgress) -> str:
    bad = f", Recorded as bad before {progress.recorded_bad}" if progress.recorded_bad else ""
    others = f", Same id as another file {progress.other_file_same_id}" if progress.other_file_same_id else ""
    return f"Skipped {progress.skipped}, Added {progress.added}, Errors {progress.errors}{bad}{others}"


def _line(progress: IngestProgress) -> str:
    total = "?" if progress.found is None else progress.found
    return f"  {progress.processed}/{total}: {_counts(progress)} ({progress.rate:.1f} img/sec)"
