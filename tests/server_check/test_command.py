"""`mcp-cxr doctor --deep` as a user runs it, and that its file holds no text of a server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_cxr.server_check import CheckRecord, with_differences
from mcp_cxr.stores.iris import IrisConfig, IrisStore
from tests.cli.conftest import at_a_terminal, set_environment
from tests.server_check.conftest import FINGERPRINT
from tests.standins.nvclip import StandIn
from tests.support.iris import plain_server, variables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Command
    from tests.standins.iris import StandIn as IrisStandIn

CANARY = "Canary-Smith-1938"


@pytest.fixture(scope="module")
def started() -> Iterator[StandIn]:
    with StandIn("nim") as standin:
        yield standin


@pytest.fixture
def iris() -> IrisStandIn:
    return plain_server()


@pytest.fixture
def on_servers(
    started: StandIn,
    iris: IrisStandIn,
    on_new: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    """Return a function that runs a command with IRIS and an NV-CLIP service."""
    started.configure(image_size=224, canary="", canary_in_vectors=False)
    set_environment(monkeypatch, {**variables(iris), "MCP_CXR_EMBEDDER": "nvclip", "NVCLIP_BASE_URL": started.base_url})
    return on_new


@pytest.fixture
def archive(iris: IrisStandIn) -> None:
    async def create() -> None:
        config = IrisConfig(host=iris.host, port=iris.port, username=iris.username, password=iris.password)
        async with IrisStore(config) as store:
            await store.create(FINGERPRINT)

    anyio.run(create)


@pytest.mark.usefixtures("archive")
def test_the_last_lines_say_what_differs(on_servers: Command, iris: IrisStandIn, tmp_path: Path):
    iris.configure(explains=False, options={})
    done = on_servers("doctor", "--deep", "--out", tmp_path / "report.json")
    first, *others = done.out.splitlines()
    record = CheckRecord.model_validate_json((tmp_path / "report.json").read_text())
    assert done.code == 1
    assert first == f"{record.as_expected} of {record.expected} answers are as expected"
    assert [line.split("  ")[1].strip() for line in others] == list(record.differences)
    assert "option LockThreshold" in record.differences
    assert "IRIS statements (at most 120 s)" in done.err.splitlines()
    assert done.err.splitlines()[-1].startswith(
        f"{tmp_path / 'report.json'} holds numbers and codes, no text of a server."
    )


@pytest.mark.usefixtures("archive")
def test_servers_as_documented_end_with_success(on_servers: Command, tmp_path: Path):
    done = on_servers("doctor", "--deep", "--json", "--out", tmp_path / "report.json")
    assert (done.code, done.json["differences"]) == (0, [])
    assert done.json == json.loads((tmp_path / "report.json").read_text())
    record = CheckRecord.model_validate_json(done.out)
    assert with_differences(record) == record
    assert record.expected > 100


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize("everywhere", [False, True])
def test_no_text_of_a_server_is_in_the_file(
    on_servers: Command, started: StandIn, iris: IrisStandIn, tmp_path: Path, everywhere: bool
):
    started.configure(canary=CANARY, canary_in_vectors=everywhere)
    version = f"IRIS {CANARY} 2026.1 {CANARY} (Build 235{CANARY})"
    iris.configure(canary=CANARY, canary_in_cells=everywhere, version=version, options={"LockTimeout": CANARY})
    iris.inject_fault("error", code=-99, text=CANARY, times=30, matching="COUNT ( * )")
    done = on_servers("doctor", "--deep", "--out", tmp_path / "report.json")
    text = (tmp_path / "report.json").read_text()
    assert text.isascii()
    for part in (CANARY, "Canary", "Smith", "1938"):
        assert part.casefold() not in (text + done.out + done.err).casefold()
    record = CheckRecord.model_validate_json(text)
    assert record.iris
    assert record.iris.server.version == "2026.1"
    assert 0 < record.as_expected < record.expected


def test_no_text_of_a_server_is_in_the_file_of_a_run_that_writes(iris: IrisStandIn, tmp_path: Path):
    environment = {**variables(iris), "MCP_CXR_EMBEDDER": "offline", "MCP_CXR_DATA_DIR": str(tmp_path)}
    iris.configure(canary=CANARY, grants=["%CREATE_TABLE", "%DROP_TABLE"])
    file = tmp_path / "report.json"
    done = at_a_terminal(["doctor", "--deep", "--write", "--out", str(file)], "yes", environment)
    assert "This writes 23,200 rows of drawn numbers, about 475 MB" in done.stderr
    assert "Not on a production namespace. Type yes to continue" in done.stderr
    assert CANARY not in file.read_text() + done.stdout + done.stderr
    assert CheckRecord.model_validate_json(file.read_text()).iris
    assert iris.tables == {}


def test_without_a_typed_yes_nothing_is_written(on_servers: Command, iris: IrisStandIn, tmp_path: Path):
    assert on_servers("doctor", "--deep", "--write").code == 2
    done = at_a_terminal(["doctor", "--deep", "--write"], "y", {**variables(iris), "MCP_CXR_DATA_DIR": str(tmp_path)})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("Not confirmed; nothing was written.\n")
    assert iris.counters["opened"] == 0


@pytest.mark.parametrize(
    ("setting", "words", "message"),
    [
        ({}, ["--out", "report.json"], "--write and --out need --deep; add it."),
        ({}, ["--write"], "--write and --out need --deep; add it."),
        ({}, ["--deep"], "There is no server to ask: "),
        (
            {},
            ["--deep", "--out", "/none/report.json"],
            "Cannot write /none/report.json (No such file or directory)",
        ),
    ],
)
def test_wrong_use_is_an_error(
    on_new: Command,
    monkeypatch: pytest.MonkeyPatch,
    setting: dict[str, Any],
    words: list[str],
    message: str,
):
    set_environment(monkeypatch, setting)
    done = on_new("doctor", *words)
    assert done.code == 2
    assert message in done.error


def test_servers_that_are_not_there_are_named(on_new: Command, monkeypatch: pytest.MonkeyPatch):
    nowhere = {"MCP_CXR_STORE": "iris", "IRIS_HOST": "127.0.0.1", "IRIS_PORT": "9"}
    set_environment(monkeypatch, {**nowhere, "MCP_CXR_EMBEDDER": "nvclip", "NVCLIP_BASE_URL": "http://127.0.0.1:9/v1"})
    done = on_new("doctor", "--deep")
    assert done.code == 1
    assert done.out.splitlines()[0] == "0 of 2 answers are as expected"
    assert "failed (StoreUnavailable)" in done.out
