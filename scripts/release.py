#!/usr/bin/env python3
"""Release a version: hatchling sets it in the package; this adds the manifests, the changelog's date and a commit."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # runs from a checkout without installation

from mcp_cxr.cli import run
from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
_UNRELEASED = "## Unreleased\n"


@click.command()
@click.argument("version")
@click.option("--tag", is_flag=True, help="Also tag the commit vVERSION.")
def release(version: str, *, tag: bool) -> None:
    """Set VERSION (x.y.z) in the package and its manifests, date the changelog, and commit. Publishes nothing."""
    if _run("git", "status", "--porcelain"):
        raise ConfigError("There are uncommitted changes; commit or remove them first.")
    changelog = ROOT / "CHANGELOG.md"
    dated = _dated(changelog.read_text(), version)
    current = json.loads((ROOT / "manifest.json").read_text())["version"]
    if version != current:
        _run(sys.executable, "-m", "hatchling", "version", version)
    for manifest in (ROOT / "manifest.json", ROOT / "server.json"):
        manifest.write_text(manifest.read_text().replace(f'"version": "{current}"', f'"version": "{version}"'))
    changelog.write_text(dated)
    _run("git", "commit", "--all", "--message", f"Release {version}")
    if tag:
        _run("git", "tag", "--annotate", f"v{version}", "--message", f"mcp-cxr {version}")
    click.echo(f"Version {version} is committed{' and tagged' if tag else ''}; `make dist` builds it.")


def _dated(changelog: str, version: str) -> str:
    """Return the changelog with its unreleased changes under the version and today's date."""
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        raise ConfigError(f"{version} is not a version of the form x.y.z.")
    if f"\n## {version} " in changelog:
        raise ConfigError(f"CHANGELOG.md already has a section for {version}.")
    if not changelog.partition(_UNRELEASED)[2].partition("\n## ")[0].strip():
        raise ConfigError("CHANGELOG.md has no unreleased changes.")
    return changelog.replace(_UNRELEASED, f"{_UNRELEASED}\n## {version} - {dt.datetime.now(dt.UTC).date()}\n", 1)


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise ConfigError(f"{' '.join(command[:4])} failed: {reason}")
    return done.stdout


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(release, argv, name=Path(__file__).name)


if __name__ == "__main__":
    sys.exit(main())
