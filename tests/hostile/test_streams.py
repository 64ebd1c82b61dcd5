"""Streams that are closed or full, and folders that may not be listed: one line says so, and there is no traceback."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from contextlib import suppress
from itertools import product
from typing import TYPE_CHECKING

import pytest

from tests.server.archives import Ingested, environment, ingested, write_small_images

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = ["--help", "search --view PA --json", "layout {images}", "ingest {images}", "serve"]
STREAMS = {
    ">&-": "(Bad file descriptor)",
    ">/dev/full": "(No space left on device)",
    "2>/dev/full": None,
    "<&- >&- 2>&-": None,
}
"""How the streams of a command are redirected, and the error that it prints."""
INITIALIZE = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
    }
)
_PR_CAPBSET_DROP, _CAPABILITIES = 24, (1, 2)  # of root to read what it may not: CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """Return the demo's first studies."""
    return ingested(tmp_path_factory.getbasetemp() / "demo")


def as_user() -> None:
    """Make root obey the permissions of files in the program that is started next."""
    with suppress(AttributeError, OSError):
        for number in _CAPABILITIES:
            ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)


def run(command: str, variables: dict[str, str], redirected: str = "", **options: object) -> tuple[int, str, str]:
    line = f"{sys.executable} -m mcp_cxr {command} {redirected}"
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **variables},
        **({"input": f"{INITIALIZE}\n"} | options),  # pyright: ignore[reportCallIssue, reportArgumentType]
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("command", "redirected"),
    [
        *product(COMMANDS, (">&-",)),
        *product(COMMANDS[1::2], (">/dev/full",)),
        *product(COMMANDS[1:], ("2>/dev/full", "<&- >&- 2>&-")),
    ],
)
def test_a_stream_that_is_closed_or_full_causes_no_traceback(demo: Ingested, command: str, redirected: str) -> None:
    error = STREAMS[redirected]
    code, out, err = run(command.format(images=demo.drawn.folder), demo.environment, redirected)
    assert "Traceback" not in err
    if error:
        assert code == 1
        assert err.splitlines()[-1].startswith("Error: Cannot write to stdout")
        assert error in err
    elif redirected == "2>/dev/full":
        assert (code, bool(out)) == (0, True)
    else:
        assert code in {0, 1}


def test_no_file_is_opened_in_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    """A database opened as number 1 would be written to by what is printed."""
    write_small_images(tmp_path / "images", 3)
    variables = environment(tmp_path / "data")
    run(f"ingest {tmp_path / 'images'}", variables, "<&- >&- 2>&-")
    code, out, _ = run("table stats --json", variables)
    assert (code, json.loads(out)["images"]) == (0, 3)


@pytest.mark.parametrize("command", ["ingest", "layout"])
def test_a_folder_that_may_not_be_listed_is_told_as_that(tmp_path: Path, command: str) -> None:
    write_small_images(tmp_path / "images", 3)
    closed = tmp_path / "images" / "closed"
    closed.mkdir(mode=0)
    variables = environment(tmp_path / "data")
    code, out, _ = run(f"{command} {tmp_path / 'images'}", variables, preexec_fn=as_user)
    assert code == 0
    assert ("folder cannot be listed: 1" if command == "ingest" else f"cannot be listed: 1, {closed}") in out
    (tmp_path / "images").chmod(0)
    code, out, err = run(f"{command} {tmp_path / 'images'}", variables, preexec_fn=as_user)
    (tmp_path / "images").chmod(0o700)
    assert (code, out) == (2, "")
    assert f"'{tmp_path / 'images'}' is not readable" in err
