"""Images with their vectors: written, read one by one, and forgotten."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from zlib import crc32

from mcp_cxr.records import Filter, ImageId, ImageRecord, StoredImage, StudyId, SubjectId
from mcp_cxr.stores._base import sample_key
from mcp_cxr.stores._claims import known as known_space
from mcp_cxr.stores._unit_rows import unit_rows
from mcp_cxr.stores.iris.driver import (
    batches_of,
    from_path_cell,
    from_vector_cell,
    several,
    to_path_cell,
    to_text,
    to_vector_cell,
)
from mcp_cxr.stores.iris.tables._documents import reindex
from mcp_cxr.stores.iris.tables._filter import compose
from mcp_cxr.stores.iris.tables._studies import forget_unused, lock, make_missing, named, study_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import LiteralString

    from mcp_cxr.records import Fingerprint, Vector, Vectors
    from mcp_cxr.stores.iris.driver import Row, Statements

_REPLACED = "SELECT i.StudyID FROM {table} AS i WHERE i.ImageID %INLIST $LISTFROMSTRING(:ids, :separator)"
# CreatedAt is left alone where the row is there, and has a default where it is not.
_PUT = """
INSERT OR UPDATE INTO {table} (ImageID, StudyID, SubjectID, ViewPosition, ImagePath, Metadata, Vector, UpdatedAt)
VALUES (?, ?, ?, ?, ?, ?, TO_VECTOR(?, DOUBLE), CURRENT_TIMESTAMP)"""
_DRAW = "INSERT OR UPDATE INTO {table}Sample (ImageID, SampleKey, VectorMark) VALUES (?, ?, ?)"

_KNOWN = """
SELECT i.ImageID FROM {table} AS i
WHERE i.ImageID %INLIST $LISTFROMSTRING(:ids, :separator) AND i.Metadata LIKE :mark"""
CELLS: LiteralString = """
i.ImageID, i.StudyID, i.SubjectID, i.ViewPosition, i.ImagePath, i.Metadata,
CASE WHEN i.Metadata LIKE :mark THEN 1 ELSE 0 END AS IsOurs,
s.StudyID, s.SubjectID, s.StudyDate, s.DataSplit, s.Labels, s.Report"""
JOIN_STUDY: LiteralString = " LEFT JOIN {table}Studies AS s ON s.StudyID = i.StudyID "
_FROM = " FROM {table} AS i" + JOIN_STUDY
_IN_IDS = "WHERE i.ImageID %INLIST $LISTFROMSTRING(:ids, :separator)"
_GET = "SELECT " + CELLS + _FROM + _IN_IDS
_GET_VECTORS = "SELECT " + CELLS + ", i.Vector" + _FROM + _IN_IDS
_FIRST = "SELECT TOP :limit " + CELLS + ", i.Vector" + _FROM + "ORDER BY i.ImageID"
_NEXT = "SELECT TOP :limit " + CELLS + ", i.Vector" + _FROM + "WHERE i.ImageID > :after ORDER BY i.ImageID"
_PAGE = 500  # rows with vectors in one result: 6 MB of 1,024 numbers

_TO_FORGET = "SELECT TOP :limit i.ImageID, i.StudyID FROM {table} AS i"
_FORGET: tuple[LiteralString, ...] = (
    "DELETE FROM {table} WHERE ImageID %INLIST $LISTFROMSTRING(:ids, :separator)",
    "DELETE FROM {table}Sample WHERE ImageID %INLIST $LISTFROMSTRING(:ids, :separator)",
    "DELETE FROM {table}Files WHERE ImageID %INLIST $LISTFROMSTRING(:ids, :separator)",
)
_FORGOTTEN_AT_ONCE = 500


def put(session: Statements, fingerprint: Fingerprint | None, images: Sequence[ImageRecord], vectors: Vectors) -> None:
    """Write images with their vectors; those that are there are replaced."""
    space = known_space(fingerprint)
    if not images:
        return
    units = unit_rows(vectors, space.dimension)
    touched = {image.study_id for image in images} | _studies_of(session, [image.image_id for image in images])
    pairs = list(zip(images, units, strict=True))
    session.run_many(_PUT, [(*_cells(image, space.model), to_vector_cell(unit)) for image, unit in pairs])
    session.run_many(_DRAW, [(image.image_id, sample_key(image.image_id), _mark(image, unit)) for image, unit in pairs])
    lock(session, touched)
    make_missing(session, {image.study_id: image.subject_id for image in reversed(images)})
    reindex(session, touched)


def known(session: Statements, ids: Iterable[ImageId]) -> set[ImageId]:
    """Return those of `ids` that are ours."""
    asked = list(dict.fromkeys(ids))
    rows = [row for batch in batches_of(asked) for row in session.rows(_KNOWN, {"ids": several(batch)})]
    return {ImageId(str(image_id)) for (image_id,) in rows} & set(asked)


def get(session: Statements, ids: Sequence[ImageId], vectors: bool) -> dict[ImageId, StoredImage]:
    """Return those of `ids` that are there, in that order."""
    statement = _GET_VECTORS if vectors else _GET
    rows = [row for batch in batches_of(ids) for row in session.rows(statement, {"ids": several(batch)})]
    found = {stored.image.image_id: stored for stored in map(stored_of, rows)}
    return {image_id: found[image_id] for image_id in ids if image_id in found}


def page(session: Statements, after: ImageId | None, limit: int) -> list[StoredImage]:
    """Return the next images by id."""
    found: list[StoredImage] = []
    while len(found) < limit:
        wanted = min(limit - len(found), _PAGE)
        last = found[-1].image.image_id if found else after
        statement = _FIRST if last is None else _NEXT
        rows = session.rows(statement, {"limit": wanted, "after": last})
        found += map(stored_of, rows)
        if len(rows) < wanted:
            break
    return found


def forget(session: Statements, where: Filter) -> int:
    """Remove images, the outcomes of their files, and studies left without any."""
    statement, bound = compose(_TO_FORGET, where)
    studies: set[str] = set()
    if where == Filter(study_id=where.study_id, subject_id=where.subject_id):
        studies |= named(session, where.study_id, where.subject_id)  # those that never had images, too
    removed = 0
    while gone := session.rows(statement, {**bound, "limit": _FORGOTTEN_AT_ONCE}):
        ids = several(str(image_id) for image_id, _ in gone)
        for removal in _FORGET:
            session.run(removal, {"ids": ids})
        studies |= {str(study_id) for _, study_id in gone if study_id is not None}
        removed += len(gone)
    forget_unused(session, studies)
    return removed


def _studies_of(session: Statements, ids: Sequence[ImageId]) -> set[str]:
    """Return the studies that these images belong to now."""
    rows = [row for batch in batches_of(ids) for row in session.rows(_REPLACED, {"ids": several(batch)})]
    return {str(study_id) for (study_id,) in rows if study_id is not None}


def _mark(image: ImageRecord, unit: Vector) -> int:
    return crc32(image.image_id.encode() + unit.tobytes())


def _cells(image: ImageRecord, model: str) -> Row:
    metadata = {
        "mcp_cxr": {"model": model},  # first: by this our rows are told from others'
        "view_source": image.view_source,
        "root": image.root,
        "tags": dict(image.tags),
        "grayscale": dict(image.grayscale),
    }
    path = to_path_cell(image.image_path)
    return image.image_id, image.study_id, image.subject_id, image.view_position, path, json.dumps(metadata)


def stored_of(row: Row) -> StoredImage:
    """Return an image from a row of `CELLS`, and its vector where that is the last one."""
    image_id, study_id, subject_id, view, path, metadata, is_ours, *rest = row
    facts: dict[str, Any] = json.loads(metadata) if is_ours else {}  # what others write there is not ours to read
    image = ImageRecord(
        ImageId(str(image_id)),
        StudyId(to_text(study_id) or ""),
        SubjectId(to_text(subject_id) or ""),
        view_position=to_text(view) or "UNKNOWN",
        view_source=facts.get("view_source", "none"),
        image_path=from_path_cell(path) if is_ours else to_text(path) or "",
        root=facts.get("root", ""),
        tags=facts.get("tags", {}),
        grayscale=facts.get("grayscale", facts.get("grey_scale", {})),
    )
    study = study_of((image.study_id, rest[1] or image.subject_id, *rest[2:6]))
    vector = from_vector_cell(rest[6]) if len(rest) > 6 else None  # noqa: PLR2004  # the last column, where asked for
    return StoredImage(image, study, not is_ours, vector)
