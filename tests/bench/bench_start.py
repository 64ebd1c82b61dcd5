"""How long a host waits, from process start to the result of `initialize`: `python -m tests.bench.bench_start`.

Ours beside an empty server of the same SDK, one after the other in turns, so that both meet the same machine.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 7
RATIO_TO_KEEP = 1.25
EMPTY = """from mcp.server import MCPServer

MCPServer("empty").run("stdio")
"""
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "0"}},
}


def seconds_to_answer(command: list[str], variables: dict[str, str]) -> float:
    """Start a server, do the handshake, end it; return how long the handshake took, in seconds."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **variables}
    ) as process:
        answer = _shake_hands(process)
        took = time.perf_counter() - started
        process.communicate(timeout=30)
    if "result" not in json.loads(answer):
        raise RuntimeError(f"{command} did not answer: {answer}")
    return took


def _shake_hands(process: subprocess.Popen[str]) -> str:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("no pipes")
    process.stdin.write(f"{json.dumps(INITIALIZE)}\n")
    process.stdin.flush()
    return process.stdout.readline()


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty_server.py"
        empty.write_text(EMPTY)
        commands = {
            "an empty server": [sys.executable, str(empty)],
            "mcp-cxr serve": [sys.executable, "-m", "mcp_cxr", "serve"],
        }
        variables = {"MCP_CXR_DATA_DIR": folder, "MCP_CXR_EMBEDDER": "offline"}
        for command in commands.values():  # both are compiled and in the page cache
            seconds_to_answer(command, variables)
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                times[name].append(seconds_to_answer(command, variables))
    return 0 if report(times) else 1


def report(times: dict[str, list[float]]) -> bool:
    """Print the figures; return whether the ratio is within its limit."""
    print("Process start to answered `initialize`")
    print(
        f"  mcp {importlib.metadata.version('mcp')}, Python {platform.python_version()}, {platform.machine()}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {ROUNDS} turns"
    )
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, taken in times.items():
        print(f"  {name:<16} median {medians[name]:.3f} s ({min(taken):.3f} to {max(taken):.3f})")
    empty, ours = medians.values()
    kept = ours / empty <= RATIO_TO_KEEP
    print(f"  ratio {ours / empty:.2f}, at most {RATIO_TO_KEEP}: {'kept' if kept else 'NOT KEPT'}")
    return kept


if __name__ == "__main__":
    sys.exit(main())
