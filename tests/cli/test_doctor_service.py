"""mcp-cxr doctor with an embedding service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.standins.nvclip import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Command

KEY = "nvapi-not-to-be-seen"


@pytest.fixture(scope="module")
def started() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def standin(started: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Return the service in working order."""
    started.configure(api_key=None, ready=True, vectors="hash", fault=None)
    monkeypatch.setenv("NVCLIP_BASE_URL", started.base_url)
    monkeypatch.setenv("NVIDIA_API_KEY", KEY)
    return started


@pytest.fixture
def with_service(standin: StandIn, on_new: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a function that runs a command on an archive that does not exist yet, with this service."""
    monkeypatch.setenv("MCP_CXR_EMBEDDER", "nvclip")
    return on_new


def test_a_working_service_is_shown_with_its_latency(with_service: Command):
    done = with_service("doctor")
    assert done.code == 0
    line = next(line for line in done.out.splitlines() if line.startswith("ok    embedder"))
    assert "nvidia/nvclip-vit-h-14, 1024 dimensions, preprocessing 1/224px, nim 2.0.0" in line
    assert "one image" in line
    assert "one text" in line


@pytest.mark.parametrize(
    ("orders", "advice"),
    [
        ({"ready": False}, "is not ready"),
        ({"api_key": "another"}, "NVIDIA_API_KEY"),
        ({"fault": {"kind": "zero", "times": 1000}}, "fails the self-check"),
        ({"fault": {"kind": "constant", "times": 1000}}, "fails the self-check"),
        ({"fault": {"kind": "status", "status": 404, "times": 1000}}, "check NVCLIP_BASE_URL, NVCLIP_DIALECT"),
    ],
)
def test_each_problem_of_the_service_is_one_line_with_advice(
    standin: StandIn, with_service: Command, orders: dict[str, Any], advice: str
):
    standin.configure(**orders)
    done = with_service("doctor")
    assert done.code == 1
    assert done.out.splitlines()[0] == "FAIL  embedder       nvidia/nvclip-vit-h-14"
    assert advice in done.out.splitlines()[1]
    assert KEY not in done.out + done.err


def test_an_archive_of_another_embedder_is_a_problem(
    standin: StandIn, on_demo: Command, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MCP_CXR_EMBEDDER", "nvclip")
    done = on_demo("doctor", "--json")
    assert done.code == 1
    wrong = {check["name"]: check["advice"] for check in done.json["checks"] if check["ok"] is False}
    assert wrong.keys() == {"fingerprint"}
    assert on_demo("doctor").out.startswith("-     embedder       nvidia/nvclip-vit-h-14; not checked: ")
    assert wrong["fingerprint"] == "This archive was made with the pixel sketch: set MCP_CXR_EMBEDDER=offline."
