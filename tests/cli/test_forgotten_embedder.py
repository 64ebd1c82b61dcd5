"""Commands and tools without the variable that names the archive's embedder, or without a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mcp import Client

from mcp_cxr.archive import open_archive
from mcp_cxr.server import build_server
from mcp_cxr.settings import load_settings
from tests.server.archives import write_small_images
from tests.server.conftest import host_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command
    from tests.server.archives import Ingested

ADVICE = "This archive was made with the pixel sketch: set MCP_CXR_EMBEDDER=offline."
NOBODY = "http://127.0.0.1:9/v1"


@pytest.fixture
def without_variable(on_demo: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a function that runs a command on the demo's archive with the default embedder, whose service is down."""
    monkeypatch.delenv("MCP_CXR_EMBEDDER")
    monkeypatch.setenv("NVCLIP_BASE_URL", NOBODY)
    return on_demo


def test_search_by_words_answers_and_names_the_variable(without_variable: Command):
    done = without_variable("search", "effusion")
    assert done.code == 0
    assert done.out
    assert f"Note: {ADVICE} The query was matched by words in reports, labels and tags." in done.err
    assert "SSH tunnel" not in done.err
    assert "NVCLIP_BASE_URL" not in done.err


def test_search_by_vector_or_by_a_file_is_refused_with_the_variable(without_variable: Command, demo: Ingested):
    assert without_variable("search", "effusion", "--mode", "vector").error == f"Error: {ADVICE}"
    copy = demo.drawn.folder.parent / "another.dcm"
    copy.write_bytes(demo.drawn.images[0].path.read_bytes())
    assert without_variable("search", "--like", copy).error == f"Error: {ADVICE}"


def test_doctor_ingest_and_evaluate_name_the_variable(without_variable: Command, demo: Ingested):
    done = without_variable("doctor")
    assert done.code == 1
    assert f"-> {ADVICE}" in done.out
    assert "SSH tunnel" not in done.out
    assert without_variable("ingest", demo.drawn.folder).error == f"Error: {ADVICE}"


async def test_the_tools_name_the_variable(
    demo: Ingested, monkeypatch: pytest.MonkeyPatch, without_variable: Command, tmp_path: Path
):
    monkeypatch.setenv("MCP_CXR_ROOTS", str(tmp_path))
    write_small_images(tmp_path, 1)
    settings = load_settings()
    async with Client(build_server(lambda: open_archive(settings))) as client:
        host = await host_of(client)
        page = await host.ask("search_medical_images", query="effusion")
        assert page["fallback_reason"].startswith(ADVICE)
        assert page["images"]
        assert (await host.ask("get_archive_overview"))["next"] == ADVICE
        assert await host.refused("ingest_directory", path=str(tmp_path)) == ADVICE


def test_the_first_ingest_without_a_service_names_every_way_out(
    on_new: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("MCP_CXR_EMBEDDER")
    monkeypatch.setenv("NVCLIP_BASE_URL", NOBODY)
    write_small_images(tmp_path / "images", 1)
    done = on_new("ingest", tmp_path / "images")
    for way in ("SSH tunnel", "NVCLIP_BASE_URL", "MCP_CXR_EMBEDDER=local or offline", "docs/models.md"):
        assert way in done.error
