"""Reads what a result page needs besides the ranking in one statement; tests images against several filters.

Each statement is a round trip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mcp_cxr.records import ImageId
from mcp_cxr.stores._base import SAMPLE_SIZE
from mcp_cxr.stores._shared import given_fields
from mcp_cxr.stores.iris.driver import to_text
from mcp_cxr.stores.iris.tables._images import COLUMNS, JOIN_STUDY, to_stored_image
from mcp_cxr.stores.iris.tables._queries import COUNT_EXTERNAL, SELECT_SAMPLE_CHECKSUM, count_statement
from mcp_cxr.stores.iris.tables._select import NOT_EXTERNAL, select_where

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import LiteralString

    from mcp_cxr.records import Filter, StoredImage
    from mcp_cxr.stores.iris.driver import Parameters, Row, Statements

# %EXACT: without it, MAX of texts may be returned in capitals.
_SELECT_DESCRIPTION: LiteralString = """
SELECT MAX(%EXACT(CASE WHEN c.EntryName = 'schema' THEN c.EntryText ELSE NULL END)) AS SchemaVersion,
    MAX(%EXACT(CASE WHEN c.EntryName = 'fingerprint' THEN c.EntryText ELSE NULL END)) AS Fingerprint
FROM {table}Collection AS c"""
_IN_IDS: LiteralString = "i.ImageID %INLIST $LISTFROMSTRING(:ids, :separator)"
_SELECT_BY_FILTER: tuple[LiteralString, ...] = (
    "SELECT 0 AS Place, i.ImageID FROM {table} AS i",
    "SELECT 1 AS Place, i.ImageID FROM {table} AS i",
)


@dataclass(frozen=True, slots=True)
class FactsRow:
    """The rows of the statement, together."""

    schema: str | None
    fingerprint: str | None
    """Text of the entry."""
    total: int
    external: int
    sample_checksum: Row
    """Empty if no vectors were compared."""
    stored: dict[ImageId, StoredImage]


def read(
    statements: Statements,
    ids: Sequence[ImageId],
    where: Filter,
    terms: Sequence[str],
    distinct: Literal["study", "subject"] | None,
    with_vectors: bool,
) -> FactsRow:
    """Query everything at once; for more than 500 images, in several statements."""
    count, values = count_statement(where, terms, distinct)
    values["limit"] = SAMPLE_SIZE
    rows = statements.fetch_by_ids(_statement(count, has_ids=True, with_vectors=with_vectors), ids, values)
    first = (
        rows[0]
        if rows
        else statements.fetch_all(_statement(count, has_ids=False, with_vectors=with_vectors), values)[0]
    )
    width = 6 if with_vectors else 4
    found = {stored.image.image_id: stored for stored in (to_stored_image(row[width:]) for row in rows)}
    return FactsRow(
        schema=to_text(first[0]),
        fingerprint=to_text(first[1]),
        total=int(first[2]),
        external=int(first[3]),
        sample_checksum=first[4:width],
        stored={image_id: found[image_id] for image_id in ids if image_id in found},
    )


def filter_images(statements: Statements, images: Sequence[ImageId], filters: Sequence[Filter]) -> list[set[ImageId]]:
    """Return for each filter the images that pass it; `can_filter_images` must be true of the filters."""
    statement, parameters = _union_by_filter(filters)
    passing: list[set[ImageId]] = [set() for _ in filters]
    for index, image_id in statements.fetch_by_ids(statement, images, parameters):
        passing[int(index)].add(ImageId(str(image_id)))
    return passing


def can_filter_images(filters: Sequence[Filter]) -> bool:
    """Whether one statement can apply all these filters: parameters have names, so no two may set the same field."""
    given = [name for where in filters for name in given_fields(where)]
    return len(filters) <= len(_SELECT_BY_FILTER) and len(given) == len(set(given))


def _union_by_filter(filters: Sequence[Filter]) -> tuple[LiteralString, Parameters]:
    statements: list[LiteralString] = []
    parameters: Parameters = {}
    for select, where in zip(_SELECT_BY_FILTER, filters, strict=False):
        statement, own = select_where(select, where, NOT_EXTERNAL, _IN_IDS)
        statements.append(statement)
        parameters |= own
    return " UNION ALL ".join(statements), parameters


def _statement(count: LiteralString, *, has_ids: bool, with_vectors: bool) -> LiteralString:
    columns: LiteralString = "made.SchemaVersion, made.Fingerprint, total.Number, other.ExternalRows"
    source: LiteralString = (
        "("
        + _SELECT_DESCRIPTION
        + ") AS made CROSS JOIN ("
        + count
        + ") AS total CROSS JOIN ("
        + COUNT_EXTERNAL
        + ") AS other"
    )
    if with_vectors:
        columns += ", drawn.Images, drawn.Marks"
        source += " CROSS JOIN (" + SELECT_SAMPLE_CHECKSUM + ") AS drawn"
    if has_ids:
        columns += ", " + COLUMNS + (", i.Vector" if with_vectors else "")
        source += " CROSS JOIN {table} AS i" + JOIN_STUDY + "WHERE " + _IN_IDS
    return "SELECT " + columns + " FROM " + source  # noqa: S608  # constants
