"""Packages that the page is tried with: installed by name and exact version when a test wants them, never committed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

_PACKAGES = {
    "@modelcontextprotocol/ext-apps": "2.0.4",
    "@modelcontextprotocol/client": "2.4.0",
    "@modelcontextprotocol/core": "2.4.0",
    "axe-core": "4.14.1",
    "esbuild": "0.28.2",
    "zod": "4.6.7",
}
_FOLDER = Path(__file__).parents[2] / "build" / "npm"
_WITHIN_S = 240


def npm() -> str | None:
    """The client, where there is one."""
    return shutil.which("npm")


def installed() -> Path:
    """Return the folder of modules; it is filled when it does not hold these versions already."""
    modules, made = _FOLDER / "node_modules", _FOLDER / "installed.json"
    if not made.is_file() or json.loads(made.read_text()) != _PACKAGES:
        shutil.rmtree(_FOLDER, ignore_errors=True)
        _FOLDER.mkdir(parents=True)
        (_FOLDER / "package.json").write_text('{"private": true}\n')
        named = [f"{name}@{version}" for name, version in _PACKAGES.items()]
        _run([str(npm()), "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", *named])
        made.write_text(json.dumps(_PACKAGES))
    return modules


def bundled(script: Path) -> str:
    """Return a script with what it imports, for a browser."""
    modules = installed()
    source = shutil.copy(script, _FOLDER / script.name)
    return _run([str(modules / ".bin" / "esbuild"), str(source), "--bundle", "--format=esm", "--log-level=error"])


def axe() -> str:
    """Return axe-core as a script."""
    return (installed() / "axe-core" / "axe.min.js").read_text()


def _run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=_FOLDER, capture_output=True, text=True, timeout=_WITHIN_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
