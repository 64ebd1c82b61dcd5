#!/usr/bin/env python3
"""Give the project its next version: in the package, its two manifests and the changes, as one commit."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout need not be installed

from mcp_cxr.cli import run
from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
PLACES = {
    "mcp_cxr/__init__.py": '__version__ = "{}"',
    "manifest.json": '"version": "{}"',
    "server.json": '"version": "{}"',
}
CHANGES = "CHANGELOG.md"
_UNRELEASED = "## Unreleased\n"


@click.command()
@click.argument("version")
@click.option("--tag", is_flag=True, help="Tag the commit vVERSION, too.")
def release(version: str, *, tag: bool) -> None:
    """Write VERSION (x.y.z) wherever it stands, date the changes, and commit. Nothing is published."""
    if _git("status", "--porcelain"):
        raise ConfigError("There are changes that are not committed; commit or remove them first.")
    texts = {name: (ROOT / name).read_text() for name in (*PLACES, CHANGES)}
    current = _only(r'__version__ = "(.+)"', texts["mcp_cxr/__init__.py"])
    if _parts(version) < _parts(current):
        raise ConfigError(f"{version} is older than {current}, the version that is there.")
    for name, line in PLACES.items():
        texts[name] = texts[name].replace(line.format(current), line.format(version))
    texts[CHANGES] = _dated(texts[CHANGES], version)
    for name, text in texts.items():
        (ROOT / name).write_text(text)
    _git("commit", "--all", "--message", f"Release {version}")
    if tag:
        _git("tag", "--annotate", f"v{version}", "--message", f"mcp-cxr {version}")
    click.echo(f"Version {version} is committed{' and tagged' if tag else ''}; `make dist` builds it.")


def _parts(version: str) -> list[int]:
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        raise ConfigError(f"{version} is no version; write x.y.z.")
    return [int(part) for part in version.split(".")]


def _dated(changes: str, version: str) -> str:
    """Return the changes with what is unreleased under the version and today's date."""
    if f"\n## {version} " in changes:
        raise ConfigError(f"{CHANGES} has a section for {version} already.")
    _, _, rest = changes.partition(_UNRELEASED)
    if not rest.partition("\n## ")[0].strip():
        raise ConfigError(f"{CHANGES} tells of nothing unreleased.")
    today = dt.datetime.now(dt.UTC).date()
    return changes.replace(_UNRELEASED, f"{_UNRELEASED}\n## {version} - {today}\n", 1)


def _only(pattern: str, text: str) -> str:
    (found,) = re.findall(pattern, text)
    return found


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603, S607 - our own words to the git that is there
    if done.returncode:
        raise ConfigError(f"git {words[0]} failed: {' '.join(done.stderr.split()) or 'no reason given'}")
    return done.stdout


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(release, argv, name=Path(__file__).name)


if __name__ == "__main__":
    sys.exit(main())
