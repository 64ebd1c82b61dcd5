"""What the store records about the archive, in the table `...Collection`.

These are the schema version, fingerprint, roots, key check, reader version, and the state of the other tables.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from mcp_cxr.errors import StoreMissing
from mcp_cxr.language import READER_VERSION
from mcp_cxr.records import Fingerprint, StoreInfo
from mcp_cxr.stores._shared import schema_mismatch, store_missing
from mcp_cxr.stores.iris.driver import from_path_cell, path_key, to_int

if TYPE_CHECKING:
    from mcp_cxr.stores.iris.driver import Statements

SCHEMA_VERSION = 2  # 2: the full-text index holds what `language.document_terms` makes of a report

_SELECT = "SELECT EntryName, EntryText FROM {table}Collection ORDER BY EntryNumber, EntryName"
ANY_IMAGE = """
SELECT TOP 1 ImageID, StudyID, SubjectID, ViewPosition, ImagePath, Metadata, UpdatedAt,
    CASE WHEN Vector IS NULL THEN 0 ELSE 1 END AS HasVector
FROM {table}"""
"""All columns that the table of images must have; SQLCODE -29 if another program made it with others."""
_COUNT_IMAGES = "SELECT COUNT(*) AS Number FROM {table}"
_INSERT = "INSERT INTO {table}Collection (EntryName, EntryText, EntryNumber) VALUES (:name, :text, :number)"
_UPSERT = "INSERT OR UPDATE INTO {table}Collection (EntryName, EntryText, EntryNumber) VALUES (:name, :text, :number)"
_DELETE = "DELETE FROM {table}Collection WHERE EntryName = :name"

_ROOT = "root "  # followed by a hash of the path: one entry for each root
_FIRST_READER_WITH_LATER_COLUMNS = 4
READER = "reader"
HNSW = "hnsw"
HNSW_EXISTS = "1"
_NO_HNSW = (None, "0")
CREATED_HERE = "ours"
"""Text of the entry `images` if mcp-cxr created the table of images."""


@dataclass(frozen=True, slots=True)
class Entries:
    """All entries, as they were read."""

    texts: dict[str, str]

    @property
    def fingerprint(self) -> Fingerprint | None:
        """What made the archive's vectors; None until the first ingest."""
        text = self.texts.get("fingerprint")
        return Fingerprint(**json.loads(text)) if text else None

    @property
    def info(self) -> StoreInfo:
        """What `Store.info` returns."""
        roots = tuple(from_path_cell(text) for name, text in self.texts.items() if name.startswith(_ROOT))
        return StoreInfo(SCHEMA_VERSION, self.fingerprint, roots, self.texts.get("key_check"), self.reader_version)

    @property
    def reader_version(self) -> int:
        """The version of the reader that derived the documents."""
        return int(self.texts.get(READER) or 1)

    @property
    def has_later_columns(self) -> bool:
        """Whether the table of studies has the columns of the labels' source; `rebuild_documents` adds them."""
        return self.reader_version >= _FIRST_READER_WITH_LATER_COLUMNS

    @property
    def has_hnsw(self) -> bool:
        """Whether the server has an HNSW index of the vectors."""
        return self.texts.get(HNSW) == HNSW_EXISTS

    @property
    def index_status(self) -> str:
        """What is known about the HNSW index, for people."""
        text = self.texts.get(HNSW)
        if self.has_hnsw:
            return "with an HNSW index"
        return "without an HNSW index" + ("" if text in _NO_HNSW else f" (refused, {text})")

    @property
    def created_images(self) -> bool:
        """Whether mcp-cxr created the table of images; else another program did."""
        return self.texts.get("images") == CREATED_HERE

    def match(self, schema: str | None, fingerprint: str | None, reader: str | None) -> bool:
        """Whether `schema`, `fingerprint` and `reader` have these texts."""
        return tuple(map(self.texts.get, ("schema", "fingerprint", READER))) == (schema, fingerprint, reader)


def read_entries(statements: Statements, location: str) -> Entries:
    """Return the entries of an archive of this schema version.

    Raises:
        StoreMissing: There is no archive.
        SchemaMismatch: It has another schema version.
    """
    try:
        entries = read_any_entries(statements)
    except StoreMissing:
        entries = Entries({})
    version = entries.texts.get("schema")
    if version is None:
        raise _missing(statements, location)
    if version != str(SCHEMA_VERSION):
        raise schema_mismatch(location, found=version, wanted=SCHEMA_VERSION)
    return entries


def _missing(statements: Statements, location: str) -> StoreMissing:
    """Return the error of a missing archive, which names the rows of another program in its place.

    Raises:
        StoreError: The table in its place has other columns.
    """
    try:
        statements.fetch_all(ANY_IMAGE)
        ((rows,),) = statements.fetch_all(_COUNT_IMAGES)
    except StoreMissing:
        rows = 0
    if not to_int(rows):
        return store_missing(location)
    missing = StoreMissing(
        f"{location} holds rows of another program ({rows}), but no archive. Run `mcp-cxr ingest PATH` on their files."
    )
    missing.external = to_int(rows)
    return missing


def read_any_entries(statements: Statements) -> Entries:
    """Return the entries, complete or not.

    Raises:
        StoreMissing: The table does not exist.
    """
    return Entries({str(name): str(text) for name, text in statements.fetch_all(_SELECT)})


def insert_entry(statements: Statements, name: str, text: str, number: int = 0) -> int:
    """Insert an entry; return 0, or the positive SQLCODE of a refusal, such as `DUPLICATE_KEY`."""
    return statements.try_execute(_INSERT, {"name": name, "text": text, "number": number})


def set_entry(statements: Statements, name: str, text: str) -> None:
    """Insert an entry, or replace it."""
    statements.execute(_UPSERT, {"name": name, "text": text, "number": 0})


def record_report_reader(statements: Statements) -> None:
    """Record that this version of the reader derived the documents."""
    set_entry(statements, READER, str(READER_VERSION))


def delete_entry(statements: Statements, name: str) -> None:
    """Delete an entry; harmless if there is none."""
    statements.execute(_DELETE, {"name": name})


def fingerprint_text(fingerprint: Fingerprint) -> str:
    """Return the text of the entry `fingerprint`."""
    return json.dumps(asdict(fingerprint))


def root_entry(root: str) -> str:
    """Return the name of the entry of a root."""
    return _ROOT + path_key(root)
