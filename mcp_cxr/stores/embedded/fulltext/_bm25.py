"""BM25 over the words index, as FTS5 counts it, so that every store ranks words alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.stores._ranking import term_scores
from mcp_cxr.stores.embedded.fulltext._postings import Index

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection

    from numpy.typing import NDArray

_HIGHEST = "SELECT coalesce(max(number), 0) FROM studies"


def room(connection: Connection) -> int:
    """Return the size of an array by study number: 0 belongs to none, and the last place to all that are no more."""
    return connection.execute(_HIGHEST).fetchone()[0] + 2


def scores(connection: Connection, terms: Sequence[str]) -> NDArray[np.float64]:
    """Return the BM25 of each study's document, by study number; above 0 where it holds any of `terms`, else 0."""
    index = Index(connection)
    found = np.zeros(len(index.studies))
    documents = int(np.count_nonzero(index.studies))
    mean_length = index.lengths.sum() / max(documents, 1)
    for term in dict.fromkeys(terms):
        places, often = index.holders(term)
        found[places] += term_scores(often, index.lengths[places], documents=documents, mean_length=mean_length)
    by_study = np.zeros(room(connection))
    by_study[np.minimum(index.studies, len(by_study) - 1)] = found
    by_study[[0, -1]] = 0
    return by_study
