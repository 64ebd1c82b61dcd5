"""The inverted index: which documents contain a term and how often; and BM25 over it.

Documents are numbered in the order of arrival. A block of 1,024 is written once, when it is full: the study and length
of each document, and for each term one row with the positions of the documents that contain it. The few documents after
the last full block (the tail) are read as they are. So a word that is in 200,000 reports is 200 rows to read, each
document is written one more time, no rows are ever merged, and the index is part of SQLite's transactions. A changed
document gets a new number, and its old position is set to zero. A removed document dissolves its block, whose other
documents are added again, so that none of its words stays.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.stores._shared import term_scores

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from sqlite3 import Connection
    from typing import Self

    from numpy.typing import NDArray

    Cells = NDArray[np.uint32]

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
_TAIL = "SELECT study, terms FROM documents WHERE number >= ? ORDER BY number"
# As one row: Python's driver takes and releases the interpreter's lock for each, and concurrent searches wait for it.
_HOLDERS = """
SELECT json_group_array(block), json_group_array(length(packed)), CAST(group_concat(packed, '') AS BLOB)
FROM postings WHERE term = ?"""


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


@dataclass(frozen=True, slots=True)
class Documents:
    """The studies and lengths of all documents, as one transaction sees them; may be cached until the database changes.

    They are by position: those of the full blocks, then the tail.
    """

    start_of: dict[int, int]
    """The position of the first document of each full block."""
    studies: Cells
    """The study of each; 0 if the document was removed."""
    lengths: Cells
    """Number of terms of each."""
    tail: list[list[str]]
    """The terms of each document after the full blocks."""

    @classmethod
    def read(cls, connection: Connection) -> Self:
        """Read them."""
        blocks = connection.execute(_BLOCKS).fetchall()
        (following,) = connection.execute(_NEXT_BLOCK).fetchone()
        rows = connection.execute(_TAIL, (following * _SIZE,)).fetchall()
        tail = [terms.split() for _, terms in rows]
        return cls(
            {number: _SIZE * position for position, (number, _, _) in enumerate(blocks)},
            _joined((studies for _, studies, _ in blocks), [study for study, _ in rows]),
            _joined((lengths for _, _, lengths in blocks), list(map(len, tail))),
            tail,
        )


class Index:
    """Which documents contain a term, as one transaction sees them.

    Args:
        connection: In the transaction.
        documents: As the transaction sees them.
    """

    def __init__(self, connection: Connection, documents: Documents | None = None) -> None:
        self._connection = connection
        self._documents = documents or Documents.read(connection)
        self.studies, self.lengths = self._documents.studies, self._documents.lengths

    def containing(self, term: str) -> tuple[Cells, Cells]:
        """Return the positions of the documents that contain a term, and its occurrences in each."""
        positions, occurrences = self._in_blocks(term)
        alive = self.studies[positions] > 0
        in_tail = np.array([words.count(term) for words in self._documents.tail], _CELL)
        (tail,) = in_tail.nonzero()
        first = np.uint32(len(self.studies) - len(in_tail))
        return (
            np.concatenate((positions[alive], tail.astype(_CELL) + first)),
            np.concatenate((occurrences[alive], in_tail[tail])),
        )

    def mask(self, term: str) -> NDArray[np.bool_]:
        """Return the studies whose document has a term, by study number."""
        mask = np.zeros(mask_size(self._connection), np.bool_)
        if term and " " not in term:
            positions, _ = self.containing(term)
            mask[np.minimum(self.studies[positions], len(mask) - 1)] = True
            mask[[0, -1]] = False
        return mask

    def _in_blocks(self, term: str) -> tuple[Cells, Cells]:
        """Return positions and occurrences in the full blocks, of removed documents too."""
        blocks, lengths, blob = self._connection.execute(_HOLDERS, (term,)).fetchone()
        starts = np.array([self._documents.start_of[block] for block in json.loads(blocks)], _CELL)
        packed = np.frombuffer(blob or b"", _CELL)
        counts = np.array(json.loads(lengths), np.int64) // _CELL.itemsize
        positions = np.repeat(starts, counts) + (packed >> np.uint32(_BITS))
        return positions, packed & np.uint32(_MAX_OCCURRENCES)


def mask_size(connection: Connection) -> int:
    """Return the size of an array by study number; position 0 is for no study, the last position for deleted ones."""
    return connection.execute(_HIGHEST_STUDY).fetchone()[0] + 2


def term_counts(connection: Connection, terms: Iterable[str]) -> dict[str, int]:
    """Return the number of documents that contain each term, if there is one."""
    index = Index(connection)
    counts = {term: int(np.count_nonzero(index.mask(term))) for term in terms}
    return {term: count for term, count in counts.items() if count}


def bm25_scores(
    connection: Connection, terms: Sequence[str], documents: Documents, *, by_presence: bool = False
) -> NDArray[np.float64]:
    """Return the BM25 of each study's document, by study number; 0 if it contains none of `terms`.

    Args:
        connection: In a transaction.
        documents: As the transaction sees them.
        by_presence: As `Store.match`.
    """
    index = Index(connection, documents)
    found = np.zeros(len(index.studies))
    count = int(np.count_nonzero(index.studies))
    mean_length = index.lengths.sum() / max(count, 1)
    for term in dict.fromkeys(terms):
        positions, occurrences = index.containing(term)
        found[positions] += term_scores(
            occurrences,
            index.lengths[positions],
            documents=count,
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


def _joined(blobs: Iterable[bytes], tail: Sequence[int]) -> Cells:
    return np.concatenate((np.frombuffer(b"".join(blobs), _CELL), np.array(tail, _CELL)))
