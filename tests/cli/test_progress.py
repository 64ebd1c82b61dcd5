"""What a person sees of an ingest under way: a bar on a terminal, lines in a log."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.cli import _progress
from mcp_cxr.ingest import IngestProgress
from tests.cli.conftest import SMALL
from tests.server.archives import environment

if TYPE_CHECKING:
    from pathlib import Path

ERASE = "\r\x1b[K"


class Clock:
    """Time as a test tells it."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_progress, "time", clock)
    return clock


async def tell(clock: Clock, printer: _progress.Printer, *states: tuple[float, int | None, int, int, int]) -> None:
    """Tell of states: seconds, found, skipped, added, errors."""
    for seconds, found, skipped, added, errors in states:
        clock.now = seconds
        await printer.progress(IngestProgress(found, skipped, added, errors, seconds))


def printer(*, on_terminal: bool) -> _progress.Printer:
    return _progress.Printer(would_add=pytest.fail, on_terminal=on_terminal)


async def test_a_log_gets_a_line_every_few_seconds_with_the_time_left(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printer(on_terminal=False)
    await tell(clock, lines, (1, None, 0, 0, 0), (6, None, 50, 10, 1), (7, 1000, 50, 20, 1), (11, 1000, 50, 60, 2))
    await tell(clock, lines, (12, 1000, 50, 70, 2), (16, 1000, 50, 110, 2))
    lines.end()
    assert capsys.readouterr().err.splitlines() == [
        "  61/?: Skipped 50, Added 10, Errors 1 (1.7 img/sec), time left not known yet",
        "Found 1000 DICOM files",
        "  112/1000: Skipped 50, Added 60, Errors 2 (5.5 img/sec), 1 min 27 s left",
        "  162/1000: Skipped 50, Added 110, Errors 2 (6.9 img/sec), 1 min 23 s left",
        "  162/1000: Skipped 50, Added 110, Errors 2 (6.9 img/sec)",
    ]


async def test_a_terminal_gets_a_bar_that_makes_way_for_lines(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    bar = printer(on_terminal=True)
    await tell(clock, bar, (1, 400, 0, 100, 0), (2, 400, 0, 200, 3))
    bar.note("Stopping.")
    bar.end()
    assert capsys.readouterr().err.split(ERASE) == [
        "",
        "Found 400 DICOM files\n",
        "[######------------------]  25% 100/400, 100.0 img/sec, time left not known yet, Errors 0",
        "[############------------]  51% 203/400, 100.0 img/sec, 0 min 02 s left, Errors 3",
        "Stopping.\n",
        "  203/400: Skipped 0, Added 200, Errors 3 (100.0 img/sec)\n",
    ]


async def test_hours_are_told_as_hours_and_what_changes_meanwhile_is_no_nonsense(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder may grow or shrink after it was counted, and a run may stand still for minutes."""
    lines = printer(on_terminal=False)
    await tell(clock, lines, (10, 377_110, 0, 0, 0), (20, 377_110, 0, 500, 0), (30, 900, 0, 1000, 0))
    await tell(clock, lines, (100, 377_110, 0, 1000, 0), (200, 377_110, 0, 1000, 0))
    told = [line.rsplit(", ", 1)[1] for line in capsys.readouterr().err.splitlines()[1:]]
    assert told == [
        "time left not known yet",
        "2 h 05 min left",
        "0 min 00 s left",
        "time left not known yet",
        "time left not known yet",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminals")
def test_a_command_on_a_terminal_keeps_its_lines_and_one_in_a_log_has_no_control_codes(
    films: Path, tmp_path: Path
) -> None:
    import pty  # there is none on Windows

    command = [sys.executable, "-m", "mcp_cxr", "ingest", str(films)]
    variables = {**os.environ, **environment(tmp_path / "data")}
    terminal, end = pty.openpty()
    shown = b""
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=end) as process:
        os.close(end)
        try:
            while part := os.read(terminal, 4096):
                shown += part
        except OSError:  # Linux says so when the other end is closed
            pass
        finally:
            os.close(terminal)
        process.communicate()
    assert f"{ERASE}Found {SMALL} DICOM files\r\n" in shown.decode()
    assert re.search(rf"  {SMALL}/{SMALL}: Skipped 0, Added {SMALL}, Errors 0 \(\d+\.\d img/sec\)\r\n", shown.decode())
    log = subprocess.run(command, env=variables, capture_output=True, check=True).stderr
    assert b"\x1b" not in log
    assert b"\r" not in log
