"""The words index: which documents hold a term, and how often.

Documents are numbered as they come. A thousand of them are a block, which is written once, when it is full: the study
and the length of each, and for each of its terms a row with the places of those that hold it. Documents behind the last
full block are few, and read as they are. So a word of 200,000 reports is 200 rows to read, a document is written once
more and no row is ever merged with another, and all of it belongs to SQLite's transactions. A document that changes
gets a new number; in its block it is struck out. One that goes takes its block with it, whose other documents come
anew: no word of it stays.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from sqlite3 import Connection

    from numpy.typing import NDArray

    Places = NDArray[np.int64]

_SIZE = 1024
"""Documents of a block."""
_BITS = 20  # of a packed number for how often; the others for the place in the block
_MOST = 2**_BITS - 1  # a term that stands there more often counts as if it did not
_CELL = np.dtype("<u4")
_ROWS = 2**32
"""Numbers of rows that a block has for itself."""

_ADD = "INSERT INTO documents (study, terms) VALUES (?, ?)"
_LAST = "SELECT coalesce(max(number), 0) FROM documents"
_NEXT_BLOCK = "SELECT coalesce(max(number) + 1, 0) FROM blocks"
_IN_BLOCK = "SELECT number, study, terms FROM documents WHERE number BETWEEN ? AND ? ORDER BY number"
_ADD_BLOCK = "INSERT INTO blocks (number, studies, lengths) VALUES (?, ?, ?)"
_ADD_TERM = "INSERT INTO postings (number, term, block, packed) VALUES (?, ?, ?, ?)"

_REMOVE = "DELETE FROM documents WHERE number = ?"
_BLOCK = "SELECT studies, lengths FROM blocks WHERE number = ?"
_CHANGE_BLOCK = "UPDATE blocks SET studies = ?, lengths = ? WHERE number = ?"
_REMOVE_BLOCK = "DELETE FROM blocks WHERE number = ?"
_REMOVE_TERMS = "DELETE FROM postings WHERE number BETWEEN ? AND ?"
_REMOVE_RANGE = "DELETE FROM documents WHERE number BETWEEN ? AND ?"

_BLOCKS = "SELECT number, studies, lengths FROM blocks ORDER BY number"
_BEHIND = "SELECT study, terms FROM documents WHERE number >= ? ORDER BY number"
_HOLDERS = "SELECT block, packed FROM postings WHERE term = ? ORDER BY block"


def add(connection: Connection, documents: Iterable[tuple[int, str]]) -> None:
    """Add documents, each with its study's number; those that fill a block are indexed."""
    connection.executemany(_ADD, documents)
    (first,), (last,) = connection.execute(_NEXT_BLOCK).fetchone(), connection.execute(_LAST).fetchone()
    for block in range(first, (last + 1) // _SIZE):
        _fill(connection, block)


def remove(connection: Connection, changed: Iterable[int], gone: Iterable[int]) -> None:
    """Remove documents, by their numbers; others may get new ones thereby.

    Args:
        changed: Each comes anew: it is struck out, and its words stay in their block until half of it is.
        gone: Their words leave with them.
    """
    struck: dict[int, list[int]] = defaultdict(list)
    for number in chain(changed, gone := list(gone)):
        connection.execute(_REMOVE, (number,))
        struck[number // _SIZE].append(number % _SIZE)
    to_clear = {number // _SIZE for number in gone}
    for block, places in struck.items():
        if row := connection.execute(_BLOCK, (block,)).fetchone():
            studies, lengths = (np.frombuffer(blob, _CELL).copy() for blob in row)
            studies[places] = lengths[places] = 0
            if block in to_clear or np.count_nonzero(studies) <= _SIZE // 2:
                _dissolve(connection, block)
            else:
                connection.execute(_CHANGE_BLOCK, (studies.tobytes(), lengths.tobytes(), block))


class Index:
    """All documents, by their place in it, as one transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        blocks = connection.execute(_BLOCKS).fetchall()
        self._connection = connection
        self._blocks = np.array([number for number, _, _ in blocks], np.int64)
        (following,) = connection.execute(_NEXT_BLOCK).fetchone()
        behind = connection.execute(_BEHIND, (following * _SIZE,)).fetchall()
        self._behind = [terms.split() for _, terms in behind]
        self.studies = _joined((studies for _, studies, _ in blocks), [study for study, _ in behind])
        """The study of each; 0 where one was struck out."""
        self.lengths = _joined((lengths for _, _, lengths in blocks), list(map(len, self._behind)))
        """Terms of each."""

    def holders(self, term: str) -> tuple[Places, Places]:
        """Return where the documents are that hold a term, and how often each does."""
        rows = self._connection.execute(_HOLDERS, (term,)).fetchall()
        starts = _SIZE * np.searchsorted(self._blocks, np.array([block for block, _ in rows], np.int64))
        packed = np.frombuffer(b"".join(blob for _, blob in rows), _CELL).astype(np.int64)
        places = np.repeat(starts, [len(blob) // _CELL.itemsize for _, blob in rows]) + (packed >> _BITS)
        alive = self.studies[places] > 0
        often = [words.count(term) for words in self._behind]
        behind = np.flatnonzero(often)
        return (
            np.concatenate((places[alive], _SIZE * len(self._blocks) + behind)),
            np.concatenate(((packed & _MOST)[alive], np.array(often, np.int64)[behind])),
        )


def _fill(connection: Connection, block: int) -> None:
    """Index the documents of a block; there may be none."""
    documents = connection.execute(_IN_BLOCK, _range(block, _SIZE)).fetchall()
    if not documents:
        return
    studies, lengths = np.zeros((2, _SIZE), _CELL)
    packed: dict[str, list[int]] = defaultdict(list)
    for number, study, terms in documents:
        words: list[str] = terms.split()
        place = number % _SIZE
        studies[place], lengths[place] = study, len(words)
        for term, often in Counter(words).items():
            packed[term].append((place << _BITS) + min(often, _MOST))
    connection.execute(_ADD_BLOCK, (block, studies.tobytes(), lengths.tobytes()))
    first, _ = _range(block, _ROWS)
    rows = ((first + n, term, block, np.array(here, _CELL).tobytes()) for n, (term, here) in enumerate(packed.items()))
    connection.executemany(_ADD_TERM, rows)


def _dissolve(connection: Connection, block: int) -> None:
    """Remove a block; the documents it has left come anew."""
    documents = connection.execute(_IN_BLOCK, _range(block, _SIZE)).fetchall()
    connection.execute(_REMOVE_BLOCK, (block,))
    connection.execute(_REMOVE_TERMS, _range(block, _ROWS))
    connection.execute(_REMOVE_RANGE, _range(block, _SIZE))
    add(connection, [(study, terms) for _, study, terms in documents])


def _range(block: int, size: int) -> tuple[int, int]:
    return block * size, (block + 1) * size - 1


def _joined(blobs: Iterable[bytes], behind: Sequence[int]) -> Places:
    whole = np.frombuffer(b"".join(blobs), _CELL)
    return np.concatenate((whole.astype(np.int64), np.array(behind, np.int64)))
