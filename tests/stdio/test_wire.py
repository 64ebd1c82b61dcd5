"""The lines on stdin and stdout, and how the process ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_cxr.archive import open_archive
from tests.server.archives import environment, settings, write_small_images
from tests.stdio.conftest import SERVE, WITHIN_S, Wire

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.archives import Ingested

IMAGES = 400  # more than the batches that are on their way when the first one is written
HEAVY = ["numpy", "pydicom", "PIL", "imagecodecs", "sqlite3", "mcp_cxr.archive", "mcp_cxr.images"]
PROBE = f"""
import sys
from mcp_cxr.cli import main
from mcp_cxr.server import build_server
from mcp_cxr.settings import load_settings
build_server(None)
print([name for name in {HEAVY} if name in sys.modules])
"""


def test_stdout_holds_nothing_but_the_protocol(wire: Wire, demo: Ingested):
    hands = wire.shake_hands()
    assert hands["serverInfo"]["name"] == "mcp-cxr"
    assert len(wire.ask("tools/list")["result"]["tools"]) == 8
    image_id = demo.drawn.images[0].image_id
    assert wire.call("search_medical_images", query="effusion")["structuredContent"]["results_count"] == 5
    assert wire.call("view_image", image_id=image_id)["content"][0]["type"] == "image"
    assert wire.call("get_image_metadata", image_id="no-such-image")["isError"] is True
    wire.say_line("no JSON at all")
    assert wire.ask("no/such/method")["error"]
    assert wire.process.stdin
    wire.process.stdin.close()
    wire.process.stdin = None
    _, err = wire.rest()
    assert wire.process.returncode == 0
    assert err.count("Traceback") <= 1  # the SDK's, about the line that is not JSON
    assert "mcp_cxr" not in err


@pytest.mark.parametrize(("value", "lines"), [("on", 1), ("off", 0)])
def test_calls_are_logged_unless_switched_off(demo: Ingested, tmp_path: Path, value: str, lines: int):
    copy = demo.copied_to(tmp_path / "data")
    (copy.data_dir / "access.jsonl").unlink(missing_ok=True)  # written by other tests' servers
    with Wire({**copy.environment, "MCP_CXR_ACCESS_LOG": value}, tmp_path) as wire:
        wire.shake_hands()
        wire.call("search_medical_images", query="effusion")
    logs = [log.read_text() for log in copy.data_dir.glob("access*")]
    assert sum(log.count("\n") for log in logs) == lines
    assert "effusion" not in "".join(logs)


def test_nothing_heavy_is_loaded_before_the_handshake():
    # Without coverage, which `make coverage` starts in every process and which loads sqlite3.
    uncovered = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, env=uncovered)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"MCP_CXR_SHAER": "reports"}, "Error: Unknown variable MCP_CXR_SHAER; did you mean MCP_CXR_SHARE?"),
        (
            {"MCP_CXR_SHARE": "pictures"},
            "Error: MCP_CXR_SHARE must be any of reports, images and dates, such as reports,images.",
        ),
        (
            {"MCP_CXR_DATA_DIR": "archive"},
            "Error: MCP_CXR_DATA_DIR contains the relative path archive; write an absolute path.",
        ),
        (
            {"MCP_CXR_ROOTS": "/images:images"},
            "Error: MCP_CXR_ROOTS contains the relative path images; write an absolute path.",
        ),
    ],
)
def test_wrong_configuration_stops_the_start_with_one_line(tmp_path: Path, variables: dict[str, str], line: str):
    everything = {**environment(tmp_path / "data"), **variables}
    done = subprocess.run(SERVE, capture_output=True, text=True, check=False, cwd=tmp_path, env=everything)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{line}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", ["SIGTERM", "SIGINT", "stdin"])
def test_a_host_that_ends_during_an_ingest_loses_nothing(tmp_path: Path, end: str):
    images, data = tmp_path / "images", tmp_path / "data"
    write_small_images(images, IMAGES)
    with Wire(environment(data, roots=tmp_path), tmp_path) as wire:
        wire.shake_hands()
        ingest = {"name": "ingest_directory", "arguments": {"path": str(images)}}
        wire.request("tools/call", **ingest, _meta={"progressToken": 1})
        while wire.hear().get("params", {}).get("progress", 0) == 0:
            pass  # until a batch is written
        stop(wire, end)
        left, err = wire.rest()
    assert not any("result" in message for message in left), "it was to be stopped before it had finished"
    assert "Traceback" not in err
    assert wire.process.returncode == (0 if end == "stdin" else -signal.Signals[end])

    async def go_on() -> tuple[int, int]:
        async with open_archive(settings(environment(data))) as archive:
            before = (await archive.overview()).images
            summary = await archive.ingest(images)
            assert sum((await archive.verify()).problems.values()) == 0
            assert (summary.skipped, summary.added) == (before, IMAGES - before)
            return before, summary.total_in_store

    before, total = anyio.run(go_on)
    assert 0 < before < total == IMAGES


def stop(wire: Wire, end: str) -> None:
    if end != "stdin":
        wire.process.send_signal(signal.Signals[end])
        wire.process.wait(timeout=WITHIN_S)  # with stdin still open, as in a terminal
        return
    assert wire.process.stdin
    wire.process.stdin.close()
    wire.process.stdin = None


def test_a_server_without_a_handshake_ends_with_its_host(wire: Wire):
    """If the host dies before the handshake, the server ends, too."""
    stop(wire, "stdin")
    left, err = wire.rest()
    assert (wire.process.returncode, left, err) == (0, [], "")


def test_an_image_and_a_report_are_unchanged_by_the_transport(wire: Wire, demo: Ingested):
    image_id = demo.drawn.images[0].image_id
    wire.shake_hands()
    result = wire.call("get_image_metadata", image_id=image_id)
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
