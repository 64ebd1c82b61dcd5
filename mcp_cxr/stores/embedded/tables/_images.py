"""Writes, reads and removes images with their vectors; writes studies, merged with the stored ones."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_cxr.records import (
    Filter,
    ImageId,
    ImageRecord,
    Outcome,
    StoredImage,
    Study,
    StudyId,
    SubjectId,
    VectorAndFile,
)
from mcp_cxr.stores._base import sample_key
from mcp_cxr.stores._shared import merge_studies, reason_from_cell, require_fingerprint, unit_rows
from mcp_cxr.stores.embedded.database import (
    STUDY_AGE,
    STUDY_LABELS_BY,
    STUDY_LANGUAGE,
    STUDY_POSITIVES_ONLY,
    STUDY_SEX,
    compose,
    fingerprint_of,
    path_from_cell,
    path_to_cell,
    vector_from_blob,
    vector_to_blob,
)
from mcp_cxr.stores.embedded.fulltext import reindex
from mcp_cxr.stores.embedded.tables._files import outcomes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from sqlite3 import Connection
    from typing import Any, LiteralString

    from mcp_cxr.records import Vectors
    from mcp_cxr.stores.embedded.vectors import CopyWiper

_REPLACED = """
SELECT image_id, study_id, created_at FROM images WHERE image_id IN (SELECT value FROM json_each(?))"""
_DELETE = "DELETE FROM images WHERE image_id IN (SELECT value FROM json_each(?))"
_INSERT = """
INSERT INTO images (image_id, study_id, subject_id, view_position, image_path, root, metadata, sample_key, made_by,
    created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, coalesce(?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))"""
_INSERT_VECTOR = "INSERT INTO vectors (slot, vector) VALUES (?, ?)"
_MAKE_STUDY = "INSERT OR IGNORE INTO studies (study_id, subject_id) VALUES (?, ?)"

_KNOWN = """
SELECT image_id FROM images WHERE made_by IS NOT NULL AND image_id IN (SELECT value FROM json_each(?))"""
_STORED_OF: LiteralString = (
    """
SELECT i.image_id, i.study_id, i.subject_id, i.view_position, i.image_path, i.root, i.metadata, i.made_by,
    s.subject_id, s.study_date, s.split, s.report,
    (SELECT json_group_object(label, value) FROM labels WHERE study = s.number),
    """  # noqa: S608  # constants
    + STUDY_LABELS_BY
    + ", "
    + STUDY_POSITIVES_ONLY
    + ", "
    + STUDY_SEX
    + ", "
    + STUDY_AGE
    + ", "
    + STUDY_LANGUAGE
    + """,
    CASE WHEN :vectors THEN (SELECT vector FROM vectors AS v WHERE v.slot = i.slot) END
FROM images AS i LEFT JOIN studies AS s ON s.study_id = i.study_id
"""
)
_STORED: LiteralString = _STORED_OF + "WHERE i.image_id IN (SELECT value FROM json_each(:ids))"  # noqa: S608  # constants
_NEXT: LiteralString = _STORED_OF + "WHERE i.image_id > :after ORDER BY i.image_id LIMIT :limit"

# Paths that are not text, or that are written otherwise than an ingest records them, are looked up one by one.
_NEXT_CHECKED = """
SELECT i.image_id, i.made_by IS NULL,
    CASE WHEN i.made_by IS NOT NULL THEN json_extract(i.metadata, '$.reading') END,
    i.image_path, i.root, (SELECT vector FROM vectors AS v WHERE v.slot = i.slot),
    f.path, f.size, f.mtime_ns, f.image_id, f.reason
FROM images AS i LEFT JOIN files AS f ON f.path = rtrim(i.root, :separator) || :separator || i.image_path
WHERE i.image_id > :after ORDER BY i.image_id LIMIT :limit"""

_TO_FORGET = "SELECT i.image_id, i.study_id FROM images AS i"
_FORGET_FILES = "DELETE FROM files WHERE image_id IN (SELECT value FROM json_each(?))"
_NAMED_STUDIES = """
SELECT study_id FROM studies
WHERE study_id = coalesce(:study_id, study_id) AND subject_id = coalesce(:subject_id, subject_id)"""
_FORGET_STUDIES = """
DELETE FROM studies WHERE study_id IN (SELECT value FROM json_each(?))
AND NOT EXISTS (SELECT 1 FROM images WHERE images.study_id = studies.study_id)"""
_EMPTY_STUDIES: LiteralString = (
    " FROM studies WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.study_id = studies.study_id)"
)
_ORPHANS: LiteralString = " FROM vectors WHERE slot NOT IN (SELECT slot FROM images)"

_SELECT_STUDIES = """
SELECT study_id, subject_id, study_date, split,
    (SELECT json_group_object(label, value) FROM labels WHERE study = number), report,
    labels_by, positives_only, sex, age, report_language
FROM studies WHERE study_id IN (SELECT value FROM json_each(?))"""
_WRITE_STUDY = """
INSERT INTO studies (study_id, subject_id, study_date, split, report, labels_by, positives_only, sex, age,
    report_language)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (study_id) DO UPDATE SET
    subject_id = excluded.subject_id, study_date = excluded.study_date, split = excluded.split,
    report = excluded.report, labels_by = excluded.labels_by, positives_only = excluded.positives_only,
    sex = excluded.sex, age = excluded.age, report_language = excluded.report_language
RETURNING number"""
_CLEAR_LABELS = "DELETE FROM labels WHERE study = ?"
_ADD_LABEL = "INSERT INTO labels (study, label, value) VALUES (?, ?, ?)"


def put(connection: Connection, images: Sequence[ImageRecord], vectors: Vectors) -> None:
    """Write images with their vectors; rows with the same ids are replaced."""
    fingerprint = require_fingerprint(fingerprint_of(connection))
    if not images:
        return
    units = unit_rows(vectors, fingerprint.dimension, images)
    ids = json.dumps([image.image_id for image in images])
    replaced = {image_id: (study, created_at) for image_id, study, created_at in connection.execute(_REPLACED, (ids,))}
    connection.execute(_DELETE, (ids,))
    connection.executemany(_MAKE_STUDY, [(image.study_id, image.subject_id) for image in images])
    for image, unit in zip(images, units, strict=True):
        _, created_at = replaced.get(image.image_id, (None, None))
        slot = connection.execute(_INSERT, (*_cells(image), fingerprint.model, created_at)).lastrowid
        connection.execute(_INSERT_VECTOR, (slot, vector_to_blob(unit)))
    reindex(connection, [image.study_id for image in images] + [study for study, _ in replaced.values()])


def known_ids(connection: Connection, ids: Iterable[ImageId]) -> set[ImageId]:
    """Return the ids among `ids` of images that are stored and not external."""
    return {ImageId(image_id) for (image_id,) in connection.execute(_KNOWN, (json.dumps(list(ids)),))}


def get(connection: Connection, ids: Sequence[ImageId], with_vectors: bool) -> dict[ImageId, StoredImage]:
    """Return the stored images by id, in the order of `ids`; unknown ids are left out."""
    bound = {"ids": json.dumps(list(ids)), "vectors": with_vectors}
    rows = connection.execute(_STORED, bound)
    found = {stored.image.image_id: stored for stored in map(_stored, rows)}
    return {image_id: found[image_id] for image_id in ids if image_id in found}


def images_after(connection: Connection, after: ImageId | None, limit: int) -> list[StoredImage]:
    """Return the next images by id."""
    rows = connection.execute(_NEXT, {"after": after or "", "limit": limit, "vectors": True})
    return list(map(_stored, rows))


def vectors_and_files_after(connection: Connection, after: ImageId | None, limit: int) -> list[VectorAndFile]:
    """Return what `verify` checks of the next images by id."""
    rows = connection.execute(_NEXT_CHECKED, {"after": after or "", "limit": limit, "separator": os.sep})
    return [_vector_and_file(connection, row) for row in rows.fetchall()]


def _vector_and_file(connection: Connection, row: tuple[Any, ...]) -> VectorAndFile:
    image_id, external, reading, path, root, vector, recorded, size, mtime_ns, image_then, cell = row
    if isinstance(recorded, str):
        file, known = recorded, Outcome(recorded, size, mtime_ns, image_then, *reason_from_cell(cell))
    else:
        file = str(Path(path_from_cell(root)) / path_from_cell(path))
        known = outcomes(connection, [file]).get(file)
    return VectorAndFile(ImageId(image_id), file, bool(external), vector_from_blob(vector), reading or 1, known)


def forget(connection: Connection, where: Filter, wiper: CopyWiper) -> int:
    """Remove images, the outcomes of their files, and studies left without any."""
    gone = connection.execute(*compose(_TO_FORGET, where)).fetchall()
    ids = json.dumps([image_id for image_id, _ in gone])
    connection.execute(_DELETE, (ids,))
    connection.execute(_FORGET_FILES, (ids,))
    studies = {study_id for _, study_id in gone} | _named_alone(connection, where)
    reindex(connection, studies)
    connection.execute(_FORGET_STUDIES, (json.dumps(sorted(studies)),))
    wiper.wipe(connection)
    return len(gone)


def count_orphans(connection: Connection, *, remove: bool) -> int:
    """Count vectors without an image, and remove them if asked.

    A program leaves them that deletes rows with foreign keys switched off.
    """
    orphans = connection.execute("SELECT count(*)" + _ORPHANS).fetchone()[0]
    if remove:
        connection.execute("DELETE" + _ORPHANS)
    return orphans


def count_empty_studies(connection: Connection, *, remove: bool) -> int:
    """Count studies without an image, and remove them if asked."""
    count = connection.execute("SELECT count(*)" + _EMPTY_STUDIES).fetchone()[0]
    if remove:
        connection.execute("DELETE" + _EMPTY_STUDIES)
    return count


def _named_alone(connection: Connection, where: Filter) -> set[str]:
    """Return the studies that `where` names by study or subject and nothing else; they may have no images."""
    if where != Filter(study_id=where.study_id, subject_id=where.subject_id):
        return set()
    rows = connection.execute(_NAMED_STUDIES, {"study_id": where.study_id, "subject_id": where.subject_id})
    return {study_id for (study_id,) in rows}


def _cells(image: ImageRecord) -> tuple[Any, ...]:
    metadata = {
        "view_source": image.view_source,
        "tags": dict(image.tags),
        "grayscale": dict(image.grayscale),
        "reading": image.reading,
    }
    return (
        image.image_id,
        image.study_id,
        image.subject_id,
        image.view_position,
        path_to_cell(image.image_path),
        path_to_cell(image.root),
        json.dumps(metadata),
        sample_key(image.image_id),
    )


def _stored(row: tuple[Any, ...]) -> StoredImage:
    image_id, study_id, subject_id, view, path, root, metadata, made_by, *study_cells, blob = row
    external = made_by is None
    details: dict[str, Any] = (
        {} if external else json.loads(metadata)
    )  # the metadata of another program have their own format
    image = ImageRecord(
        ImageId(image_id),
        StudyId(study_id),
        SubjectId(subject_id),
        view_position=view,
        view_source=details.get("view_source", "none"),
        image_path=path_from_cell(path),
        root=path_from_cell(root),
        tags=details.get("tags", {}),
        grayscale=details.get("grayscale", details.get("grey_scale", {})),
        reading=details.get("reading", 1),
    )
    return StoredImage(image, _study(image, *study_cells), external, vector_from_blob(blob))


def _study(
    image: ImageRecord,
    subject_id: str | None,
    study_date: str | None,
    split: str | None,
    report: str | None,
    labels: str,
    labels_by: str | None,
    positives_only: int | None,
    sex: str | None,
    age: int | None,
    report_language: str | None,
) -> Study:
    """Return the image's study; that of an external image may be missing, and then only its ids are known."""
    subject = SubjectId(subject_id or image.subject_id)
    labelled = json.loads(labels)
    return Study(
        image.study_id,
        subject,
        study_date,
        split,
        labelled,
        report,
        labels_by,
        bool(positives_only),
        sex,
        age,
        report_language,
    )


def put_studies(connection: Connection, studies: Sequence[Study]) -> int:
    """Merge studies into the stored ones; return how many changed."""
    new = merge_studies(_stored_studies(connection, studies), studies)
    for study in new:
        _write_study(connection, study)
    reindex(connection, [study.study_id for study in new])
    return len(new)


def _stored_studies(connection: Connection, studies: Sequence[Study]) -> dict[StudyId, Study]:
    ids = json.dumps([study.study_id for study in studies])
    rows = connection.execute(_SELECT_STUDIES, (ids,))
    return {
        StudyId(study_id): Study(
            StudyId(study_id),
            SubjectId(subject_id),
            study_date,
            split,
            json.loads(labels),
            report,
            labels_by,
            bool(positives_only),
            *patient,
        )
        for study_id, subject_id, study_date, split, labels, report, labels_by, positives_only, *patient in rows
    }


def _write_study(connection: Connection, study: Study) -> None:
    row = (
        study.study_id,
        study.subject_id,
        study.study_date,
        study.split,
        study.report,
        study.labels_by,
        study.positives_only or None,
        study.sex,
        study.age,
        study.report_language,
    )
    (number,) = connection.execute(_WRITE_STUDY, row).fetchone()
    connection.execute(_CLEAR_LABELS, (number,))
    connection.executemany(_ADD_LABEL, [(number, label, value) for label, value in study.labels.items()])
