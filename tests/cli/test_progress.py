"""The progress display of an ingest: a bar on a terminal, lines in a log."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tqdm import tqdm

from mcp_cxr.cli._ingest import ProgressDisplay
from mcp_cxr.ingest import IngestProgress
from tests.cli.conftest import SMALL
from tests.server.archives import environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Command


class Clock:
    """The time that tqdm reads."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("tqdm.std.time", clock)
    return clock


async def send(clock: Clock, display: ProgressDisplay, *states: tuple[float, int | None, int, int, int]) -> None:
    """Send states: seconds, found, skipped, added, errors."""
    for seconds, found, skipped, added, errors in states:
        clock.now = seconds
        await display.progress(IngestProgress(found, skipped, added, errors, seconds))


def display(*, on_terminal: bool, print_would_add: Callable[[str], None] = pytest.fail) -> ProgressDisplay:
    return ProgressDisplay(print_would_add=print_would_add, on_terminal=on_terminal)


async def test_a_log_gets_a_line_every_few_seconds_with_the_time_left(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = display(on_terminal=False)
    await send(clock, lines, (1, None, 0, 0, 0), (6, None, 50, 10, 1), (7, 1000, 50, 20, 1), (11, 1000, 50, 60, 2))
    await send(clock, lines, (12, 1000, 50, 70, 2), (16, 1000, 50, 110, 2))
    lines.end()
    assert capsys.readouterr().err.splitlines() == [
        "  61/?: Skipped 50, Added 10, Errors 1 (1.7 img/sec)",
        "Found 1000 DICOM files",
        "  112/1000: Skipped 50, Added 60, Errors 2 (5.5 img/sec), 01:27 left",
        "  162/1000: Skipped 50, Added 110, Errors 2 (6.9 img/sec), 01:22 left",
        "  162/1000: Skipped 50, Added 110, Errors 2 (6.9 img/sec)",
    ]


async def test_a_terminal_gets_a_bar_above_which_lines_are_printed(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    bar = display(on_terminal=True, print_would_add=print)
    await send(clock, bar, (1, 400, 0, 100, 0), (2, 400, 0, 200, 3))
    await bar.would_add("abc", "PA")
    bar.note("Stopping.")
    bar.end()
    out, err = capsys.readouterr()
    shown = [state.strip() for state in re.split(r"[\r\n]", err)]
    assert out == "[DRY RUN] Would insert: abc (PA)\n"
    assert [line for line in shown if line and "|" not in line] == [
        "Found 400 DICOM files",
        "Stopping.",
        "203/400: Skipped 0, Added 200, Errors 3 (100.0 img/sec)",
    ]
    (last,) = {line for line in shown if "203/400 [" in line}
    assert last.startswith("51%|")
    assert last.endswith(", Skipped 0, Added 200, Errors 3]")
    assert re.search(r"\r +\r  203/400: ", err), "the bar is removed before the last state"


async def test_the_time_left_is_plausible_while_the_folder_changes_or_the_run_pauses(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder may grow or shrink after it was counted, and a run may pause for minutes."""
    lines = display(on_terminal=False)
    await send(clock, lines, (10, 377_110, 0, 0, 0), (20, 377_110, 0, 500, 0), (30, 900, 0, 1000, 0))
    await send(clock, lines, (100, 377_110, 0, 1000, 0), (200, 377_110, 0, 1000, 0))
    ends = [line.rsplit(", ", 1)[1] for line in capsys.readouterr().err.splitlines()[1:]]
    assert ends == ["Errors 0 (0.0 img/sec)", "2:05:32 left", "00:00 left", "2:05:22 left", "2:05:22 left"]


def test_the_handshake_of_serve_does_not_load_tqdm() -> None:
    """Later pydicom loads it, if it is installed."""
    code = "import sys, mcp_cxr.server, mcp_cxr.cli, mcp_cxr.settings; print('tqdm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "False\n"


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminals")
def test_lines_are_kept_on_a_terminal_and_a_log_has_no_control_codes(image_dir: Path, tmp_path: Path) -> None:
    import pty  # not available on Windows

    command = [sys.executable, "-m", "mcp_cxr", "ingest", str(image_dir)]
    variables = {**os.environ, **environment(tmp_path / "data")}
    terminal, end = pty.openpty()
    shown = b""
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=end) as process:
        os.close(end)
        try:
            while part := os.read(terminal, 4096):
                shown += part
        except OSError:  # raised by Linux when the other end is closed
            pass
        finally:
            os.close(terminal)
        process.communicate()
    assert f"Found {SMALL} DICOM files\r\n" in shown.decode()
    assert re.search(rf"  {SMALL}/{SMALL}: Skipped 0, Added {SMALL}, Errors 0 \(\d+\.\d img/sec\)\r\n", shown.decode())
    log = subprocess.run(command, env=variables, capture_output=True, check=True).stderr
    assert b"\x1b" not in log
    assert b"\r" not in log


def test_an_ingest_that_fails_leaves_no_bar_for_the_next_one_to_make_room_for(on_new: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert on_new("ingest", tmp_path / "empty").code == 1
    assert not list(getattr(tqdm, "_instances"))  # noqa: B009 - untyped, and private
