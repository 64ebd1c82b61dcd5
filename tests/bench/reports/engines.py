"""What is asked: this project's search by words, and two plain full-text searches over the same reports."""

from __future__ import annotations

import importlib
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mcp_cxr.settings import Settings
from tests.bench.search.engines import RIVALS
from tests.support.archives import open_memory_archive
from tests.support.image_files import plain

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from pathlib import Path

    from mcp_cxr.archive import Archive
    from tests.bench.reports.data import Reports

OURS, FTS5, BM25 = "this project", "FTS5", "rank_bm25"
LIMIT = 100
_BM25_PACKAGE = "rank-bm25==0.2.2"
_MATCHED = ("full", "part")


@dataclass(frozen=True)
class Answer:
    """What an engine answers to one question."""

    hits: tuple[str, ...]
    """Ids of the studies that match, best first, `LIMIT` at most."""
    matched: int
    """How many match in all."""


@asynccontextmanager
async def filled_archive(reports: Reports, folder: Path) -> AsyncGenerator[Archive]:
    """Ingest the reports, each with a small image of noise, into an archive in memory."""
    for path in reports.folder.glob("files/*/*/s*.txt"):
        study = folder / "images" / path.relative_to(reports.folder).with_suffix("")
        number = int(path.stem[1:])
        plain(study / f"{'-'.join([f'{number:08x}'] * 5)}.png", number)
        shutil.copy(path, study.with_suffix(".txt"))
    settings = Settings.model_validate({"data_dir": folder / "archive", "embedder": "offline"})
    async with open_memory_archive(settings) as archive:
        summary = await archive.ingest(folder / "images")
        assert summary.added == len(reports.texts), summary
        yield archive


async def ask(archive: Archive, question: str) -> Answer:
    """Return what the archive answers by words alone."""
    page = await archive.search(question, mode="words", limit=LIMIT)
    matched, counts = page.matched_results or 0, page.counts or {}
    if page.understood and not page.understood.findings and page.understood.without:  # the silent lack it too
        return Answer(tuple(hit.study_id for hit in page.images), matched + counts["silent"])
    return Answer(tuple(hit.study_id for hit in page.images if hit.matched in _MATCHED), matched)


class FullText:
    """SQLite FTS5: Porter stems, any word of the question, its own bm25."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._database = sqlite3.connect(":memory:")
        self._database.execute("CREATE VIRTUAL TABLE reports USING fts5(study UNINDEXED, text, tokenize='porter')")
        self._database.executemany("INSERT INTO reports VALUES (?, ?)", texts.items())

    def ask(self, question: str) -> Answer:
        any_word = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", question))
        found = self._database.execute(
            "SELECT study FROM reports WHERE reports MATCH ? ORDER BY bm25(reports), study", (any_word,)
        ).fetchall()
        return Answer(tuple(study for (study,) in found[:LIMIT]), len(found))


class Bm25:
    """`rank_bm25.BM25Okapi` on words in lower case, divided by white space."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._studies = list(texts)
        self._index = _bm25_module().BM25Okapi([text.lower().split() for text in texts.values()])

    def ask(self, question: str) -> Answer:
        scores: np.ndarray = self._index.get_scores(question.lower().split())
        order = [int(place) for place in np.argsort(-scores, kind="stable") if scores[place] > 0]
        return Answer(tuple(self._studies[place] for place in order[:LIMIT]), len(order))


def _bm25_module() -> Any:
    folder = RIVALS / "reports"
    if not (folder / "rank_bm25.py").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        subprocess.run([*command, _BM25_PACKAGE], check=True)
    sys.path.append(str(folder))
    return importlib.import_module("rank_bm25")


def rivals(texts: Mapping[str, str]) -> dict[str, FullText | Bm25]:
    """Return the other engines; one that cannot be installed is left out with a line on stderr."""
    found: dict[str, FullText | Bm25] = {FTS5: FullText(texts)}
    try:
        found[BM25] = Bm25(texts)
    except (subprocess.CalledProcessError, ImportError) as exc:
        print(f"{BM25} is not measured: {exc}", file=sys.stderr)  # noqa: T201  # a bench prints
    return found
