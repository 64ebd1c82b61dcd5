"""The access log: each call writes a line with the caller and the returned ids, and no patient data."""

from __future__ import annotations

import errno
import json
import os
import stat
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client
from mcp_types import CallToolResult

from mcp_cxr.archive import Archive
from mcp_cxr.server import AccessLog, build_server
from tests.server.conftest import Host, host_of
from tests.support.archives import open_memory_archive

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.server.archives import Ingested

SEARCH = "search_medical_images"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "data" / "access.jsonl"


@asynccontextmanager
async def asked(demo: Ingested, access_log: AccessLog) -> AsyncGenerator[Host]:
    server = build_server(
        lambda: open_memory_archive(demo.settings), share=("reports", "images"), access_log=access_log
    )
    async with Client(server) as client:
        yield await host_of(client)


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text(log).splitlines()]


def text(log: Path) -> str:
    return log.read_text()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def full_ones(log: Path) -> list[Path]:
    return sorted(log.parent.glob("access-*.jsonl"))


def put_in_its_place(log: Path, thing: str) -> None:
    """Replace the log with a folder, a link, or nothing."""
    if log.is_dir():
        log.rmdir()
    log.unlink(missing_ok=True)
    if thing == "folder":
        log.mkdir(parents=True)
    if thing == "link":
        log.symlink_to(log.parent / "elsewhere")


async def test_a_call_is_logged_with_its_filters_and_the_returned_ids(demo: Ingested, log: Path):
    async with asked(demo, AccessLog(log)) as host:
        page = await host.ask(SEARCH, query="left effusion of Jane Roe", view=["PA"], limit=2)
        image_id = page["images"][0]["image_id"]
        await host.ask("get_image_metadata", image_id=image_id)
        await host.client.call_tool("view_image", {"image_id": image_id, "max_px": 64})
        await host.ask("get_archive_overview")
        await host.refused("get_image_metadata", image_id="no-such-image")
    found = lines(log)
    assert [(line["tool"], line["outcome"]) for line in found] == [
        (SEARCH, "ok"),
        ("get_image_metadata", "ok"),
        ("view_image", "ok"),
        ("get_archive_overview", "ok"),
        ("get_image_metadata", "refused"),
    ]
    assert found[0]["filters"] == {"limit": 2, "view": ["PA"]}
    assert [line["ids"] for line in found] == [
        [hit["image_id"] for hit in page["images"]],
        [image_id],
        [image_id],
        [],
        [],
    ]
    assert {line["client"] for line in found} == {"stdio"}
    assert all(line["at"].endswith("+00:00") and line["ms"] >= 0 for line in found)
    assert "Roe" not in text(log)


async def test_queries_and_paths_are_logged_only_if_switched_on(demo: Ingested, log: Path, tmp_path: Path):
    calls: list[tuple[str, dict[str, Any]]] = [
        (SEARCH, {"query": "Jane Roe"}),
        ("ingest_directory", {"path": "/images/Jane Roe", "limit": 1}),
        (SEARCH, {"like": ["/images/Jane Roe/a.dcm", "JaneRoe.dcm"]}),
        (SEARCH, {"patient": "Jane Roe"}),
    ]
    for words in (False, True):
        async with asked(demo, AccessLog(log, words=words)) as host:
            for tool, arguments in calls:
                await host.client.call_tool(tool, arguments)
        assert ("Roe" in text(log)) == words
    assert [line.get("words") for line in lines(log)][4:6] == [{"query": "Jane Roe"}, {"path": "/images/Jane Roe"}]
    assert lines(log)[2]["filters"] == {"like": ["(no id)", "(no id)"]}


async def test_no_report_text_is_logged_in_any_mode(demo: Ingested, log: Path):
    async with asked(demo, AccessLog(log, words=True)) as host:
        page = await host.ask(SEARCH, query="effusion", limit=20)
    excerpts = [hit["report_excerpt"] for hit in page["images"] if "report_excerpt" in hit]
    assert excerpts
    assert not any(excerpt in text(log) for excerpt in excerpts)


async def test_the_log_is_private_and_a_full_one_is_renamed_with_its_time(demo: Ingested, log: Path):
    async with asked(demo, AccessLog(log, max_bytes=500)) as host:
        for _ in range(9):
            await host.ask("get_archive_overview")
    assert (mode(log), mode(log.parent)) == (0o600, 0o700)
    old = full_ones(log)
    assert len(old) >= 2
    assert all(mode(file) == 0o600 and len(text(file)) < 1000 for file in old)
    assert sum(len(lines(file)) for file in [*old, log]) == 9


async def test_concurrent_calls_and_servers_write_whole_lines(demo: Ingested, log: Path):
    async def ask(host: Host) -> None:
        for _ in range(5):
            await host.ask(SEARCH, query="effusion")

    async with (
        asked(demo, AccessLog(log, max_bytes=3000)) as one,
        asked(demo, AccessLog(log, max_bytes=3000)) as other,
        anyio.create_task_group() as tasks,
    ):
        for host in (one, other) * 4:
            tasks.start_soon(ask, host)
    assert sum(len(lines(file)) for file in [*full_ones(log), log] if file.exists()) == 40


async def test_servers_that_rotate_the_log_at_once_lose_and_repeat_no_line(log: Path):
    servers = [AccessLog(log, max_bytes=300) for _ in range(2)]

    async def succeed() -> CallToolResult:
        return CallToolResult(content=[])

    async with anyio.create_task_group() as tasks:
        for number in range(400):
            tasks.start_soon(servers[number % 2].record, "view_image", {"image_id": f"image-{number:03}"}, succeed)
    ids = [line["ids"][0] for file in [*full_ones(log), log] if file.exists() for line in lines(file)]
    assert sorted(ids) == [f"image-{number:03}" for number in range(400)]


async def test_a_call_that_cannot_be_logged_is_refused(demo: Ingested, log: Path):
    async with asked(demo, AccessLog(log)) as host:
        for thing in ("folder", "link"):
            put_in_its_place(log, thing)
            line = await host.refused("get_archive_overview")
            assert line.startswith("The access log cannot be written (")
            assert line.endswith("), so the call was refused; free disk space, or set MCP_CXR_ACCESS_LOG=off.")
        put_in_its_place(log, "nothing")
        await host.ask("get_archive_overview")
    assert [file.name for file in log.parent.iterdir()] == ["access.jsonl"]


async def test_a_line_cut_off_by_a_full_disk_does_not_corrupt_the_next(
    demo: Ingested, log: Path, monkeypatch: pytest.MonkeyPatch
):
    write = os.write
    async with asked(demo, AccessLog(log)) as host:
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", lambda file, data: write(file, data[:10]))
            assert os.strerror(errno.ENOSPC) in await host.refused("get_archive_overview")
        await host.ask("get_archive_overview")
    torn, whole = text(log).splitlines()
    assert len(torn) == 10
    assert json.loads(whole)["outcome"] == "ok"


async def test_crashed_and_cancelled_calls_are_logged(demo: Ingested, log: Path, monkeypatch: pytest.MonkeyPatch):
    entered = anyio.Event()

    async def crash(_: Archive) -> None:
        raise RuntimeError("Mrs Jane Roe")

    async def hang(_: Archive) -> None:
        entered.set()
        await anyio.sleep_forever()

    async with asked(demo, AccessLog(log)) as host:
        monkeypatch.setattr(Archive, "overview", crash)
        await host.refused("get_archive_overview")
        monkeypatch.setattr(Archive, "overview", hang)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.client.call_tool, "get_archive_overview", {})
            await entered.wait()
            tasks.cancel_scope.cancel()
    assert [line["outcome"] for line in lines(log)] == ["refused", "cancelled"]
    assert "Roe" not in text(log)
