"""mcp-cxr doctor --deep."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mcp_cxr.cli._common import DONE, FAILED, confirmed, note, print_result, with_settings
from mcp_cxr.cli._output_files import cannot_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcp_cxr.server_check import CheckRecord
    from mcp_cxr.server_check.iris import WriteSize
    from mcp_cxr.settings import Settings

_NAME_WIDTH = 28


def ask_servers(*, write: bool, out: Path | None, as_json: bool) -> int:
    """Ask the servers of the environment; print what differs from what mcp-cxr expects, and write the file.

    Returns:
        The exit code: 1 if something differs.
    """
    from mcp_cxr.archive import check_servers  # loaded late, like all heavy modules

    if out:
        _require_writable(out)
    size = None
    if write:
        size = _write_size()
        if not confirmed(_question(size)):
            note("Not confirmed; nothing was written.")
            return FAILED

    async def run(settings: Settings) -> CheckRecord:
        return await check_servers(settings, write=size, on_start=_progress)

    started = time.monotonic()
    record = with_settings(run)
    note(f"Finished in {time.monotonic() - started:.0f} s.")
    if out:
        out.write_text(record.to_text(), encoding="utf-8")
    print_result(record.model_dump(mode="json"), _lines(record), as_json=as_json)
    iris = record.iris
    if iris and iris.statements.failure == "StoreMissing" and not iris.own_tables:
        note("IRIS holds no archive, so its statements were not run. Run `mcp-cxr table create`, or add --write.")
    if out:
        note(f"{out} holds numbers and codes, no text of a server. Read it; docs/server-check.md says how to send it.")
    return FAILED if record.differences else DONE


def _write_size() -> WriteSize:
    from mcp_cxr.server_check.iris import WriteSize  # loads the driver

    return WriteSize()


def _question(size: WriteSize) -> str:
    return (
        f"This writes {size.all_rows:,} rows of drawn numbers, about {size.megabytes:,} MB with indexes and journal,"
        f" into new tables in IRIS, and drops them; at most {size.seconds:,} seconds. Not on a production namespace."
    )


def _progress(title: str, share_s: float) -> None:
    note(f"{title} (at most {share_s:g} s)")


def _require_writable(path: Path) -> None:
    """Refuse a file that cannot be written, before minutes are spent."""
    try:
        path.open("a", encoding="utf-8").close()
    except OSError as exc:
        raise cannot_write(path, exc) from exc


def _lines(record: CheckRecord) -> Iterator[str]:
    from mcp_cxr.server_check import expectations  # as above

    yield f"{record.as_expected} of {record.expected} answers are as expected"
    for one in expectations(record):
        if not one.holds:
            yield f"  {one.name:<{_NAME_WIDTH}} {one.meaning}"
