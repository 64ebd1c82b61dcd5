"""The inverted index: which documents contain a term and how often; and BM25 over it.

Documents are numbered in the order of arrival. A block of 1,024 is written once, when it is full: the study and length
of each document, and for each term one row with the positions of the documents that contain it. The few documents after
the last full block (the tail) are read as they are. So a word that is in 200,000 reports is 200 rows to read, each
document is written one more time, no rows are ever merged, and the index is part of SQLite's transactions. A changed
document gets a new number, and its old position is set to zero. A removed document dissolves its block, whose other
documents are added again, so that none of its words stays.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.stores._shared import term_scores

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from sqlite3 import Connection

    from numpy.typing import NDArray

    Positions = NDArray[np.int64]

_SIZE = 1024
"""Documents per block."""
_BITS = 20  # of a packed number for the occurrences; the rest is the position in the block
_MAX_OCCURRENCES = 2**_BITS - 1  # more occurrences of a term count as this many
_CELL = np.dtype("<u4")
_ROWS = 2**32
"""Row numbers reserved for each block."""

_HIGHEST_STUDY = "SELECT coalesce(max(number), 0) FROM studies"
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

_CLEAR = ("DELETE FROM postings", "DELETE FROM blocks", "DELETE FROM documents")

_BLOCKS = "SELECT number, studies, lengths FROM blocks ORDER BY number"
_BLOCK_STUDIES = "SELECT number, studies FROM blocks"
_TAIL = "SELECT study, terms FROM documents WHERE number >= ? ORDER BY number"
_HOLDERS = "SELECT block, packed FROM postings WHERE term = ? ORDER BY block"


def add(connection: Connection, documents: Iterable[tuple[int, str]]) -> None:
    """Add documents, each with its study's number, and index the blocks that are full."""
    connection.executemany(_ADD, documents)
    (first,), (last,) = connection.execute(_NEXT_BLOCK).fetchone(), connection.execute(_LAST).fetchone()
    for block in range(first, (last + 1) // _SIZE):
        _fill(connection, block)


def remove(connection: Connection, changed: Iterable[int], gone: Iterable[int]) -> None:
    """Remove documents by number; other documents may get new numbers.

    Args:
        changed: Documents that are added again: their words stay in the block until half of it is removed.
        gone: Documents whose words must not stay.
    """
    struck: dict[int, list[int]] = defaultdict(list)
    for number in chain(changed, gone := list(gone)):
        connection.execute(_REMOVE, (number,))
        struck[number // _SIZE].append(number % _SIZE)
    to_clear = {number // _SIZE for number in gone}
    for block, positions in struck.items():
        if row := connection.execute(_BLOCK, (block,)).fetchone():
            studies, lengths = (np.frombuffer(blob, _CELL).copy() for blob in row)
            studies[positions] = lengths[positions] = 0
            if block in to_clear or np.count_nonzero(studies) <= _SIZE // 2:
                _dissolve(connection, block)
            else:
                connection.execute(_CHANGE_BLOCK, (studies.tobytes(), lengths.tobytes(), block))


def clear(connection: Connection) -> None:
    """Remove all documents."""
    for statement in _CLEAR:
        connection.execute(statement)


class Index:
    """All documents by position, as one transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        blocks = connection.execute(_BLOCKS).fetchall()
        self._connection = connection
        self._blocks = np.array([number for number, _, _ in blocks], np.int64)
        (following,) = connection.execute(_NEXT_BLOCK).fetchone()
        tail = connection.execute(_TAIL, (following * _SIZE,)).fetchall()
        self._tail = [terms.split() for _, terms in tail]
        self.studies = _joined((studies for _, studies, _ in blocks), [study for study, _ in tail])
        """The study of each; 0 if the document was removed."""
        self.lengths = _joined((lengths for _, _, lengths in blocks), list(map(len, self._tail)))
        """Number of terms of each."""

    def containing(self, term: str) -> tuple[Positions, Positions]:
        """Return the positions of the documents that contain a term, and its occurrences in each."""
        rows = self._connection.execute(_HOLDERS, (term,)).fetchall()
        starts = _SIZE * np.searchsorted(self._blocks, np.array([block for block, _ in rows], np.int64))
        packed = np.frombuffer(b"".join(blob for _, blob in rows), _CELL).astype(np.int64)
        positions = np.repeat(starts, [len(blob) // _CELL.itemsize for _, blob in rows]) + (packed >> _BITS)
        alive = self.studies[positions] > 0
        occurrences = [words.count(term) for words in self._tail]
        tail = np.flatnonzero(occurrences)
        return (
            np.concatenate((positions[alive], _SIZE * len(self._blocks) + tail)),
            np.concatenate(((packed & _MAX_OCCURRENCES)[alive], np.array(occurrences, np.int64)[tail])),
        )


class Holders:
    """Which studies have a term, as one transaction sees them; occurrences are not read."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.size = mask_size(connection)
        blocks = connection.execute(_BLOCK_STUDIES).fetchall()
        self._start_of = {number: _SIZE * position for position, (number, _) in enumerate(blocks)}
        self._studies = np.frombuffer(b"".join(studies for _, studies in blocks), _CELL)
        (following,) = connection.execute(_NEXT_BLOCK).fetchone()
        self._tail = [(n, f" {terms} ") for n, terms in connection.execute(_TAIL, (following * _SIZE,))]

    def mask(self, term: str) -> NDArray[np.bool_]:
        """Return the studies whose document has a term, by study number."""
        mask = np.zeros(self.size, np.bool_)
        if not term or " " in term:
            return mask
        rows = self._connection.execute(_HOLDERS, (term,)).fetchall()
        starts = np.array([self._start_of[block] for block, _ in rows], np.uint32)
        packed = np.frombuffer(b"".join(blob for _, blob in rows), _CELL)
        positions = np.repeat(starts, [len(blob) // _CELL.itemsize for _, blob in rows]) + (packed >> _BITS)
        mask[np.minimum(self._studies[positions], self.size - 1)] = True
        padded = f" {term} "
        mask[[min(study, self.size - 1) for study, terms in self._tail if padded in terms]] = True
        mask[[0, -1]] = False
        return mask


def mask_size(connection: Connection) -> int:
    """Return the size of an array by study number; position 0 is for no study, the last position for deleted ones."""
    return connection.execute(_HIGHEST_STUDY).fetchone()[0] + 2


def term_counts(connection: Connection, terms: Iterable[str]) -> dict[str, int]:
    """Return the number of documents that contain each term, if there is one."""
    holders = Holders(connection)
    counts = {term: int(np.count_nonzero(holders.mask(term))) for term in terms}
    return {term: count for term, count in counts.items() if count}


def bm25_scores(connection: Connection, terms: Sequence[str], *, by_presence: bool = False) -> NDArray[np.float64]:
    """Return the BM25 of each study's document, by study number; 0 if it contains none of `terms`.

    Args:
        by_presence: As `Store.match`.
    """
    index = Index(connection)
    found = np.zeros(len(index.studies))
    documents = int(np.count_nonzero(index.studies))
    mean_length = index.lengths.sum() / max(documents, 1)
    for term in dict.fromkeys(terms):
        positions, occurrences = index.containing(term)
        found[positions] += term_scores(
            occurrences,
            index.lengths[positions],
            documents=documents,
            mean_length=mean_length,
            by_presence=by_presence,
        )
    by_study = np.zeros(mask_size(connection))
    by_study[np.minimum(index.studies, len(by_study) - 1)] = found
    by_study[[0, -1]] = 0
    return by_study


def _fill(connection: Connection, block: int) -> None:
    """Index the documents of a block, if it has any."""
    documents = connection.execute(_IN_BLOCK, _range(block, _SIZE)).fetchall()
    if not documents:
        return
    studies, lengths = np.zeros((2, _SIZE), _CELL)
    packed: dict[str, list[int]] = defaultdict(list)
    for number, study, terms in documents:
        words: list[str] = terms.split()
        position = number % _SIZE
        studies[position], lengths[position] = study, len(words)
        for term, occurrences in Counter(words).items():
            packed[term].append((position << _BITS) + min(occurrences, _MAX_OCCURRENCES))
    connection.execute(_ADD_BLOCK, (block, studies.tobytes(), lengths.tobytes()))
    first, _ = _range(block, _ROWS)
    rows = ((first + n, term, block, np.array(here, _CELL).tobytes()) for n, (term, here) in enumerate(packed.items()))
    connection.executemany(_ADD_TERM, rows)


def _dissolve(connection: Connection, block: int) -> None:
    """Remove a block, and add its remaining documents again."""
    documents = connection.execute(_IN_BLOCK, _range(block, _SIZE)).fetchall()
    connection.execute(_REMOVE_BLOCK, (block,))
    connection.execute(_REMOVE_TERMS, _range(block, _ROWS))
    connection.execute(_REMOVE_RANGE, _range(block, _SIZE))
    add(connection, [(study, terms) for _, study, terms in documents])


def _range(block: int, size: int) -> tuple[int, int]:
    return block * size, (block + 1) * size - 1


def _joined(blobs: Iterable[bytes], tail: Sequence[int]) -> Positions:
    whole = np.frombuffer(b"".join(blobs), _CELL)
    return np.concatenate((whole.astype(np.int64), np.array(tail, np.int64)))
