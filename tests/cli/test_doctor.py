"""mcp-cxr doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.cli.conftest import Command
    from tests.server.archives import Ingested


def test_doctor_finds_no_problem_in_an_intact_archive(on_demo: Command, demo: Ingested):
    done = on_demo("doctor", "--json")
    assert done.code == 0
    assert done.json["ok"] is True
    assert {check["name"] for check in done.json["checks"]} == {"embedder", "store", "fingerprint", "root", "share"}
    assert str(demo.drawn.folder) in on_demo("doctor").out


def test_an_empty_archive_is_not_a_problem(on_new: Command):
    done = on_new("doctor")
    assert done.code == 0
    assert "-> Nothing has been ingested yet: run `mcp-cxr ingest PATH`." in done.out


def test_without_a_service_doctor_says_how_to_use_the_offline_embedder(
    on_new: Command, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MCP_CXR_EMBEDDER", "nvclip")
    monkeypatch.setenv("NVCLIP_BASE_URL", "http://127.0.0.1:9/v1")
    done = on_new("doctor")
    assert done.code == 1
    assert "run `mcp-cxr ingest PATH`. To begin without a service, set MCP_CXR_EMBEDDER=local or offline" in done.out


def test_a_missing_root_is_a_problem(on_new: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MCP_CXR_ROOTS", str(tmp_path / "gone"))
    done = on_new("doctor")
    assert done.code == 1
    assert f"FAIL  root           {tmp_path / 'gone'}" in done.out
    assert (
        "-> This folder is missing: mount it, or remove it from MCP_CXR_ROOTS. If its images moved, ingest" in done.out
    )


def test_a_service_that_is_down_is_a_problem_with_advice(on_new: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MCP_CXR_EMBEDDER", "nvclip")
    monkeypatch.setenv("NVCLIP_BASE_URL", "http://127.0.0.1:9/v1")
    done = on_new("doctor", "--json")
    assert done.code == 1
    failed = [check for check in done.json["checks"] if not check["ok"]]
    assert "embedder" in [check["name"] for check in failed]
    assert "NVCLIP_BASE_URL" in failed[0]["advice"]
