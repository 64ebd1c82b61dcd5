"""The scripts of a checkout call the same functions as the commands."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.server.archives import environment, ingested, write_small_images

if TYPE_CHECKING:
    from types import ModuleType

    from tests.server.archives import Ingested

SCRIPTS = Path(__file__).parent.parent.parent / "scripts"
NAMES = ["create_mimic_images_table", "ingest_mimic_images", "release", "table_stats", "verify_setup"]
NEED_TORCH = ["export_encoder"]
"""Tested in tests/models, where torch is."""


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the data folder of an archive that does not exist yet."""
    for name, value in environment(tmp_path / "data").items():
        monkeypatch.setenv(name, value)
    return tmp_path / "data"


@pytest.fixture
def image_dir(tmp_path: Path) -> Path:
    write_small_images(tmp_path / "images", 3)
    return tmp_path / "images"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def search_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove what a script added to the search path."""
    monkeypatch.setattr(sys, "path", [*sys.path])


def test_all_scripts_are_tested():
    assert sorted(path.stem for path in SCRIPTS.glob("*.py")) == sorted([*NAMES, *NEED_TORCH])


@pytest.mark.parametrize("name", NAMES)
def test_each_script_s_help_shows_its_name(name: str, capsys: pytest.CaptureFixture[str]):
    assert script(name).main(["--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: {name}.py ")


@pytest.mark.parametrize("name", NAMES)
def test_each_script_refuses_unknown_options(name: str, capsys: pytest.CaptureFixture[str]):
    assert script(name).main(["--frobnicate"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert f"See `{name}.py --help`." in captured.err


def test_the_scripts_create_fill_count_and_check_the_table_twice(
    archive: Path, image_dir: Path, capsys: pytest.CaptureFixture[str]
):
    for made in ("created successfully", "already exists"):
        assert script("create_mimic_images_table").main([]) == 0
        assert f"MIMICCXRImages table {made}" in capsys.readouterr().out
    for added in (3, 0):
        assert script("ingest_mimic_images").main([str(image_dir)]) == 0
        assert f"Successfully added: {added}" in capsys.readouterr().out
    assert script("table_stats").main([]) == 0
    assert "Total images in database: 3" in capsys.readouterr().out
    assert script("verify_setup").main([]) == 0
    assert str(archive) in capsys.readouterr().out


def test_drop_without_a_table_creates_one(archive: Path, capsys: pytest.CaptureFixture[str]):
    assert script("create_mimic_images_table").main(["--drop", "--force"]) == 0
    out = capsys.readouterr().out
    assert "MIMICCXRImages table does not exist\n" in out
    assert "MIMICCXRImages table created successfully\n" in out
    assert archive.exists()


def test_drop_without_force_removes_nothing(archive: Path, image_dir: Path, capsys: pytest.CaptureFixture[str]):
    script("ingest_mimic_images").main([str(image_dir)])
    assert script("create_mimic_images_table").main(["--drop"]) == 2
    assert script("table_stats").main([]) == 0
    assert "Total images in database: 3" in capsys.readouterr().out
    assert archive.exists()


def test_scripts_run_from_a_checkout_without_installation(demo: Ingested, tmp_path: Path):
    """-S excludes site-packages; the dependencies are added, the package is not."""
    import click

    packages = str(Path(click.__file__).parent.parent)
    code = "import runpy, sys; sys.path.append(sys.argv.pop(1)); runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, packages, SCRIPTS / "table_stats.py", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=demo.environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f'"images": {len(demo.drawn.images)}' in done.stdout


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """Return the demo's first studies; shared between test packages, so read-only."""
    return ingested(tmp_path_factory.getbasetemp() / "demo")
