"""The built packages and the clean environments that test them."""

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
    """The built packages."""

    wheel: Path
    sdist: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Return wheel and sdist, built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-d", str(folder), cwd=ROOT)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel, sdist)


@pytest.fixture(scope="session")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the `mcp-cxr` command of the wheel with its extras, in an environment with nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    wheel = f"{built.wheel}[chat,local,plots]"
    run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", wheel, cwd=folder)
    return str(folder / "bin" / "mcp-cxr")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """Return the demo's first studies; shared between test packages, so read-only."""
    return ingested(tmp_path_factory.getbasetemp() / "demo")


def run(*command: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a command and return its stdout."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout
