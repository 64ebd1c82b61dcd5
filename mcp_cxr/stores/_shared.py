"""Behavior shared by all stores: argument checks and their messages, normalization, merging studies, BM25, ties."""

from __future__ import annotations

from dataclasses import fields
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np

from mcp_cxr.errors import (
    ConfigError,
    DimensionMismatch,
    FingerprintMismatch,
    SchemaMismatch,
    StoreError,
    StoreMissing,
    VectorRefused,
)
from mcp_cxr.records import VIEW_GROUPS, Filter, Study

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from mcp_cxr.records import Fingerprint, ImageRecord, Outcome, RankedImage, StudyId, Vectors

_VIEW_RANKS = {view: rank for rank, views in enumerate(VIEW_GROUPS.values()) for view in views}
_FIELDS = tuple(field.name for field in fields(Filter))
_TOLERANCE = 1e-6  # how far rounding to float32 moves the length of a unit vector

_VERSION = "\treading "
_K1, _B = 1.2, 0.75  # SQLite documentation, fts5 section 5.1.1
_LEAST_IDF = 1e-6


def check_fingerprint(stored: Fingerprint | None, given: Fingerprint | None) -> None:
    """Check that new vectors can be compared with the stored ones, if there are any.

    Raises:
        FingerprintMismatch: They cannot.
    """
    if stored and given and not stored.is_comparable_with(given):
        raise FingerprintMismatch(stored.mismatch(given))


def check_key(stored: str | None, given: str | None) -> None:
    """Check that new ids are hashed with the key of the stored ones, if there are any.

    Raises:
        ConfigError: They are not.
    """
    if stored and given and stored != given:
        raise ConfigError(
            "The archive's ids were hashed with another key. Set MCP_CXR_ID_KEY_FILE to the key it was made with."
        )


def given_fields(where: Filter) -> dict[str, Any]:
    """Return the fields of a filter that are set."""
    values = {name: getattr(where, name) for name in _FIELDS}
    return {name: value for name, value in values.items() if value is not None and value != ()}


def check_not_empty(where: Filter) -> None:
    """Check that a filter for `Store.forget` names something.

    Raises:
        ValueError: It does not.
    """
    if where == Filter():
        raise ValueError("An empty filter would remove everything; use `drop` for that.")


def require_fingerprint(fingerprint: Fingerprint | None) -> Fingerprint:
    """Return the fingerprint of an archive that vectors are written to.

    Raises:
        FingerprintMismatch: It has none yet.
    """
    if fingerprint is None:
        raise FingerprintMismatch("The archive has no fingerprint yet. Call `create` with the embedder's.")
    return fingerprint


def store_missing(location: str) -> StoreMissing:
    """Return the error of an archive that does not exist."""
    return StoreMissing(f"Nothing has been stored in {location} yet. Run `mcp-cxr ingest PATH`.")


def schema_mismatch(location: str, *, found: object, wanted: int) -> SchemaMismatch:
    """Return the error of an archive that another version of this package made."""
    return SchemaMismatch(
        f"{location} has schema version {found}; this mcp-cxr reads and writes version {wanted}. Use the mcp-cxr that"
        " made it, or `mcp-cxr table drop --force` and ingest again."
    )


def reason_to_cell(outcome: Outcome) -> str | None:
    """Return the cell for why a file was refused, and by which version: old archives have the reason alone."""
    return None if outcome.reason is None else f"{outcome.reason}{_VERSION}{outcome.reading}"


def reason_from_cell(cell: str | None) -> tuple[str | None, int]:
    """Return why a file was refused, and `images.READING` of what refused it."""
    reason, _, reading = (cell or "").partition(_VERSION)
    return reason or None, int(reading) if reading else 1


def damaged_vector_error() -> StoreError:
    """Return the error of a row whose vector is missing or has the wrong length."""
    return StoreError("A stored vector is missing or damaged. Run `mcp-cxr table verify`.")


def unit_rows(vectors: Vectors, dimension: int, images: Sequence[ImageRecord] = ()) -> Vectors:
    """Return `vectors` at unit length.

    A row of unit length stays the same bit by bit, so that copying an archive changes nothing.

    Args:
        vectors: One in each row.
        dimension: Their length.
        images: Those of the rows, to name one in an error; empty for a query.

    Raises:
        DimensionMismatch: A row is not `dimension` long.
        VectorRefused: A row is zero or not finite.
    """
    rows = np.array(vectors, dtype=np.float64)  # the length of a float32 vector may exceed float32
    if rows.shape[-1] != dimension:
        raise DimensionMismatch(f"A vector has {rows.shape[-1]} numbers; those of the archive have {dimension}.")
    lengths = np.sqrt(np.vecdot(rows, rows))
    least, most = lengths.min(initial=1), lengths.max(initial=1)  # NaN if there is one
    if least == 0 or not most < np.inf:
        number = int(np.argmax((lengths == 0) | ~np.isfinite(lengths)))
        owner = f"image {images[number].image_id}" if images else "the query"
        raise VectorRefused(
            f"The vector of {owner} is zero or not finite. Nothing was written; embed it again, or check the embedder."
        )
    if 1 - least >= _TOLERANCE or most - 1 >= _TOLERANCE:
        others = np.abs(lengths - 1) >= _TOLERANCE
        rows[others] /= lengths[others, None]
    return rows.astype(np.float32)


def merge_studies(before: Mapping[StudyId, Study], given: Sequence[Study]) -> list[Study]:
    """Return the studies that change, each once, as they are to be stored.

    Args:
        before: The stored ones among `given`.
        given: In order; a later one of the same study overrides an earlier one.
    """
    after = dict(before)
    for study in given:
        after[study.study_id] = _merged(after.get(study.study_id, study), study)
    return [study for study_id, study in after.items() if study != before.get(study_id)]


def _merged(old: Study, new: Study) -> Study:
    """Return `old` with every field that `new` fills; what is empty in both is None."""
    labelled = new if new.labels and not _has_better_labels(old, new) else old
    return Study(
        old.study_id,
        new.subject_id or old.subject_id,
        study_date=new.study_date or old.study_date or None,
        split=new.split or old.split or None,
        labels=dict(labelled.labels),
        report=new.report or old.report or None,
        labels_by=labelled.labels_by if labelled.labels else None,
        positives_only=bool(labelled.labels) and labelled.positives_only,
        sex=new.sex or old.sex,
        age=old.age if new.age is None else new.age,
        report_language=(new if new.report else old).report_language,
    )


def _has_better_labels(old: Study, new: Study) -> bool:
    """Whether people gave the old labels, and a program the new ones."""
    return bool(old.labels) and old.labels_by == "people" and new.labels_by != "people"


def term_scores(
    occurrences: NDArray[np.integer[Any]],
    lengths: NDArray[np.integer[Any]],
    *,
    documents: int,
    mean_length: float,
    by_presence: bool = False,
) -> NDArray[np.float64]:
    """Return what one term adds to the BM25 of each document that contains it, as FTS5 computes it.

    Args:
        occurrences: Of the term in each of these documents.
        lengths: Terms in each of them.
        documents: Number of all documents.
        mean_length: Of all documents, in terms.
        by_presence: As `Store.match`: the term's idf for each of these documents.
    """
    idf = max(log((documents - len(occurrences) + 0.5) / (len(occurrences) + 0.5)), _LEAST_IDF)
    if by_presence:
        return np.full(len(occurrences), idf)
    return idf * (occurrences * (_K1 + 1) / (occurrences + _K1 * (1 - _B + _B * (lengths / mean_length))))


def view_rank(view_position: str) -> int:
    """Return the rank of a view among images that tie: 0 for a frontal, 1 for a lateral, 2 for any other."""
    return _VIEW_RANKS.get(view_position, len(VIEW_GROUPS))


def best_first(images: Iterable[RankedImage], limit: int | None = None) -> list[RankedImage]:
    """Return the `limit` images with the highest scores, or all; ties by image id."""
    return sorted(images, key=lambda image: (-image.score, image.image_id))[:limit]
