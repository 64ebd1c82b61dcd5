"""Several processes use one archive, and any may be killed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import to_thread

from mcp_cxr.errors import StoreMissing
from mcp_cxr.records import Filter, ImageId
from mcp_cxr.stores import EmbeddedStore
from tests.contract.stores.making import FINGERPRINT, axis, ids, image, vectors

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parents[2]

# Prints "ready", waits for a line, then creates the archive and writes 10 batches of its own and of shared images.
WRITER = """
import sys, anyio
from pathlib import Path
from mcp_cxr.stores import EmbeddedStore
from tests.contract.stores.making import FINGERPRINT, image, vectors

async def write(folder, name):
    async with EmbeddedStore(folder) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        print(await store.create(FINGERPRINT), flush=True)
        for batch in range(10):
            own = [image(f"{name}-{batch}-{n}", f"s{name}", f"p{name}") for n in range(5)]
            shared = [image(f"shared-{n}", f"s{name}", f"p{name}") for n in range(3)]
            await store.put(own + shared, vectors(8, seed=batch))

anyio.run(write, Path(sys.argv[1]), sys.argv[2])
"""

# Puts two images, and stops when all rows are written and nothing is committed.
HALFWAY = """
import sys, anyio
from pathlib import Path
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.stores.embedded.tables import images
from tests.contract.stores.making import image, vectors

reindex = images.reindex

def stop(connection, studies):
    reindex(connection, studies)
    print("halfway", flush=True)
    sys.stdin.readline()

async def put(folder):
    async with EmbeddedStore(folder) as store:
        await store.put([image("b")], vectors(1))
        print("done", flush=True)
        sys.stdin.readline()
        images.reindex = stop
        await store.put([image("a", "s2"), image("c", "s3")], vectors(2))

anyio.run(put, Path(sys.argv[1]))
"""

# For each line of a statement on the store, runs it.
CHANGER = """
import sys, anyio
from pathlib import Path
from mcp_cxr.records import Filter, ImageId, Study, StudyId, SubjectId
from mcp_cxr.stores import EmbeddedStore
from tests.contract.stores.making import axis, image

async def change(folder):
    async with EmbeddedStore(folder) as store:
        for line in sys.stdin:
            await eval(line)
            print("done", flush=True)

anyio.run(change, Path(sys.argv[1]))
"""


class Child:
    """A process that prints a line when it reaches a point."""

    def __init__(self, script: str, *arguments: object) -> None:
        command = [sys.executable, "-c", script, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)

    async def line(self) -> str:
        assert self.process.stdout
        return (await to_thread.run_sync(self.process.stdout.readline)).strip()

    def go_on(self, line: str = "") -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    async def ended(self) -> int:
        return await to_thread.run_sync(self.process.wait)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def children() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(children: ExitStack, script: str, *arguments: object) -> Child:
    child = Child(script, *arguments)
    children.callback(child.kill)
    return child


async def read_until(ended: anyio.Event, store: EmbeddedStore) -> None:
    """Read repeatedly, and check that each state is complete."""
    while not ended.is_set():
        try:
            page = await store.images_after(None, limit=999)
        except StoreMissing:
            await anyio.lowlevel.checkpoint()
            continue
        found = await store.match(["pa"], Filter(), limit=999)
        assert all(item.vector is not None and item.study.subject_id for item in page)
        assert (len(page) - 3) % 5 == 0 or not page
        assert len(found) >= len(page)


async def test_four_processes_write_one_archive_without_loss_or_duplicates(tmp_path: Path, children: ExitStack) -> None:
    names = "wxyz"
    writers = [start(children, WRITER, tmp_path, name) for name in names]
    ended = anyio.Event()
    with anyio.fail_after(25):
        async with EmbeddedStore(tmp_path) as store, anyio.create_task_group() as tasks:
            assert [await writer.line() for writer in writers] == ["ready"] * 4
            tasks.start_soon(read_until, ended, store)
            for writer in writers:
                writer.go_on()
            assert sorted([await writer.line() for writer in writers]) == ["False", "False", "False", "True"]
            assert [await writer.ended() for writer in writers] == [0] * 4
            ended.set()
        async with EmbeddedStore(tmp_path) as store:
            own = {f"{name}-{batch}-{n}" for name in names for batch in range(10) for n in range(5)}
            expected = own | {f"shared-{n}" for n in range(3)}
            assert {item.image.image_id for item in await store.images_after(None, limit=999)} == expected
            assert set(ids(await store.match(["pa"], Filter(), limit=999))) == expected
            assert len(await store.nearest(axis(), Filter(), limit=999)) == len(expected)


async def test_a_process_killed_while_it_writes_leaves_all_or_nothing(tmp_path: Path, children: ExitStack) -> None:
    async with EmbeddedStore(tmp_path) as store:
        await store.create(FINGERPRINT)
        await store.put([image("a", "s1")], vectors(1))
        with anyio.fail_after(20):
            child = start(children, HALFWAY, tmp_path)
            assert await child.line() == "done"
            child.go_on()
            assert await child.line() == "halfway"
            child.kill()
        everything = {item.image.image_id: item.image.study_id for item in await store.images_after(None, limit=9)}
        assert everything == {"a": "s1", "b": "s1"}
        assert ids(await store.match(["pa"], Filter(), limit=9)) == ["a", "b"]
        await store.put([image("c", "s3")], vectors(1))
        assert await store.known_ids([ImageId("c")]) == {"c"}


async def test_an_equal_question_is_answered_from_what_another_process_wrote(
    tmp_path: Path, children: ExitStack
) -> None:
    async with EmbeddedStore(tmp_path) as store:
        await store.create(FINGERPRINT)
        await store.put([image("a"), image("b", "s2")], vectors(2))
        other = start(children, CHANGER, tmp_path)

        async def both_answers_after(statement: str) -> tuple[list[str], list[str]]:
            other.go_on(statement)
            assert await other.line() == "done"
            by_vector = await store.nearest(axis(), Filter(), limit=9)
            by_words = await store.match(["effus"], Filter(), limit=9)
            return ids(by_vector)[:1], ids(by_words)

        for limit in (1, 9):
            assert len(await store.nearest(axis(), Filter(), limit=limit)) == min(limit, 2)
        assert await store.match(["effus"], Filter(), limit=9) == []
        study = "Study(StudyId('s2'), SubjectId('p1'), report='Effusion.')"
        assert (await both_answers_after(f"store.put_studies([{study}])"))[1] == ["b"]
        assert (await both_answers_after("store.put([image('best')], axis()[None, :])")) == (["best"], ["b"])
        first, words = await both_answers_after("store.forget(Filter(image_id=ImageId('best')))")
        assert (first != ["best"], words) == (True, ["b"])
        assert (await both_answers_after("store.forget(Filter(study_id=StudyId('s2')))")) == (["a"], [])


async def test_nothing_of_forgotten_images_is_kept_in_memory(tmp_path: Path) -> None:
    async with EmbeddedStore(tmp_path) as store:
        await store.create(FINGERPRINT)
        await store.put([image("a"), image("b", "s2")], vectors(2))
        await store.nearest(axis(), Filter(), limit=9)
        await store.match(["effusion"], Filter(), limit=9)
        await store.reference_sample()
        await store.forget(Filter(image_id=ImageId("a")))
        kept = (store._results, store._mask_cache, store._score_cache, store._rankings)
        assert [len(one._cached) for one in kept] == [0, 0, 0, 0]


async def test_a_restored_backup_with_as_many_changes_is_not_mistaken_for_the_archive(tmp_path: Path) -> None:
    archive, backup = tmp_path / "archive.sqlite3", tmp_path / "backup"
    async with EmbeddedStore(tmp_path) as store, EmbeddedStore(tmp_path) as other:
        await store.create(FINGERPRINT)
        with closing(sqlite3.connect(backup)) as target, closing(sqlite3.connect(archive)) as source:
            source.backup(target)
        await store.put([image("lost")], vectors(1))
        assert ids(await store.nearest(axis(), Filter(), limit=9)) == ["lost"]
        await other.__aexit__(None, None, None)
        backup.replace(archive)
        for ending in ("-wal", "-shm"):
            archive.with_name(archive.name + ending).unlink(missing_ok=True)
        await other.put([image("new")], vectors(1))
        assert ids(await store.nearest(axis(), Filter(), limit=9)) == ["new"]
