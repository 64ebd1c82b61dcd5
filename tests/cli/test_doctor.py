"""mcp-cxr doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.cli.conftest import Command
    from tests.server.archives import Ingested


def test_a_sound_archive_is_ok(on_demo: Command, demo: Ingested):
    done = on_demo("doctor", "--json")
    assert done.code == 0
    assert done.json["ok"] is True
    assert {check["name"] for check in done.json["checks"]} == {"embedder", "store", "fingerprint", "root"}
    assert str(demo.drawn.folder) in on_demo("doctor").out


def test_nothing_ingested_yet_is_no_fault(on_new: Command):
    done = on_new("doctor")
    assert done.code == 0
    assert "-> Nothing has been ingested yet: run `mcp-cxr ingest PATH`." in done.out


def test_before_there_is_a_service_it_says_how_to_do_without(on_new: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MCP_CXR_EMBEDDER", "nvclip")
    monkeypatch.setenv("NVCLIP_BASE_URL", "http://127.0.0.1:9/v1")
    done = on_new("doctor")
    assert done.code == 1
    assert "run `mcp-cxr ingest PATH`. Without a service, MCP_CXR_EMBEDDER=offline lets you try" in done.out


def test_a_root_that_is_gone_is_found(on_new: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MCP_CXR_ROOTS", str(tmp_path / "gone"))
    done = on_new("doctor")
    assert done.code == 1
    assert f"FAIL  root           {tmp_path / 'gone'}" in done.out
    assert "-> This folder is gone: mount it, take it out of MCP_CXR_ROOTS, or ingest its films" in done.out


def test_a_service_that_is_down_is_found_with_what_to_check(on_demo: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MCP_CXR_EMBEDDER", "nvclip")
    monkeypatch.setenv("NVCLIP_BASE_URL", "http://127.0.0.1:9/v1")
    done = on_demo("doctor", "--json")
    assert done.code == 1
    failed = [check for check in done.json["checks"] if not check["ok"]]
    assert "embedder" in [check["name"] for check in failed]
    assert "NVCLIP_BASE_URL" in failed[0]["advice"]
