"""Wheel and sdist contain what they must and nothing else; the manifests agree with the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from typing import TYPE_CHECKING

from mcp_cxr import __version__
from mcp_cxr.settings import variables
from tests.docs.pages import ROOT
from tests.handout.conftest import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.handout.conftest import Built
    from tests.server.archives import Ingested

MANIFEST, SERVER = (json.loads((ROOT / name).read_text()) for name in ("manifest.json", "server.json"))


def files_of(folder: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_contains_exactly_the_package(built: Built):
    with zipfile.ZipFile(built.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        (metadata,) = (wheel.read(name).decode() for name in wheel.namelist() if name.endswith("/METADATA"))
    assert names == files_of("mcp_cxr")
    assert f"\nVersion: {__version__}\n" in metadata
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"^Provides-Extra: (\w+)$", metadata, re.MULTILINE)) == set(declared)
    assert f"mcp-name: {SERVER['name']}" in metadata  # by this the registry verifies the owner


def test_the_sdist_contains_everything_its_tests_need(built: Built):
    with tarfile.open(built.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    for folder in ("mcp_cxr", "tests", "docs", "scripts", ".github"):
        assert files_of(folder) <= names
    assert {"Makefile", "requirements.lock", "manifest.json", "server.json", "CHANGELOG.md", "LICENSE"} <= names


def test_the_sdist_builds_the_same_wheel(built: Built, tmp_path: Path):
    with tarfile.open(built.sdist) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(tmp_path), cwd=source)
    assert record(tmp_path / built.wheel.name) == record(built.wheel)


def record(wheel: Path) -> str:
    """Return every file with its hash."""
    with zipfile.ZipFile(wheel) as opened:
        (name,) = (name for name in opened.namelist() if name.endswith("/RECORD"))
        return opened.read(name).decode()


def test_the_installed_wheel_answers_a_query(built: Built, demo: Ingested, tmp_path: Path):
    """Data files are read from the installed wheel; the dependencies are those of the tests."""
    place = tmp_path / "installed"
    run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"),
        *("--target", str(place), str(built.wheel)),
        cwd=tmp_path,
    )
    code = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module('mcp_cxr', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, place, "search", "no edema", "--json"],
        cwd=tmp_path,
        env=demo.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["total_results"] > 0


def test_versions_agree():
    assert MANIFEST["version"] == SERVER["version"] == SERVER["packages"][0]["version"] == __version__


def test_both_manifests_use_existing_variables():
    named = {one["name"]: one for one in SERVER["packages"][0]["environmentVariables"]}
    assert set(named) == set(MANIFEST["server"]["mcp_config"]["env"]) <= set(variables())


def test_every_placeholder_of_the_bundle_is_configured():
    """A placeholder without a value would reach the server unchanged, such as `${user_config.share}`."""
    places = re.findall(r"\$\{user_config\.(\w+)\}", json.dumps(MANIFEST["server"]))
    configured = MANIFEST["user_config"]
    assert sorted(places) == sorted(configured)
    assert all(one["required"] or "default" in one for one in configured.values())


def test_the_bundle_lists_the_tools_of_a_model():
    tools = json.loads((ROOT / "tests" / "server" / "tools.json").read_text())
    for_models = [tool["name"] for tool in tools if tool["name"] != "get_image_pixels"]
    assert [tool["name"] for tool in MANIFEST["tools"]] == for_models


def test_the_registry_entry_follows_its_schema():
    """The rules of server.schema.json of 2025-12-11 that apply; CI validates against the schema itself."""
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", SERVER["name"])
    assert 1 <= len(SERVER["description"]) <= 100
    assert 1 <= len(SERVER["title"]) <= 100
    (package,) = SERVER["packages"]
    assert package["transport"] == {"type": "stdio"}
    assert {"registryType", "identifier", "version"} <= set(package)
    assert all(one["type"] == "positional" and one["value"] for one in package["packageArguments"])
