"""The index returns the documents that contain a term, after any additions, changes and removals.

Imports private modules: a store rebuilds a wrong index, and would hide what these tests look for.
"""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.stores.embedded.fulltext import _postings
from mcp_cxr.stores.embedded.fulltext._postings import Index, add, remove

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = "lung effusion clear heart left right edema rib".split()


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    monkeypatch.setattr(_postings, "_SIZE", 8)
    with closing(sqlite3.connect(":memory:")) as opened:
        opened.executescript(resources.files("mcp_cxr.stores.embedded.database").joinpath("schema.sql").read_text())
        yield opened


def assert_holds(connection: sqlite3.Connection, documents: dict[int, str]) -> None:
    index = Index(connection)
    for word in WORDS:
        positions, often = index.containing(word)
        found = dict(zip(index.studies[positions].tolist(), often.tolist(), strict=True))
        assert found == {study: n for study, terms in documents.items() if (n := terms.split().count(word))}
    lengths = dict(zip(index.studies.tolist(), index.lengths.tolist(), strict=True))
    lengths.pop(0, None)
    assert lengths == {study: len(terms.split()) for study, terms in documents.items()}


def numbers(connection: sqlite3.Connection, studies: list[int]) -> list[int]:
    return [connection.execute("SELECT number FROM documents WHERE study = ?", (s,)).fetchone()[0] for s in studies]


def test_the_index_equals_a_dict(connection: sqlite3.Connection) -> None:
    draw = random.Random(5)  # noqa: S311  # not for security
    documents: dict[int, str] = {}
    for step in range(120):
        known = draw.sample(sorted(documents), min(len(documents), draw.randint(0, 6)))
        new = [1000 * step + n for n in range(1, draw.randint(1, 12))]
        changed, gone = known[::2], known[1::2] if draw.random() < 0.4 else []
        remove(connection, numbers(connection, changed), numbers(connection, gone))
        for study in gone:
            del documents[study]
        coming = {study: " ".join(draw.choices(WORDS, k=draw.randint(0, 9))) for study in (*new, *changed)}
        add(connection, coming.items())
        documents |= coming
        assert_holds(connection, documents)
    blocks = connection.execute("SELECT count(*) FROM blocks").fetchone()[0]
    assert 1 < blocks <= len(documents) / 4, "a block that is mostly struck out is given up"


def test_no_word_of_a_removed_document_stays(connection: sqlite3.Connection) -> None:
    add(connection, [(study, "lung secret" if study == 3 else "lung") for study in range(1, 30)])
    assert connection.execute("SELECT count(*) FROM postings WHERE term = 'secret'").fetchone() == (1,)
    remove(connection, [], numbers(connection, [3]))
    assert connection.execute("SELECT count(*) FROM postings WHERE term = 'secret'").fetchone() == (0,)
    assert_holds(connection, {study: "lung" for study in range(1, 30) if study != 3})


def test_the_occurrences_of_a_term_do_not_overflow(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_postings, "_BITS", 4)
    monkeypatch.setattr(_postings, "_MAX_OCCURRENCES", 15)
    add(connection, [(study, " ".join(["lung"] * (99 if study == 2 else 1))) for study in range(1, 9)])
    positions, often = Index(connection).containing("lung")
    held = dict(zip(Index(connection).studies[positions].tolist(), often.tolist(), strict=True))
    assert held == {study: 15 if study == 2 else 1 for study in range(1, 9)}
