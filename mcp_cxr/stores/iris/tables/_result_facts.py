"""What an answer tells of its hits and of what is around them, in one statement; and which images filters let through.

Each statement is a way to the server and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mcp_cxr.records import ImageId
from mcp_cxr.stores._base import SAMPLE_SIZE
from mcp_cxr.stores.iris.driver import batches_of, several, to_text
from mcp_cxr.stores.iris.tables._filter import OURS, compose, given_in
from mcp_cxr.stores.iris.tables._images import CELLS, JOIN_STUDY, stored_of
from mcp_cxr.stores.iris.tables._listing import FOREIGN, SAMPLE_MARK, counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import LiteralString

    from mcp_cxr.records import Filter, StoredImage
    from mcp_cxr.stores.iris.driver import Bound, Row, Statements

# %EXACT: the greatest of texts may else be given back in capitals.
_MADE: LiteralString = """
SELECT MAX(%EXACT(CASE WHEN c.EntryName = 'schema' THEN c.EntryText ELSE NULL END)) AS SchemaVersion,
    MAX(%EXACT(CASE WHEN c.EntryName = 'fingerprint' THEN c.EntryText ELSE NULL END)) AS MadeWith
FROM {table}Collection AS c"""
_IN_IDS: LiteralString = "i.ImageID %INLIST $LISTFROMSTRING(:ids, :separator)"
_SIFTED: tuple[LiteralString, ...] = (
    "SELECT 0 AS Place, i.ImageID FROM {table} AS i",
    "SELECT 1 AS Place, i.ImageID FROM {table} AS i",
)


@dataclass(frozen=True, slots=True)
class Told:
    """What the server said."""

    schema: str | None
    fingerprint: str | None
    """As text."""
    total: int
    external: int
    sample_mark: Row
    """Empty unless it was asked for."""
    stored: dict[ImageId, StoredImage]


def facts(
    session: Statements,
    ids: Sequence[ImageId],
    where: Filter,
    terms: Sequence[str],
    distinct: Literal["study", "subject"] | None,
    compared: bool,
) -> Told:
    """Ask for all of it at once; for more than 500 images, several times."""
    count, values = counted(where, terms, distinct)
    values["limit"] = SAMPLE_SIZE
    of_each = _statement(count, has_ids=True, compared=compared)
    rows = [row for batch in batches_of(ids) for row in session.rows(of_each, {**values, "ids": several(batch)})]
    first = rows[0] if rows else session.rows(_statement(count, has_ids=False, compared=compared), values)[0]
    width = 6 if compared else 4
    found = {one.image.image_id: one for one in (stored_of(row[width:]) for row in rows)}
    return Told(
        schema=to_text(first[0]),
        fingerprint=to_text(first[1]),
        total=int(first[2]),
        external=int(first[3]),
        sample_mark=first[4:width],
        stored={image_id: found[image_id] for image_id in ids if image_id in found},
    )


def sift(session: Statements, images: Sequence[ImageId], filters: Sequence[Filter]) -> list[set[ImageId]]:
    """Return for each filter those of `images` that it lets through; `can_sift` must have said yes."""
    statement, bound = _sieves(filters)
    picked: list[set[ImageId]] = [set() for _ in filters]
    for batch in batches_of(images):
        for place, image_id in session.rows(statement, {**bound, "ids": several(batch)}):
            picked[int(place)].add(ImageId(str(image_id)))
    return picked


def can_sift(filters: Sequence[Filter]) -> bool:
    """Whether one statement can ask for all of these: a value has one name in it."""
    given = [name for where in filters for name in given_in(where)]
    return len(filters) <= len(_SIFTED) and len(given) == len(set(given))


def _sieves(filters: Sequence[Filter]) -> tuple[LiteralString, Bound]:
    statements: list[LiteralString] = []
    bound: Bound = {}
    for select, where in zip(_SIFTED, filters, strict=False):
        statement, own = compose(select, where, OURS, _IN_IDS)
        statements.append(statement)
        bound |= own
    return " UNION ALL ".join(statements), bound


def _statement(count: LiteralString, *, has_ids: bool, compared: bool) -> LiteralString:
    columns: LiteralString = "made.SchemaVersion, made.MadeWith, total.Number, other.Others"
    source: LiteralString = (
        "(" + _MADE + ") AS made CROSS JOIN (" + count + ") AS total CROSS JOIN (" + FOREIGN + ") AS other"
    )
    if compared:
        columns += ", drawn.Images, drawn.Marks"
        source += " CROSS JOIN (" + SAMPLE_MARK + ") AS drawn"
    if has_ids:
        columns += ", " + CELLS + (", i.Vector" if compared else "")
        source += " CROSS JOIN {table} AS i" + JOIN_STUDY + "WHERE " + _IN_IDS
    return "SELECT " + columns + " FROM " + source  # noqa: S608  # constants
