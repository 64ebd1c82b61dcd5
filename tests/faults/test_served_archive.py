"""Faults below a served archive are reported to host and user, and the program recovers."""

from __future__ import annotations

import ctypes
import itertools
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
from mcp import Client

from mcp_cxr.archive import open_archive
from mcp_cxr.errors import StoreUnavailable
from mcp_cxr.records import Filter
from mcp_cxr.server import AccessLog, build_server
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.stores.embedded.tables import images
from tests.server.archives import Ingested, environment, ingested, settings, write_small_images
from tests.server.conftest import Host, host_of
from tests.soak.processes import held
from tests.support.archives import DATABASE, contents, rows
from tests.support.image_files import dicom

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from pathlib import Path

SEARCH = "search_medical_images"
IMAGES = 40
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    return ingested(tmp_path_factory.getbasetemp() / "demo")


@pytest.fixture
def data(demo: Ingested, tmp_path: Path) -> Path:
    return demo.copied_to(tmp_path / "data").data_dir


@asynccontextmanager
async def served(data: Path, *, roots: Path | None = None, access_log: AccessLog | None = None) -> AsyncGenerator[Host]:
    opened = settings(environment(data, roots=roots))
    async with Client(build_server(lambda: open_archive(opened), access_log=access_log)) as client:
        yield await host_of(client)


def run(data: Path, *arguments: str, within: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in a child process, after `within` was called there."""
    command = [sys.executable, "-m", "mcp_cxr", *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environment(data),
        preexec_fn=within,
        check=False,
    )


async def test_a_corrupt_database_is_reported_and_not_changed(data: Path):
    (data / DATABASE).write_bytes(b"rubbish " * 10_000)
    async with served(data) as host:
        for tool in ("get_archive_overview", SEARCH):
            line = await host.refused(tool, **({"query": "edema"} if tool == SEARCH else {}))
            assert line == (
                "The archive is damaged or not a database. Restore a backup, or remove it and ingest again."
            )
    assert (data / DATABASE).read_bytes() == b"rubbish " * 10_000


async def test_a_database_that_replaces_the_served_one_is_used_from_then_on(data: Path, tmp_path: Path):
    shutil.copy(data / DATABASE, tmp_path / "backup")
    rows(data, "DELETE FROM images WHERE study_id <> (SELECT min(study_id) FROM images)")
    async with served(data) as host:
        assert (await host.ask("get_archive_overview"))["studies"] == 1
        move(tmp_path / "backup", data / DATABASE)
        assert (await host.ask("get_archive_overview"))["studies"] == 12


async def test_a_data_folder_that_vanishes_while_serving_is_reported(data: Path):
    async with served(data) as host:
        await host.ask("get_archive_overview")
        move(data, data.with_name("moved"))
        empty = await host.ask("get_archive_overview")
        assert (empty["images"], empty["store"]["schema_version"]) == (0, None)
        assert empty["next"].startswith("Nothing has been stored in this archive yet.")
        line = await host.refused("search_medical_images", query="effusion")
        assert line == "Nothing has been stored in the archive yet. Run `mcp-cxr ingest PATH`."
        move(data.with_name("moved"), data)
        assert (await host.ask("get_archive_overview"))["studies"] == 12


def move(path: Path, to: Path) -> None:
    path.rename(to)


async def test_a_store_locked_by_a_writer_is_read_and_an_ingest_says_to_wait(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mcp_cxr.archive._open.EmbeddedStore", partial(EmbeddedStore, busy_timeout_s=0.5))
    write_small_images(tmp_path / "images", 1)
    with closing(sqlite3.connect(data / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with served(data, roots=tmp_path) as host:
            assert (await host.ask(SEARCH, query="effusion"))["results_count"] == 5
            line = await host.refused("ingest_directory", path=str(tmp_path / "images"))
            assert "locked by another program that writes to it. Try again when that program has finished." in line
            other.execute("ROLLBACK")
            assert (await host.ask("ingest_directory", path=str(tmp_path / "images")))["added"] == 1


def limit_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))


def test_a_full_disk_during_ingest_is_one_line_and_the_next_run_finishes(tmp_path: Path):
    """Limit files to 500 kB, so that SQLite's writes fail beyond."""
    images, data = tmp_path / "images", tmp_path / "data"
    write_small_images(images, IMAGES)
    full = run(data, "ingest", str(images), "--batch-size", "4", within=limit_file_size)
    assert full.returncode == 1, full.stderr
    line = full.stderr.splitlines()[-1]
    assert line.startswith("Error: ")
    assert "Check the disk it is on." in line or "Free some, then do the same again" in line
    assert "Traceback" not in full.stderr
    assert 0 < len(contents(data)["images"]) < IMAGES
    assert run(data, "ingest", str(images)).returncode == 0
    assert run(data, "table", "verify").returncode == 0
    assert len(contents(data)["images"]) == IMAGES


def without_privileges() -> None:
    """Drop root's privileges, so that file modes apply."""
    if os.geteuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


@contextmanager
def read_only(data: Path) -> Generator[None]:
    for path in (*data.iterdir(), data):
        path.chmod(0o555)
    try:
        yield
    finally:
        data.chmod(0o755)


def last_lines(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.splitlines()[-1] if done.stderr else ""


@pytest.mark.parametrize("is_held", [False, True])
def test_an_archive_in_a_read_only_folder_is_read(data: Path, is_held: bool):
    """Also while another process has it open: then SQLite's log and shared memory lie beside it."""
    image_id = rows(data, "SELECT min(image_id) FROM images")[0][0]
    with closing(sqlite3.connect(data / DATABASE, isolation_level=None)) as other:
        if is_held:
            other.execute("UPDATE images SET view_position = view_position")
        with read_only(data):
            for command in (["search", "effusion"], ["table", "stats"], ["show", image_id]):
                done = run(data, *command, within=without_privileges)
                assert done.returncode == 0, done
                assert (image_id if command[0] == "show" else "Patient") in done.stdout


def test_an_ingest_into_a_read_only_folder_is_one_line(data: Path, tmp_path: Path):
    images = tmp_path / "images"
    write_small_images(images, 1)
    before = (data / DATABASE).read_bytes()
    with read_only(data):
        done = run(data, "ingest", str(images), within=without_privileges)
    assert done.returncode == 1
    assert "cannot be written. Check the permissions of the file and its folder." in last_lines(done)
    assert "Traceback" not in done.stderr
    assert (data / DATABASE).read_bytes() == before


def test_a_read_only_copy_of_an_archive_being_written_says_where_its_last_changes_are(data: Path, tmp_path: Path):
    copy = tmp_path / "copy"
    with closing(sqlite3.connect(data / DATABASE, isolation_level=None)) as other:
        other.execute("UPDATE images SET view_position = view_position")
        shutil.copytree(data, copy, ignore=shutil.ignore_patterns("*-shm"))
    with read_only(copy):
        done = run(copy, "table", "stats", within=without_privileges)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "its last changes are still in archive.sqlite3-wal. Run `mcp-cxr table stats` once" in last_lines(done)
    assert run(copy, "table", "stats").returncode == 0
    with read_only(copy):
        assert run(copy, "table", "stats", within=without_privileges).returncode == 0


async def test_a_read_only_archive_that_changes_while_it_is_read_says_so(data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    async with EmbeddedStore(data) as store:
        assert await store.count(Filter()) > 0
        monkeypatch.setattr(images, "known_ids", lambda *_: os.utime(data / DATABASE, (10**9, 10**9)))
        with pytest.raises(StoreUnavailable, match="was changed by another program while it was read"):
            await store.known_ids([])
        assert await store.count(Filter()) > 0


async def test_a_lost_key_is_reported_to_the_host_and_not_replaced(tmp_path: Path):
    images, data = tmp_path / "images", tmp_path / "data"
    dicom(images / "a.dcm", 1)
    async with served(data, roots=tmp_path) as host:
        assert (await host.ask("ingest_directory", path=str(images)))["added"] == 1
        (data / "id.key").unlink()
    dicom(images / "b.dcm", 2)
    async with served(data, roots=tmp_path) as host:
        assert "restore it from a backup" in await host.refused("ingest_directory", path=str(images))
        assert not (data / "id.key").exists()
        assert (await host.ask("get_archive_overview"))["images"] == 1


async def test_a_clock_that_jumps_changes_no_result_and_loses_no_line(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_small_images(tmp_path / "images", 3)
    log = tmp_path / "access.jsonl"
    jumps = itertools.cycle([0, 400 * 86_400, -400 * 86_400, 10**9, -(10**9)])
    real = time.time
    monkeypatch.setattr(time, "time", lambda: max(0.0, real() + next(jumps)))
    async with served(data, roots=tmp_path, access_log=AccessLog(log)) as host:
        before = await host.ask(SEARCH, query="effusion")
        summary = await host.ask("ingest_directory", path=str(tmp_path / "images"))
        after = await host.ask(SEARCH, query="effusion")
    assert (summary["added"], summary["remaining"]) == (3, 0)
    assert summary["seconds"] >= 0
    assert [hit["image_id"] for hit in before["images"]] == [hit["image_id"] for hit in after["images"]]
    assert len(log.read_text().splitlines()) == 3


def test_a_file_with_an_earlier_time_counts_as_changed(tmp_path: Path):
    """The changed file has an earlier mtime; a comparison by age would skip it."""
    images, data = tmp_path / "images", tmp_path / "data"
    image = dicom(images / "a.dcm", 1)
    assert run(data, "ingest", str(images)).returncode == 0
    before = contents(data)["images"]
    dicom(image, 1, StudyDescription="changed")
    os.utime(image, (10**9, 10**9))
    assert run(data, "ingest", str(images)).returncode == 0
    assert contents(data)["images"] != before


async def test_sessions_leak_no_threads_descriptors_or_processes(demo: Ingested, tmp_path: Path):
    """After many sessions there are as many threads, descriptors and processes as after a few."""

    async def once() -> tuple[int, int, int]:
        async with served(demo.data_dir, access_log=AccessLog(tmp_path / "access.jsonl")) as host:
            page = await host.ask(SEARCH, query="effusion")
            await host.ask("get_image_metadata", image_id=page["images"][0]["image_id"])
            await host.refused("get_image_metadata", image_id="none")
        now = held(os.getpid())
        return threading.active_count(), len(os.listdir("/proc/self/fd")), now.processes  # noqa: PTH208 - of this very moment

    settled = [await once() for _ in range(3)][-1]
    after = [await once() for _ in range(10)][-1]
    assert after <= settled
