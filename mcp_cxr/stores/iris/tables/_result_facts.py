"""Reads what a result page needs besides the ranking in one statement, since each takes a round trip.

No public program is known to join derived tables in IRIS as that statement does. A server that refuses it is asked the
same in several plain statements.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mcp_cxr.records import Filter
from mcp_cxr.stores._base import SAMPLE_SIZE
from mcp_cxr.stores.iris.driver import StatementRefused, to_int, to_text
from mcp_cxr.stores.iris.tables._images import COLUMNS, JOIN_STUDY, get, to_stored_image
from mcp_cxr.stores.iris.tables._rankings_and_counts import (
    COUNT_EXTERNAL,
    SELECT_SAMPLE_CHECKSUM,
    count,
    count_statement,
    to_external,
)
from mcp_cxr.stores.iris.tables._select import letter_suffix, with_suffix

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import LiteralString

    from mcp_cxr.records import ImageId, StoredImage
    from mcp_cxr.stores.iris.driver import Row, Statements

_log = logging.getLogger(__name__)

# %EXACT: without it, MAX of texts may be returned in capitals.
_SELECT_DESCRIPTION: LiteralString = """
SELECT MAX(%EXACT(CASE WHEN c.EntryName = 'schema' THEN c.EntryText ELSE NULL END)) AS SchemaVersion,
    MAX(%EXACT(CASE WHEN c.EntryName = 'fingerprint' THEN c.EntryText ELSE NULL END)) AS Fingerprint,
    MAX(%EXACT(CASE WHEN c.EntryName = 'reader' THEN c.EntryText ELSE NULL END)) AS ReaderVersion
FROM {table}Collection AS c"""
_SELECT_ENTRIES = "SELECT EntryName, EntryText FROM {table}Collection"
_COUNT_ALL_IMAGES = "SELECT COUNT(*) AS Number FROM {table} AS i"
_IN_IDS: LiteralString = "i.ImageID %INLIST $LISTFROMSTRING(:ids, :separator)"


@dataclass(frozen=True, slots=True)
class FactsRow:
    """The rows of the statement, together."""

    schema: str | None
    fingerprint: str | None
    """Text of the entry."""
    reader: str | None
    total: int
    external: int
    sample_checksum: Row
    """Empty if no vectors were compared."""
    stored: dict[ImageId, StoredImage]
    counts: tuple[int, ...]
    """Of the further filters."""


class FactsReader:
    """Reads the facts of results in one statement; in several, once the server has refused that one."""

    def __init__(self) -> None:
        self.in_parts = False

    def read(
        self,
        statements: Statements,
        ids: Sequence[ImageId],
        where: Filter,
        distinct: Literal["study", "subject"] | None,
        with_vectors: bool,
        also_count: Sequence[Filter] = (),
    ) -> FactsRow:
        """Return the facts; more than 500 images take several statements anyway."""
        if self.in_parts:
            return _read_in_parts(statements, ids, where, distinct, with_vectors, also_count)
        try:
            return _read_at_once(statements, ids, where, distinct, with_vectors, also_count)
        except StatementRefused as exc:
            facts = _read_in_parts(statements, ids, where, distinct, with_vectors, also_count)
            self.in_parts = True
            _log.warning(
                "IRIS refused to read the facts of a result in one statement (SQLCODE -%d): they are read in several.",
                exc.code,
            )
            return facts


def _read_in_parts(
    statements: Statements,
    ids: Sequence[ImageId],
    where: Filter,
    distinct: Literal["study", "subject"] | None,
    with_vectors: bool,
    also_count: Sequence[Filter],
) -> FactsRow:
    """Query one thing at a time, without derived tables."""
    entries = {str(name): str(text) for name, text in statements.fetch_all(_SELECT_ENTRIES)}
    ((all_images,),) = statements.fetch_all(_COUNT_ALL_IMAGES)
    checksum: Row = ()
    if with_vectors:
        (checksum,) = statements.fetch_all(SELECT_SAMPLE_CHECKSUM, {"limit": SAMPLE_SIZE})
    return FactsRow(
        schema=entries.get("schema"),
        fingerprint=entries.get("fingerprint"),
        reader=entries.get("reader"),
        total=count(statements, where, distinct),
        external=to_external(to_int(all_images) - count(statements, Filter(), None)),
        sample_checksum=checksum,
        stored=get(statements, ids, with_vectors),
        counts=tuple(count(statements, one, distinct) for one in also_count),
    )


def _read_at_once(
    statements: Statements,
    ids: Sequence[ImageId],
    where: Filter,
    distinct: Literal["study", "subject"] | None,
    with_vectors: bool,
    also_count: Sequence[Filter],
) -> FactsRow:
    total, values = count_statement(where, distinct)
    values["limit"] = SAMPLE_SIZE
    further: list[LiteralString] = []
    for position, one in enumerate(also_count):
        further_count, further_values = with_suffix(letter_suffix(position), *count_statement(one, distinct))
        further.append(further_count)
        values |= further_values
    rows = statements.fetch_by_ids(_statement(total, further, has_ids=True, with_vectors=with_vectors), ids, values)
    first = (
        rows[0]
        if rows
        else statements.fetch_all(_statement(total, further, has_ids=False, with_vectors=with_vectors), values)[0]
    )
    before_counts = 7 if with_vectors else 5
    width = before_counts + len(further)
    found = {stored.image.image_id: stored for stored in (to_stored_image(row[width:]) for row in rows)}
    return FactsRow(
        schema=to_text(first[0]),
        fingerprint=to_text(first[1]),
        reader=to_text(first[2]),
        total=to_int(first[3]),
        external=to_external(first[4]),
        sample_checksum=first[5:before_counts],
        stored={image_id: found[image_id] for image_id in ids if image_id in found},
        counts=tuple(map(to_int, first[before_counts:width])),
    )


def _statement(
    total: LiteralString, further: Sequence[LiteralString], *, has_ids: bool, with_vectors: bool
) -> LiteralString:
    columns: LiteralString = (
        "made.SchemaVersion, made.Fingerprint, made.ReaderVersion, total.Number, other.ExternalRows"
    )
    source: LiteralString = (
        "("
        + _SELECT_DESCRIPTION
        + ") AS made CROSS JOIN ("
        + total
        + ") AS total CROSS JOIN ("
        + COUNT_EXTERNAL
        + ") AS other"
    )
    if with_vectors:
        columns += ", drawn.Images, drawn.Marks"
        source += " CROSS JOIN (" + SELECT_SAMPLE_CHECKSUM + ") AS drawn"
    for position, one in enumerate(further):
        name: LiteralString = "further" + letter_suffix(position)
        columns += ", " + name + ".Number"
        source += " CROSS JOIN (" + one + ") AS " + name
    if has_ids:
        columns += ", " + COLUMNS + (", i.Vector" if with_vectors else "")
        source += " CROSS JOIN {table} AS i" + JOIN_STUDY + "WHERE " + _IN_IDS
    return "SELECT " + columns + " FROM " + source  # noqa: S608  # constants
