"""Folders that the user names: read by both servers, ingested by the user alone; broad ones only after a second yes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.chat import broad_folder_warning
from mcp_cxr.chat.backend import Backend, opened_backend
from mcp_cxr.cli import main
from mcp_cxr.errors import CxrError
from tests.server.archives import environment, settings, write_small_images
from tests.support.command_lines import command_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_types import CallToolResult

TIMEOUT_S = 60


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home" / "user"
    (home / "images").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.mark.parametrize(
    ("place", "is_broad"),
    [
        ("/", True),
        ("/root", True),
        ("~", True),
        ("~/..", True),
        ("~/images/..", True),
        ("~/data", True),
        ("~/data/inner", True),
        ("~/images", False),
        ("/usr", False),
        ("/link", True),
    ],
)
def test_broad_folders_need_a_second_yes(home: Path, tmp_path: Path, place: str, is_broad: bool) -> None:
    (tmp_path / "link").symlink_to(home)
    named = {"/link": tmp_path / "link"}.get(place) or Path(place.replace("~", str(home)))
    assert (broad_folder_warning(named, data_dir=home / "data") is not None) == is_broad


def test_a_broad_folder_on_the_command_line_asks(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "--headless", str(home)]) == 2
    warning, error = capsys.readouterr().err.splitlines()
    assert warning.endswith("is or contains a home folder. Images below it could be read and added.")
    assert "type yes" in error


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    """Servers on a new archive; the environment's root is one folder, the user named another."""
    for name in ("root", "named", "later"):
        (tmp_path / name).mkdir()
    write_small_images(tmp_path / "named", 3)
    shutil.copytree(tmp_path / "named", tmp_path / "later", dirs_exist_ok=True)
    (tmp_path / "uploads").mkdir()
    variables = environment(tmp_path / "archive", roots=tmp_path / "root", share="images")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with opened_backend(settings(variables), [tmp_path / "named"], tmp_path / "uploads") as opened:
        yield opened


def called(backend: Backend, tool: str, **arguments: object) -> CallToolResult:
    """The result of the model's call."""
    return backend.loop.start(backend.model_server.call(tool, arguments)).result(TIMEOUT_S)


def ingest(backend: Backend, folder: Path) -> dict[str, object]:
    return backend.loop.start(backend.call("ingest_directory", {"path": str(folder)})).result(TIMEOUT_S)


def test_the_model_sees_images_of_a_named_folder_but_cannot_ingest_it(backend: Backend, tmp_path: Path) -> None:
    assert called(backend, "ingest_directory", path=str(tmp_path / "named")).is_error
    assert ingest(backend, tmp_path / "named")["added"] == 3
    found = called(backend, "search_medical_images", view=["PA", "AP", "OTHER", "UNKNOWN"]).structured_content
    assert found
    image_id = found["images"][0]["image_id"]
    assert not called(backend, "view_image", image_id=image_id).is_error
    assert called(backend, "ingest_directory", path=str(tmp_path / "named")).is_error
    unknown = tmp_path / "named" / "unknown.png"
    unknown.write_bytes(b"")
    assert called(backend, "search_medical_images", like=[str(unknown)]).is_error


def test_a_folder_named_later_is_taken_and_no_call_is_lost(backend: Backend, tmp_path: Path) -> None:
    with pytest.raises(CxrError, match="MCP_CXR_ROOTS"):
        ingest(backend, tmp_path / "later")
    running = backend.loop.start(backend.call("ingest_directory", {"path": str(tmp_path / "named")}))
    backend.loop.start(backend.add_folder(tmp_path / "later")).result(TIMEOUT_S)
    assert running.result(TIMEOUT_S)["added"] == 3
    assert ingest(backend, tmp_path / "later")["found"] == 3
    before = backend.user_server
    backend.loop.start(backend.add_folder(tmp_path / "later" / "files")).result(TIMEOUT_S)
    assert backend.user_server is before
    assert len(backend.folders) == 2
    assert called(backend, "ingest_directory", path=str(tmp_path / "later")).is_error
    assert str(tmp_path / "later") not in str(command_lines())  # which every user of the machine can read
