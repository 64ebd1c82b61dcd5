"""The access log takes in no patient data and stays bounded, whatever a host sends."""

from __future__ import annotations

import datetime as dt
import json
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client
from mcp_types import CallToolResult

from mcp_cxr.archive import open_archive
from mcp_cxr.server import AccessLog, build_server
from tests.server.archives import environment, settings
from tests.support.archives import ingested, rows
from tests.support.image_files import mimic

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

SEARCH, FACTS, VIEW = "search_medical_images", "get_image_metadata", "view_image"
MIMIC_ID = "-".join(["00000001"] * 5)
MAX_LINE = 64 * 2**10
HUGE = "Mrs Jane Roe, " * 10_000
DEEP: Any = {"Jane Roe": [{"Jane Roe": ["Roe"] * 5_000}]}

HOSTILE_CALLS: list[tuple[str, dict[str, Any]]] = [
    (SEARCH, {"query": HUGE}),
    (SEARCH, {"query": "effusion", "view": [HUGE]}),
    (SEARCH, {"query": "effusion", "view": ["Jane Roe"]}),
    (SEARCH, {"query": "effusion", "view": DEEP}),
    (SEARCH, {"query": "effusion", "labels": ["Jane Roe"] * 14}),
    (SEARCH, {"query": "effusion", "labels_absent": "Jane Roe"}),
    (SEARCH, {"query": "effusion", "subject_id": "Jane Roe"}),
    (SEARCH, {"query": "effusion", "subject_id": "Roe^Jane"}),
    (SEARCH, {"query": "effusion", "subject_id": "JaneRoe1950"}),
    (SEARCH, {"query": "effusion", "study_id": HUGE}),
    (SEARCH, {"query": "effusion", "study_id": "Roe-1950"}),
    (SEARCH, {"query": "effusion", "split": "Roe"}),
    (SEARCH, {"query": "effusion", "sex": "Jane Roe"}),
    (SEARCH, {"query": "effusion", "date_from": "Jane Roe 1950-03-12"}),
    (SEARCH, {"query": "effusion", "group": "Roe"}),
    (SEARCH, {"query": "effusion", "mode": "Roe"}),
    (SEARCH, {"query": "effusion", "offset": 10**4000}),
    (SEARCH, {"query": "effusion", "like": ["Roe-Jane", "/data/Roe/a.dcm", "JaneRoe.dcm"]}),
    (SEARCH, {"query": "effusion", "unlike": [HUGE] * 5}),
    (SEARCH, {"query": "effusion", "exclude_subject_of": "JaneRoe"}),
    (SEARCH, {"Jane Roe": DEEP, "Roe" * 10_000: 1}),
    (SEARCH, {"query": DEEP}),
    (FACTS, {"image_id": "Jane-Roe-1950"}),
    (FACTS, {"image_id": DEEP}),
    (FACTS, {"image_id": [HUGE] * 5}),
    (VIEW, {"image_id": [MIMIC_ID] * 100, "max_px": 64}),
    (VIEW, {"image_id": ["Roe"] * 10_000}),
    (VIEW, {"image_id": MIMIC_ID, "region": [DEEP] * 4}),
    (VIEW, {"image_id": MIMIC_ID, "region": [HUGE]}),
    (VIEW, {"image_id": MIMIC_ID, "window_center": HUGE}),
    ("get_image_pixels", {"image_id": "Roe" * 80}),
    ("get_image_pixels", {"image_id": MIMIC_ID, "tile": [HUGE, DEEP]}),
    ("ingest_directory", {"path": HUGE}),
    ("ingest_directory", {"path": DEEP, "limit": 10**4000}),
    ("get_archive_overview", {"Jane Roe": HUGE}),
]


@asynccontextmanager
async def asked(tmp_path: Path, access_log: AccessLog) -> AsyncGenerator[Client]:
    data = tmp_path / "archive"
    if not data.exists():
        mimic(tmp_path / "images", 1)
        await ingested(data, tmp_path / "images")
    server = build_server(
        lambda: open_archive(settings(environment(data))), share=("reports", "images"), access_log=access_log
    )
    async with Client(server) as client:
        yield client


def text(path: Path) -> str:
    return path.read_text()


def write(path: Path, content: str) -> None:
    path.write_text(content)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "access.jsonl"


async def test_no_call_writes_a_name_an_object_or_a_long_line(tmp_path: Path, log: Path):
    async with asked(tmp_path, AccessLog(log)) as client:
        for tool, arguments in HOSTILE_CALLS:
            await client.call_tool(tool, arguments)
    written = text(log)
    lines = written.splitlines()
    assert len(lines) == len(HOSTILE_CALLS)
    assert "Roe" not in written
    assert "Jane" not in written
    assert max(map(len, lines)) < MAX_LINE / 4
    for value in (value for line in lines for value in json.loads(line)["filters"].values()):
        assert not any(isinstance(each, dict | list) for each in (value if isinstance(value, list) else [value]))


async def test_with_words_a_line_stays_bounded_and_holds_what_was_valid_alone(tmp_path: Path, log: Path):
    async with asked(tmp_path, AccessLog(log, words=True)) as client:
        for tool, arguments in (
            (SEARCH, {"query": "\U0001fac1" * 2000}),
            (SEARCH, {"query": HUGE}),
            (SEARCH, {"query": DEEP, "Jane Roe": DEEP}),
            ("ingest_directory", {"path": "/\U0001fac1" * 20_000}),
        ):
            await client.call_tool(tool, arguments)
    lines = text(log).splitlines()
    assert max(map(len, lines)) < MAX_LINE
    assert {name for line in lines for name in json.loads(line).get("words", {})} == {"query", "path"}


async def test_valid_filters_and_ids_are_logged(tmp_path: Path, log: Path):
    given: dict[str, Any] = {
        "view": ["frontal"],
        "labels": ["Edema"],
        "subject_id": "P10000001",
        "date_from": "2180-01-01",
        "sex": "F",
        "age_from": 40,
        "has_report": True,
        "like": [MIMIC_ID],
        "limit": 3,
    }
    async with asked(tmp_path, AccessLog(log)) as client:
        await client.call_tool(SEARCH, given)
        await client.call_tool(VIEW, {"image_id": f"p10/p10000001/s50000001/{MIMIC_ID}.dcm", "max_px": 64})
    first, second = map(json.loads, text(log).splitlines())
    assert first["filters"] == given
    assert second["filters"]["image_id"] == MIMIC_ID
    assert second["ids"] == [MIMIC_ID]


async def test_a_kept_id_is_logged_if_the_archive_has_it(tmp_path: Path, log: Path):
    async with asked(tmp_path, AccessLog(log)) as client:
        rows(tmp_path / "archive", "UPDATE images SET image_id = 'PACS-00017'")
        for image_id in ("PACS-00017", "PACS-00018"):
            await client.call_tool(FACTS, {"image_id": image_id})
    found, refused = map(json.loads, text(log).splitlines())
    assert (found["filters"]["image_id"], found["ids"]) == ("PACS-00017", ["PACS-00017"])
    assert (refused["filters"]["image_id"], refused["ids"]) == ("(no id)", [])


async def succeed() -> CallToolResult:
    return CallToolResult(content=[])


def rotated(log: Path, *, renamed: dt.datetime, written: dt.datetime) -> Path:
    """Return a full file of the log with these times."""
    path = log.with_name(f"access-{renamed:%Y%m%dT%H%M%S.%fZ}-0123abcd.jsonl")
    path.write_text("{}\n")
    os.utime(path, (written.timestamp(), written.timestamp()))
    return path


DAY = dt.timedelta(days=1)
NOW = dt.datetime.now(dt.UTC)


@pytest.mark.parametrize(
    ("renamed", "written", "is_kept"),
    [
        (NOW - 366 * DAY, NOW - 366 * DAY, False),
        (NOW - 4000 * DAY, NOW - 4000 * DAY, False),
        (NOW - 366 * DAY, NOW, False),
        (NOW - DAY, NOW - 366 * DAY, False),
        (NOW - 364 * DAY, NOW - 364 * DAY, True),
        (NOW - DAY, NOW, True),
        (NOW, NOW + 900 * DAY, True),
    ],
)
async def test_full_files_are_removed_a_year_after_their_last_line(
    log: Path, renamed: dt.datetime, written: dt.datetime, is_kept: bool
):
    old = rotated(log, renamed=renamed, written=written)
    await AccessLog(log).record("get_archive_overview", {}, succeed)
    assert old.exists() == is_kept


async def test_full_files_are_removed_when_the_log_is_renamed_too(log: Path):
    access_log = AccessLog(log, max_bytes=1)
    await access_log.record("get_archive_overview", {}, succeed)
    old = rotated(log, renamed=NOW - 400 * DAY, written=NOW - 400 * DAY)
    await access_log.record("get_archive_overview", {}, succeed)
    assert not old.exists()


@pytest.mark.parametrize(
    "name", ["access-2020.jsonl", "access-20200101T000000.000000Z-0123abcd.jsonl.gz", "notes.jsonl", "access.jsonl.bak"]
)
async def test_other_old_files_are_never_removed(log: Path, name: str):
    other = log.with_name(name)
    write(other, "mine")
    os.utime(other, (0, 0))
    await AccessLog(log).record("get_archive_overview", {}, succeed)
    assert other.exists()


async def test_a_link_among_old_files_is_not_followed(log: Path, tmp_path: Path):
    target = tmp_path / "target"
    write(target, "mine")
    os.utime(target, (0, 0))
    link = log.with_name("access-20200101T000000.000000Z-0123abcd.jsonl")
    link.symlink_to(target)
    await AccessLog(log).record("get_archive_overview", {}, succeed)
    assert target.exists()


async def test_a_log_whose_first_line_is_a_month_old_is_renamed(log: Path):
    for days, files in ((30, 0), (32, 1)):
        write(log, json.dumps({"at": (NOW - days * DAY).isoformat()}, separators=(",", ":")) + "\n")
        await AccessLog(log).record("get_archive_overview", {}, succeed)
        assert len(list(log.parent.glob("access-*.jsonl"))) == files
    assert len(text(log).splitlines()) == 1


@pytest.mark.parametrize("first", ["", "{}\n", '{"at":"2020-99-99T', "torn", "\0" * 100])
async def test_a_log_with_an_unreadable_first_line_is_written_on(log: Path, first: str):
    write(log, first)
    await AccessLog(log).record("get_archive_overview", {}, succeed)
    assert json.loads(text(log).splitlines()[-1])["outcome"] == "ok"
