"""Measures the time from `git clone` to the first hit, following the README, with empty caches.

`python3 tests/handout/first_hit.py` needs git, make and the network, and no package.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Follow the README in a new home folder, and print when each step was done."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        clone = Path(home) / "mcp-cxr"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MCP_CXR_", "VIRTUAL_ENV"))}
        env = kept | {"HOME": home, "PIP_NO_CACHE_DIR": "1", "PYTHONUNBUFFERED": "1"}

        def step(name: str, *command: str, until: str = "") -> None:
            """Run a command; print when it ends, and when a line contains `until`."""
            with subprocess.Popen(command, cwd=home, env=env, stdout=subprocess.PIPE, text=True) as process:
                for line in process.stdout or ():
                    if until and until in line:
                        log(f"{name}: {line.strip()}")
                        until = ""
            if process.returncode or until:
                sys.exit(f"{name} failed with exit code {process.returncode}.")
            log(name)

        def log(what: str) -> None:
            print(f"{time.monotonic() - began:7.1f} s  {what}", flush=True)  # noqa: T201 - output of the script

        step("git clone", "git", "clone", "--quiet", str(ROOT), str(clone))
        step("make setup", "make", "-C", str(clone), "setup")
        step("make demo", "make", "-C", str(clone), "demo", until=" 1  ")
        command = str(clone / ".venv" / "bin" / "mcp-cxr")
        env["MCP_CXR_EMBEDDER"] = "offline"
        step("ingest", command, "ingest", str(clone / "build" / "demo" / "images"), until="Total images in database")
        step("search", command, "search", "left pleural effusion", "--view", "PA", until="Patient")
    return 0


if __name__ == "__main__":
    sys.exit(main())
