"""mcp-cxr ingest."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcp_cxr.cli._common import DONE, FAILED, as_json, note, print_json, say, with_archive
from mcp_cxr.cli._progress import ProgressDisplay

if TYPE_CHECKING:
    from mcp_cxr.archive import Archive
    from mcp_cxr.ingest import Shard, StopSignal
    from mcp_cxr.records import IngestSummary

_GO_ON = "Run the same command again to go on."


def _shard(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Shard | None:
    from mcp_cxr.ingest import Shard  # loaded late, where it is asked for

    return Shard.parse(value) if value is not None else None


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--limit", type=click.IntRange(min=1), help="At most so many files, in path order, known ones included.")
@click.option("--dry-run", is_flag=True, help="Only say what would be added.")
@click.option(
    "--batch-size", type=click.IntRange(1, 1024), default=64, show_default=True, help="Images embedded at once."
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Films read at the same time; as many as there are cores if not given.",
)
@click.option("--shard", metavar="I/N", callback=_shard, help="Only part I of N, from 0, to spread a folder over jobs.")
@click.option(
    "--companions",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    help="More folders with MIMIC-CXR's CSV files or reports; PATH and its parent are always looked at.",
)
@click.option("--retry-failed", is_flag=True, help="Try files again that were recorded as bad.")
@click.option("--any-body-part", is_flag=True, help="Take images that their header says are no chest films.")
@as_json
def ingest(path: Path, *, as_json: bool, **how: Any) -> int:  # noqa: ANN401 - click's options, passed on
    """Bring the films below PATH into the archive. Films that are there are skipped, so it may be run again."""
    display = ProgressDisplay(print_would_add=note if as_json else say, on_terminal=sys.stderr.isatty())
    summary = with_archive(lambda archive: _ingest(archive, path, display, **how))
    if as_json:
        print_json(summary)
    else:
        _print(summary, dry_run=how["dry_run"])
    is_empty_shard = summary.found == 0  # an empty folder has ended before
    readable = summary.added or summary.skipped or summary.would_add or is_empty_shard
    return DONE if readable and summary.next is None else FAILED


async def _ingest(archive: Archive, path: Path, display: ProgressDisplay, **how: Any) -> IngestSummary:  # noqa: ANN401 - the same
    from mcp_cxr.ingest import IngestCallbacks, StopSignal

    stop_signal, callbacks = StopSignal(), IngestCallbacks(display.progress, display.would_add)
    if not how["dry_run"]:
        await archive.embedder.fingerprint()
        note(f"{'NV-CLIP' if archive.embedder.embeds_text else 'Offline'} embedder initialized")
    note("Scanning for DICOM files...")
    _stop_on_interrupt(stop_signal, display)
    summary = await archive.ingest(path, stop_signal=stop_signal, callbacks=callbacks, **how)
    display.end()
    if not how["dry_run"]:
        _tell_of_root(archive, path)
    return summary


def _tell_of_root(archive: Archive, path: Path) -> None:
    folder = (path if path.is_dir() else path.parent).resolve()
    if archive.store.is_private:
        note(f"Recorded {folder} as a root of this archive.")
    elif not any(folder.is_relative_to(root.resolve()) for root in archive.settings.roots):
        note(f"For `serve` to show these films, add {folder} to MCP_CXR_ROOTS.")


def _stop_on_interrupt(stop_signal: StopSignal, display: ProgressDisplay) -> None:
    """End after the batch in hand at the first Ctrl-C; at the second one at once. Holds as long as the event loop."""
    import asyncio  # loaded late: `mcp-cxr --help` needs none

    def stop() -> None:
        if stop_signal.reason:
            raise KeyboardInterrupt
        display.note("Stopping after the current batch; press Ctrl-C again to stop at once.")
        stop_signal.stop(f"Interrupted. {_GO_ON}")

    with contextlib.suppress(NotImplementedError):  # Windows: the first one ends it at once
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop)


def _print(summary: IngestSummary, *, dry_run: bool) -> None:
    say("Ingestion Complete!" if summary.next is None else "Ingestion stopped.")
    say(f"  Time elapsed: {summary.seconds:.1f} s")
    say(f"  Images processed: {summary.processed}")
    say(f"  Skipped (already exist): {summary.skipped}")
    say(f"  Would be added: {summary.would_add}" if dry_run else f"  Successfully added: {summary.added}")
    say(f"  Errors: {summary.errors}")
    for reason, count in summary.errors_by_reason.items():
        say(f"    {reason}: {count}")
    if summary.slowest_stage:
        rates = ", ".join(f"{name} {rate:g}" for name, rate in summary.stages.items())
        say(f"  Slowest stage: {summary.slowest_stage} (files a second at work: {rates})")
    if summary.next:
        say(f"  Remaining: {'not counted' if summary.remaining is None else summary.remaining}")
    say(f"Total images in database: {summary.total_in_store}")
    if summary.next:
        note(f"Error: {summary.next}")
