"""Images with their vectors: written, read by id, and removed."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from mcp_cxr.records import Filter, ImageId, ImageRecord, StoredImage, StudyId, SubjectId
from mcp_cxr.stores._base import sample_key
from mcp_cxr.stores._shared import require_fingerprint, unit_rows
from mcp_cxr.stores.iris.driver import (
    from_path_cell,
    from_vector_cell,
    to_int,
    to_list_cell,
    to_path_cell,
    to_text,
    to_vector_cells,
)
from mcp_cxr.stores.iris.tables._select import select_where
from mcp_cxr.stores.iris.tables._studies import (
    delete_unused,
    lock,
    reindex,
    select_named,
    stored_ids,
    to_study,
    transactions,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import LiteralString

    from mcp_cxr.records import Fingerprint, Vector, Vectors
    from mcp_cxr.stores.iris.driver import Row, Statements

_SELECT_STUDIES_OF = """
SELECT i.ImageID, i.StudyID FROM {table} AS i WHERE i.ImageID %INLIST $LISTFROMSTRING(:ids, :separator)"""
# CreatedAt keeps its value if the row exists; a new row gets the default.
_UPSERT_IMAGE = """
INSERT OR UPDATE INTO {table} (ImageID, StudyID, SubjectID, ViewPosition, ImagePath, Metadata, Vector, UpdatedAt)
VALUES (?, ?, ?, ?, ?, ?, TO_VECTOR(?, DOUBLE), CURRENT_TIMESTAMP)"""
_UPSERT_SAMPLE_KEY = "INSERT OR UPDATE INTO {table}Sample (ImageID, SampleKey, VectorMark) VALUES (?, ?, ?)"

_SELECT_KNOWN = """
SELECT i.ImageID FROM {table} AS i
WHERE i.ImageID %INLIST $LISTFROMSTRING(:ids, :separator) AND i.Metadata LIKE :own_row"""
COLUMNS: LiteralString = """
i.ImageID, i.StudyID, i.SubjectID, i.ViewPosition, i.ImagePath, i.Metadata,
CASE WHEN i.Metadata LIKE :own_row THEN 1 ELSE 0 END AS IsOwn,
s.StudyID, s.SubjectID, s.StudyDate, s.DataSplit, s.Labels, s.Report,
{s.LabelsBy}, {s.PositivesOnly}, {s.Sex}, {s.Age}, {s.ReportLanguage}"""
JOIN_STUDY: LiteralString = " LEFT JOIN {table}Studies AS s ON s.StudyID = i.StudyID "
_FROM = " FROM {table} AS i" + JOIN_STUDY
_IN_IDS = "WHERE i.ImageID %INLIST $LISTFROMSTRING(:ids, :separator)"
_SELECT = "SELECT " + COLUMNS + _FROM + _IN_IDS
_SELECT_WITH_VECTORS = "SELECT " + COLUMNS + ", i.Vector" + _FROM + _IN_IDS
_SELECT_FIRST = "SELECT TOP :limit " + COLUMNS + ", i.Vector" + _FROM + "ORDER BY i.ImageID"
_SELECT_NEXT = "SELECT TOP :limit " + COLUMNS + ", i.Vector" + _FROM + "WHERE i.ImageID > :after ORDER BY i.ImageID"
_MAX_ROWS_WITH_VECTORS = 500  # rows with vectors in one result: 6 MB of 1,024 numbers

_SELECT_TO_FORGET = "SELECT TOP :limit i.ImageID, i.StudyID FROM {table} AS i"
_DELETE_IMAGES: tuple[LiteralString, ...] = (
    "DELETE FROM {table} WHERE ImageID %INLIST $LISTFROMSTRING(:ids, :separator)",
    "DELETE FROM {table}Sample WHERE ImageID %INLIST $LISTFROMSTRING(:ids, :separator)",
    "DELETE FROM {table}Files WHERE ImageID %INLIST $LISTFROMSTRING(:ids, :separator)",
)
_FORGET_BATCH = 500


def put(
    statements: Statements, fingerprint: Fingerprint | None, images: Sequence[ImageRecord], vectors: Vectors
) -> None:
    """Write images with their vectors, in transactions that are committed here; existing images are replaced."""
    space = require_fingerprint(fingerprint)
    if not images:
        return
    units = unit_rows(vectors, space.dimension, images)
    last = {image.image_id: (image, unit) for image, unit in zip(images, units, strict=True)}
    of_study: dict[str, list[tuple[ImageRecord, Vector]]] = defaultdict(list)
    for image, unit in last.values():
        of_study[image.study_id].append((image, unit))
    studies_before = _studies_of(statements, list(last))
    affected = {
        study_id: {study_id, *(studies_before.get(image.image_id, study_id) for image, _ in pairs)}
        for study_id, pairs in of_study.items()
    }
    stored = stored_ids(statements, of_study)
    # A study is locked or inserted, and gets its document.
    rows = {study_id: max(len(pairs), 2 * len(affected[study_id])) for study_id, pairs in of_study.items()}
    for part in transactions(statements, rows):
        pairs = [pair for study_id in part for pair in of_study[study_id]]
        study_ids = set[str]().union(*(affected[study_id] for study_id in part))
        _put(statements, space.model, pairs, study_ids, stored)
        statements.connection.commit()


def _put(
    statements: Statements,
    model: str,
    pairs: Sequence[tuple[ImageRecord, Vector]],
    study_ids: set[str],
    stored: set[str],
) -> None:
    """Write images, and what their studies have by them, in one transaction.

    Args:
        statements: The connection.
        model: The embedder's.
        pairs: Images and unit vectors.
        study_ids: Of the studies that they belong to, now and before.
        stored: Those that exist, among others.
    """
    vectors = to_vector_cells(np.stack([unit for _, unit in pairs]))
    cells = [(*_cells(image, model), vector) for (image, _), vector in zip(pairs, vectors, strict=True)]
    statements.execute_many(_UPSERT_IMAGE, cells)
    statements.execute_many(
        _UPSERT_SAMPLE_KEY,
        [(image.image_id, sample_key(image.image_id), _checksum(image, unit)) for image, unit in pairs],
        small=True,
    )
    missing = {image.study_id: image.subject_id for image, _ in reversed(pairs) if image.study_id not in stored}
    lock(statements, study_ids, missing)
    reindex(statements, study_ids)


def known_ids(statements: Statements, ids: Iterable[ImageId]) -> set[ImageId]:
    """Return the ids among `ids` of images that are stored and not external."""
    distinct_ids = list(dict.fromkeys(ids))
    rows = statements.fetch_by_ids(_SELECT_KNOWN, distinct_ids)
    return {ImageId(str(image_id)) for (image_id,) in rows} & set(distinct_ids)


def get(statements: Statements, ids: Sequence[ImageId], with_vectors: bool) -> dict[ImageId, StoredImage]:
    """Return the stored images by id, in the order of `ids`; unknown ids are left out."""
    rows = statements.fetch_by_ids(_SELECT_WITH_VECTORS if with_vectors else _SELECT, ids)
    found = {stored.image.image_id: stored for stored in map(to_stored_image, rows)}
    return {image_id: found[image_id] for image_id in ids if image_id in found}


def images_after(statements: Statements, after: ImageId | None, limit: int) -> list[StoredImage]:
    """Return the next images by id."""
    found: list[StoredImage] = []
    while len(found) < limit:
        wanted = min(limit - len(found), _MAX_ROWS_WITH_VECTORS)
        last = found[-1].image.image_id if found else after
        statement = _SELECT_FIRST if last is None else _SELECT_NEXT
        rows = statements.fetch_all(statement, {"limit": wanted, "after": last})
        found += map(to_stored_image, rows)
        if len(rows) < wanted:
            break
    return found


def forget(statements: Statements, where: Filter) -> int:
    """Remove images, the outcomes of their files, and studies left without images."""
    statement, parameters = select_where(_SELECT_TO_FORGET, where)
    studies: set[str] = set()
    if where == Filter(study_id=where.study_id, subject_id=where.subject_id):
        studies |= select_named(statements, where.study_id, where.subject_id)  # including those that never had images
    removed = 0
    while batch := statements.fetch_all(statement, {**parameters, "limit": _FORGET_BATCH}):
        ids = to_list_cell(str(image_id) for image_id, _ in batch)
        for delete in _DELETE_IMAGES:
            statements.execute(delete, {"ids": ids})
        studies |= {str(study_id) for _, study_id in batch if study_id is not None}
        removed += len(batch)
    delete_unused(statements, studies)
    return removed


def _studies_of(statements: Statements, ids: Sequence[ImageId]) -> dict[str, str]:
    """Return the studies that these images belong to now, by image."""
    rows = statements.fetch_by_ids(_SELECT_STUDIES_OF, ids)
    return {str(image_id): str(study_id) for image_id, study_id in rows if study_id is not None}


def _checksum(image: ImageRecord, unit: Vector) -> int:
    return crc32(image.image_id.encode() + unit.tobytes())


def _cells(image: ImageRecord, model: str) -> Row:
    metadata = {
        "mcp_cxr": {"model": model},  # first: the pattern `OWN_ROW` recognizes rows by it
        "view_source": image.view_source,
        "root": image.root,
        "tags": dict(image.tags),
        "grayscale": dict(image.grayscale),
        "reading": image.reading,
    }
    path = to_path_cell(image.image_path)
    return image.image_id, image.study_id, image.subject_id, image.view_position, path, json.dumps(metadata)


def to_stored_image(row: Row) -> StoredImage:
    """Return an image from a row of `COLUMNS`, with its vector if the row ends with one."""
    image_id, study_id, subject_id, view, path, metadata, own, *rest = row
    is_own = bool(to_int(own))
    details: dict[str, Any] = json.loads(metadata) if is_own else {}  # the metadata of an external row may be anything
    image = ImageRecord(
        ImageId(str(image_id)),
        StudyId(to_text(study_id) or ""),
        SubjectId(to_text(subject_id) or ""),
        view_position=to_text(view) or "UNKNOWN",
        view_source=details.get("view_source", "none"),
        image_path=from_path_cell(path) if is_own else to_text(path) or "",
        root=details.get("root", ""),
        tags=details.get("tags", {}),
        grayscale=details.get("grayscale", details.get("grey_scale", {})),
        reading=details.get("reading", 1),
    )
    study = to_study((image.study_id, rest[1] or image.subject_id, *rest[2:11]))
    vector = from_vector_cell(rest[11]) if len(rest) > 11 else None  # noqa: PLR2004  # the last column, if it was selected
    return StoredImage(image, study, not is_own, vector)
