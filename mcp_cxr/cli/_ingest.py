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

_CONTINUE = "Run the same command again to continue."


def _shard(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Shard | None:
    from mcp_cxr.ingest import Shard  # loaded late: needed only with --shard

    return Shard.parse(value) if value is not None else None


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--limit", type=click.IntRange(min=1), help="Take at most this many files in path order, including known ones."
)
@click.option("--dry-run", is_flag=True, help="Only list what would be added.")
@click.option(
    "--batch-size", type=click.IntRange(1, 1024), default=64, show_default=True, help="Images embedded per request."
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Files read at the same time; by default one per core.",
)
@click.option(
    "--shard", metavar="I/N", callback=_shard, help="Take only part I of N, from 0, to split a folder over N jobs."
)
@click.option(
    "--companions",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    help="Additional folder with MIMIC-CXR's CSV files or reports; PATH and its parent are always searched.",
)
@click.option("--retry-failed", is_flag=True, help="Try files again that were refused before.")
@click.option(
    "--any-body-part", is_flag=True, help="Accept images whose header names another body part than the chest."
)
@as_json
def ingest(path: Path, *, as_json: bool, **how: Any) -> int:  # noqa: ANN401 - click's options, passed on
    """Add the images below PATH to the archive.

    Images already in the archive are skipped, so the command can be run again at any time.
    """
    display = ProgressDisplay(print_would_add=note if as_json else say, on_terminal=sys.stderr.isatty())
    summary = with_archive(lambda archive: _ingest(archive, path, display, **how))
    if as_json:
        print_json(summary)
    else:
        _print(summary, dry_run=how["dry_run"])
    is_empty_shard = summary.found == 0  # an empty folder is an error before
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
        _note_root(archive, path)
    return summary


def _note_root(archive: Archive, path: Path) -> None:
    folder = (path if path.is_dir() else path.parent).resolve()
    if archive.store.is_private:
        note(f"Recorded {folder} as a root of this archive.")
    elif not any(folder.is_relative_to(root.resolve()) for root in archive.settings.roots):
        note(f"To let `serve` show these images, add {folder} to MCP_CXR_ROOTS.")


def _stop_on_interrupt(stop_signal: StopSignal, display: ProgressDisplay) -> None:
    """Stop after the current batch at the first Ctrl-C, at once at the second; lasts as long as the event loop."""
    import asyncio  # loaded late: `mcp-cxr --help` does not need it

    def stop() -> None:
        if stop_signal.reason:
            raise KeyboardInterrupt
        display.note("Stopping after the current batch; press Ctrl-C again to stop at once.")
        stop_signal.stop(f"Interrupted. {_CONTINUE}")

    with contextlib.suppress(NotImplementedError):  # on Windows the first Ctrl-C stops the command at once
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
