"""A release in a repository that holds the files it writes."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from mcp_cxr import __version__
from tests.docs.pages import ROOT
from tests.scripts.test_scripts import script

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a repository with the files of this checkout that a release needs, committed."""
    for name in ("mcp_cxr/__init__.py", "manifest.json", "server.json", "pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text("# Changes\n\n## Unreleased\n\n### Added\n\n- A thing.\n")
    git(tmp_path, "init", "--quiet")
    for setting in ("user.name=Test", "user.email=anybody@example.org"):
        git(tmp_path, "config", *setting.split("="))
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "Begin")
    return tmp_path


@pytest.fixture
def release(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = script("release")
    monkeypatch.setattr(module, "ROOT", checkout)
    return module


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout  # noqa: S607 - any git


def test_a_release_sets_the_version_everywhere_and_tags_on_request(checkout: Path, release: ModuleType):
    assert release.main(["7.0.0"]) == 0
    assert '__version__ = "7.0.0"' in (checkout / "mcp_cxr/__init__.py").read_text()
    assert json.loads((checkout / "manifest.json").read_text())["version"] == "7.0.0"
    server = json.loads((checkout / "server.json").read_text())
    assert {server["version"], server["packages"][0]["version"]} == {"7.0.0"}
    changes = (checkout / "CHANGELOG.md").read_text()
    assert changes.startswith("# Changes\n\n## Unreleased\n\n## 7.0.0 - 20")
    assert changes.endswith("\n\n### Added\n\n- A thing.\n")
    assert (git(checkout, "status", "--porcelain"), git(checkout, "tag")) == ("", "")
    assert git(checkout, "log", "-1", "--format=%s") == "Release 7.0.0\n"
    (checkout / "CHANGELOG.md").write_text(changes.replace("## Unreleased\n", "## Unreleased\n\n- Another.\n"))
    git(checkout, "commit", "--quiet", "--all", "--message", "Go on")
    assert release.main(["7.0.1", "--tag"]) == 0
    assert git(checkout, "tag") == "v7.0.1\n"


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("1.2", "is not a version"),
        ("01.0.0", "is not a version"),
        ("0.0.1", f"not higher than the original version `{__version__}`"),
    ],
)
def test_an_invalid_version_changes_nothing(
    checkout: Path, release: ModuleType, version: str, message: str, capsys: pytest.CaptureFixture[str]
):
    assert release.main([version]) == 2
    assert message in capsys.readouterr().err
    assert git(checkout, "status", "--porcelain") == ""


def test_a_release_needs_a_new_version_unreleased_changes_and_a_clean_tree(
    checkout: Path, release: ModuleType, capsys: pytest.CaptureFixture[str]
):
    assert release.main(["7.0.0"]) == 0
    for version, message in (("7.0.0", "already has a section for 7.0.0"), ("7.0.1", "has no unreleased changes")):
        assert release.main([version]) == 2
        assert message in capsys.readouterr().err
    (checkout / "new").touch()
    assert release.main(["7.1.0"]) == 2
    assert "uncommitted changes" in capsys.readouterr().err
