"""The packages as they are handed out, and where they are tried."""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import ROOT
from tests.server.archives import Ingested, ingested

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Built:
    """What is handed out."""

    wheel: Path
    sdist: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Wheel and sdist, built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-d", str(folder), cwd=ROOT)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel, sdist)


@pytest.fixture(scope="session")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The command `mcp-cxr` of the wheel with its extras, in an environment that holds nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", f"{built.wheel}[chat,plots]", cwd=folder)
    return str(folder / "bin" / "mcp-cxr")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """The demo's first studies; shared with the tests of the other edges, not to be changed."""
    return ingested(tmp_path_factory.getbasetemp() / "demo")


def run(*command: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a command to its end and return its stdout."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout
