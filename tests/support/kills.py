"""Rounds in which a process that writes an archive is killed, while another one reads it and deletes its int8 copy.

An image has versions; its study id names the version, so that a hit shows which vector it was ranked by. The writer
prints each step before it begins and after it returned: steps printed as done must be stored, and the last step
entirely or not at all. Not at all may become entirely until the next write: SQLite adds a commit to its log before it
adds it to the index of the log, and recovers the index from the log when all connections were closed meanwhile
(measured: the log of a killed writer had 896 valid frames, its index 832; 1 round in some 1,400).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import numpy as np

from mcp_cxr.records import Filter, Fingerprint, ImageId, ImageRecord, StudyId, SubjectId
from tests.support.archive_locations import archive_location

if TYPE_CHECKING:
    from mcp_cxr.records import RankedImage
    from mcp_cxr.stores import Store
    from tests.support.archive_locations import ArchiveLocation

CHECKOUT = Path(__file__).parents[2]
BATCH = 64
_SUBJECTS = 20  # per batch
_LIMIT = 10


@dataclass(frozen=True)
class Step:
    """Write a batch of images in some version, or forget a subject."""

    kind: str
    batch: int
    version: int

    def line(self) -> str:
        return f"{self.kind} {self.batch} {self.version}"

    @classmethod
    def of(cls, line: str) -> Step:
        kind, batch, version = line.split()
        return cls(kind, int(batch), int(version))


@dataclass
class Model:
    """The version of each image that the archive should hold."""

    versions: dict[str, int] = field(default_factory=dict)

    def after(self, step: Step) -> Model:
        versions = dict(self.versions)
        for name in names(step.batch):
            if step.kind == "put":
                versions[name] = step.version
            elif subject_of(name) == f"p{step.batch}-{step.version}":
                versions.pop(name, None)
        return Model(versions)


def names(batch: int) -> list[str]:
    return [f"b{batch}-{n:02d}" for n in range(BATCH)]


def subject_of(name: str) -> str:
    batch, number = name[1:].split("-")
    return f"p{batch}-{int(number) % _SUBJECTS}"


def vector_of(name: str, version: int, dimension: int) -> np.ndarray:
    """Return the vector of an image; those of one batch are similar."""
    batch, number = map(int, name[1:].split("-"))
    center = np.random.default_rng(batch % 5).normal(size=dimension)
    rest = np.random.default_rng([batch, number, version]).normal(size=dimension)
    vector = center + 0.3 * rest
    return (vector / np.linalg.norm(vector)).astype(np.float32)


async def perform(store: Store, step: Step, dimension: int) -> None:
    if step.kind == "forget":
        await store.forget(Filter(subject_id=SubjectId(f"p{step.batch}-{step.version}")))
        return
    images = [
        ImageRecord(
            ImageId(name),
            StudyId(f"{name}v{step.version}"),
            SubjectId(subject_of(name)),
            "PA",
            "ViewPosition",
            name,
            "/",
        )
        for name in names(step.batch)
    ]
    await store.put(images, np.stack([vector_of(name, step.version, dimension) for name in names(step.batch)]))


async def write(place: ArchiveLocation, dimension: int, first_batch: int, seed: int) -> None:
    """Write until killed: mostly new batches; some batches are replaced, some subjects forgotten."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    batch = first_batch
    async with place.store() as store:
        while True:
            what = rng.random()
            if what < 0.15 and batch:
                step = Step("forget", rng.randrange(batch), rng.randrange(_SUBJECTS))
            elif what < 0.35 and batch:
                step = Step("put", rng.randrange(batch), rng.randrange(1, 1_000_000))
            else:
                step, batch = Step("put", batch, 0), batch + 1
            print("begin", step.line(), flush=True)  # noqa: T201 - to the parent
            await perform(store, step, dimension)
            print("done", step.line(), flush=True)  # noqa: T201  # the parent reads it


async def read(place: ArchiveLocation, dimension: int, seed: int) -> None:
    """Search until killed, and sometimes delete the int8 copy; fail at the first wrong hit."""
    rng = np.random.default_rng(seed)
    async with place.store() as store:
        searches = 0
        while True:
            query = vector_of(f"b{rng.integers(50)}-00", int(rng.integers(9)), dimension)
            check_hits(await store.nearest(query, Filter(), limit=_LIMIT), query, place)
            if rng.random() < 0.1:
                place.delete_copy()
            searches += 1
            print("searches", searches, flush=True)  # noqa: T201  # the parent reads it


def check_hits(hits: list[RankedImage], query: np.ndarray, place: ArchiveLocation) -> None:
    """Check that hits are distinct and in order, each with the cosine of the version it was ranked by."""
    assert len({hit.image_id for hit in hits}) == len(hits) == _LIMIT
    assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.image_id))
    for hit in hits:
        name, version = hit.study_id.split("v")
        assert name == hit.image_id
        expected = cosines(vector_of(name, int(version), query.size)[None, :], query)[0]
        assert abs(hit.score - expected) <= place.tolerance


def cosines(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    return np.clip(np.vecdot(vectors, query), -1, 1)


class Rounds:
    """Kills one writer after another, and checks the archive after each."""

    def __init__(self, place: ArchiveLocation, *, dimension: int, seed: int) -> None:
        self.place = place
        self.dimension = dimension
        self.rng = random.Random(seed)  # noqa: S311  # no secret
        self.model = Model()
        self.late: Model | None = None
        """The versions if the last step of the writer before took effect after the check."""
        self.steps = 0
        self.batches = 0

    async def begin(self) -> None:
        """Create an archive with some batches."""
        async with self.place.store() as store:
            await store.create(Fingerprint("rounds", self.dimension, "1"))
            for batch in range(self.place.batches):
                await perform(store, Step("put", batch, 0), self.dimension)
                self.model = self.model.after(Step("put", batch, 0))
        self.batches = self.place.batches

    async def run(self, reader: subprocess.Popen[str]) -> None:
        """Start a writer, kill it after a while, and check the archive."""
        seed = self.rng.randrange(2**30)
        with start("write", self.place.description, self.dimension, self.batches, seed) as writer:
            unfinished = self._follow(writer)
            assert writer.wait() == -signal.SIGKILL, "the writer failed by itself"
        self.place.wait_for_rollback()
        async with self.place.store() as store:
            page = [item async for item in walk(store)]
            held = Model({item.image.image_id: int(item.image.study_id.split("v")[1]) for item in page})
            assert len(held.versions) == len(page), "duplicated"
            known = [self.model, self.late] if self.late else [self.model]
            possible = [*known, *(one.after(unfinished) for one in known if unfinished)]
            assert held in possible, "lost, or half written"
            self.model = held
            self.late = held.after(unfinished) if unfinished and self.place.commits_late else None
            for item in page:
                expected = vector_of(item.image.image_id, held.versions[item.image.image_id], self.dimension)
                assert item.vector is not None
                np.testing.assert_array_equal(item.vector, expected)
            await self._check_results(store)
        self.place.assert_consistent()
        assert reader.poll() is None, "the reader got a wrong hit"

    def _follow(self, writer: subprocess.Popen[str]) -> Step | None:
        """Follow the writer's steps, kill it at a random moment, and return the step that it did not finish."""
        unfinished: Step | None = None
        until = self.rng.randrange(2, 30)
        killed = False
        assert writer.stdout
        for count, line in enumerate(writer.stdout):
            if not line.endswith("\n"):
                break
            word, _, rest = line.strip().partition(" ")
            step = Step.of(rest)
            self.batches = max(self.batches, step.batch + 1)
            if word == "begin":
                unfinished = step
            else:
                self.model, unfinished = self.model.after(step), None
                self.late = self.late and self.late.after(step)
                self.steps += 1
            if count >= until and not killed:
                self._kill_soon(writer)
                killed = True
        return unfinished

    def _kill_soon(self, writer: subprocess.Popen[str]) -> None:
        try:
            writer.wait(timeout=self.rng.uniform(0, 0.05))
        except subprocess.TimeoutExpired:
            writer.kill()

    async def _check_results(self, store: Store) -> None:
        held = sorted(self.model.versions)
        matrix = np.stack([vector_of(name, self.model.versions[name], self.dimension) for name in held])
        for _ in range(3):
            query = vector_of(f"b{self.rng.randrange(50)}-00", self.rng.randrange(9), self.dimension)
            hits = await store.nearest(query, Filter(), limit=_LIMIT)
            score_of = dict(zip(held, cosines(matrix, query), strict=True))
            found = [score_of[hit.image_id] for hit in hits]
            np.testing.assert_allclose(found, sorted(score_of.values())[: -_LIMIT - 1 : -1], self.place.tolerance)


async def walk(store: Store):
    after = None
    while page := await store.images_after(after, limit=1000):
        after = page[-1].image.image_id
        for item in page:
            yield item


class start:  # noqa: N801 - reads as a function
    """A process that runs `write` or `read` of this module; killed on exit."""

    def __init__(self, what: str, *arguments: object) -> None:
        command = [sys.executable, "-m", "tests.support.kills", what, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT, env={**os.environ})

    def __enter__(self) -> subprocess.Popen[str]:
        return self.process

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


async def kill_rounds(place: ArchiveLocation, *, rounds: int, dimension: int, seed: int) -> dict[str, int]:
    """Run the rounds; return counts of what was done.

    Raises:
        AssertionError: Something was lost, duplicated, half written or wrong.
    """
    all_rounds = Rounds(place, dimension=dimension, seed=seed)
    await all_rounds.begin()
    with start("read", place.description, dimension, seed) as reader:
        assert reader.stdout
        assert reader.stdout.readline() == "searches 1\n"
        output = ReaderOutput(reader)
        for _ in range(rounds):
            await all_rounds.run(reader)
        reader.kill()
        searches = output.count()
    return {"rounds": rounds, "steps": all_rounds.steps, "images": len(all_rounds.model.versions), "searches": searches}


class ReaderOutput:
    """Reads the output of the reader, so that its pipe never fills."""

    def __init__(self, reader: subprocess.Popen[str]) -> None:
        from threading import Thread

        self._last = 1
        self._thread = Thread(target=self._follow, args=(reader,))
        self._thread.start()

    def _follow(self, reader: subprocess.Popen[str]) -> None:
        assert reader.stdout
        for line in reader.stdout:
            if line.endswith("\n"):
                self._last = int(line.split()[1])

    def count(self) -> int:
        self._thread.join()
        return self._last


if __name__ == "__main__":
    kind, where, *numbers = sys.argv[1:]
    if kind == "write":
        size, first, drawn = map(int, numbers)
        anyio.run(write, archive_location(where), size, first, drawn)
    else:
        size, drawn = map(int, numbers)
        anyio.run(read, archive_location(where), size, drawn)
