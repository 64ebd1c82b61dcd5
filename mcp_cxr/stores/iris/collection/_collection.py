"""What the collection knows of itself: its schema version, fingerprint, roots and key check, and how its tables are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from mcp_cxr.errors import FingerprintMismatch, StoreMissing
from mcp_cxr.records import Collection, Fingerprint
from mcp_cxr.stores._claims import check_key, check_space, known, missing, other_schema
from mcp_cxr.stores.iris.collection import _schema as _tables
from mcp_cxr.stores.iris.driver import DUPLICATE, from_path_cell, key_of, to_path_cell

if TYPE_CHECKING:
    from mcp_cxr.stores.iris.driver import Statements

SCHEMA_VERSION = 2  # 2: the words index holds what `language.document_terms` makes of a report

_ENTRIES = "SELECT EntryName, EntryText FROM {table}Collection ORDER BY EntryNumber, EntryName"
_ADD = "INSERT INTO {table}Collection (EntryName, EntryText, EntryNumber) VALUES (:name, :text, :number)"
_SET = "INSERT OR UPDATE INTO {table}Collection (EntryName, EntryText, EntryNumber) VALUES (:name, :text, :number)"
_REMOVE = "DELETE FROM {table}Collection WHERE EntryName = :name"

_ROOT = "root "  # and the path's hash: a name of its own for each root
_OURS = "ours"


@dataclass(frozen=True, slots=True)
class Entries:
    """The table `...Collection`, as it was read."""

    texts: dict[str, str]

    @property
    def fingerprint(self) -> Fingerprint | None:
        """What made the collection's vectors; None until the first ingest."""
        text = self.texts.get("fingerprint")
        return Fingerprint(**json.loads(text)) if text else None

    def are(self, schema: str | None, fingerprint: str | None) -> bool:
        """Whether they are those of a collection with these two entries, as text."""
        return (self.texts.get("schema"), self.texts.get("fingerprint")) == (schema, fingerprint)

    @property
    def has_hnsw(self) -> bool:
        """Whether the server keeps an HNSW index of the vectors."""
        return self.texts.get("hnsw") == "1"

    @property
    def made_images(self) -> bool:
        """Whether the table of images is of our making, not found."""
        return self.texts.get("images") == _OURS


@dataclass(frozen=True, slots=True)
class Made:
    """What `make` made now."""

    tables: bool
    """Any."""
    images: bool
    """That of images; another program may have made it long ago."""


def read(session: Statements, location: str) -> Entries:
    """Return the entries of a collection that was made, and by this schema.

    Raises:
        StoreMissing: There is none.
        SchemaMismatch: It is of another schema.
    """
    entries = _entries(session)
    version = entries.texts.get("schema")
    if version is None:
        raise missing(location)
    if version != str(SCHEMA_VERSION):
        raise other_schema(location, found=version, wanted=SCHEMA_VERSION)
    return entries


def make(
    session: Statements, location: str, fingerprint: Fingerprint | None, root: str | None, key_check: str | None
) -> Made:
    """Make the tables if they are missing, enter what is given, and return which were made now."""
    is_new = not _is_made(session, location)
    made = Made(tables=is_new, images=is_new and _make_tables(session, fingerprint))
    while not _entered(session, location, fingerprint, root, key_check):
        session.link.rollback()  # another process entered something first; look again
    return made


def drop(session: Statements) -> None:
    """Remove everything; nothing happens where no collection was made."""
    try:
        _entries(session)
    except StoreMissing:
        return
    _set(session, "dropping", "1")
    session.run(_REMOVE, {"name": "schema"})
    session.link.commit()
    _tables.drop(session)


def renew(session: Statements, entries: Entries, fingerprint: Fingerprint) -> None:
    """Enter another service behind the same space."""
    check_space(known(entries.fingerprint), fingerprint)
    _set(session, "fingerprint", json.dumps(asdict(fingerprint)))


def collection(entries: Entries) -> Collection:
    """Return what the collection knows of itself."""
    roots = tuple(from_path_cell(text) for name, text in entries.texts.items() if name.startswith(_ROOT))
    return Collection(SCHEMA_VERSION, entries.fingerprint, roots, entries.texts.get("key_check"))


def _entries(session: Statements) -> Entries:
    return Entries({str(name): str(text) for name, text in session.rows(_ENTRIES)})


def _set(session: Statements, name: str, text: str) -> None:
    session.run(_SET, {"name": name, "text": text, "number": 0})


def _is_made(session: Statements, location: str) -> bool:
    try:
        read(session, location)
    except StoreMissing:
        return False
    return _tables.has_images(session)


def _make_tables(session: Statements, fingerprint: Fingerprint | None) -> bool:
    """Make what is missing; return whether the table of images is of our making.

    A drop that was interrupted is ended first: its leftovers are of another archive.
    """
    _tables.define(session, _tables.MAKE_COLLECTION)
    if "dropping" in _entries(session).texts:
        _tables.drop(session)
        _tables.define(session, _tables.MAKE_COLLECTION)
    whose = "found" if _tables.has_images(session) else _OURS
    session.attempt(_ADD, {"name": "images", "text": whose, "number": 0})  # refused where it is known already
    session.link.commit()
    _tables.make_side_tables(session)
    entries = _entries(session)
    maker = entries.fingerprint or fingerprint
    if entries.made_images:
        dimension = maker.dimension if maker else _tables.USUAL_DIMENSION
        _describe(session, dimension, has_hnsw=_tables.make_images(session, dimension))
    _set(session, "schema", str(SCHEMA_VERSION))
    session.link.commit()
    return entries.made_images


def _describe(session: Statements, dimension: int, *, has_hnsw: bool) -> None:
    _set(session, "dimension", str(dimension))
    _set(session, "hnsw", "1" if has_hnsw else "0")
    session.link.commit()


def _entered(
    session: Statements, location: str, fingerprint: Fingerprint | None, root: str | None, key_check: str | None
) -> bool:
    """Compare what is given with what is there, and enter what is new; False if another process was faster."""
    entries = read(session, location)
    if fingerprint:
        check_space(entries.fingerprint, fingerprint)
    if key_check:
        check_key(entries.texts.get("key_check"), key_check)
    if fingerprint and not entries.fingerprint:
        _fit(session, entries, fingerprint)
    given = {
        "fingerprint": json.dumps(asdict(fingerprint)) if fingerprint else None,
        "key_check": key_check,
        (_ROOT + key_of(root) if root else "root"): to_path_cell(root) if root else None,
    }
    for name, text in given.items():
        if text is not None and name not in entries.texts:
            code = session.attempt(_ADD, {"name": name, "text": text, "number": len(entries.texts)})
            if code == DUPLICATE:
                return False
            session.check(code)
    session.link.commit()
    return True


def _fit(session: Statements, entries: Entries, fingerprint: Fingerprint) -> None:
    """See to it that the table's vectors have the embedder's length.

    Raises:
        FingerprintMismatch: Another program has put vectors of another length there.
    """
    if entries.made_images:
        if entries.texts.get("dimension") != str(fingerprint.dimension):
            has_hnsw = _tables.remake_images(session, fingerprint.dimension)
            _describe(session, fingerprint.dimension, has_hnsw=has_hnsw)
        return
    length = _tables.length_of_a_vector(session)
    if length not in (None, fingerprint.dimension):
        raise FingerprintMismatch(
            f"The vectors that another program put into {session.table} have {length} numbers, this embedder's"
            f" {fingerprint.dimension}. Use the embedder they were made with, or name another table in IRIS_TABLE."
        )
