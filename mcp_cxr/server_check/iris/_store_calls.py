"""Every operation of the store, with generated inputs and the archive's first ids, which are never recorded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import StoreError
from mcp_cxr.records import Filter, Fingerprint, ImageId, ImageRecord, Outcome, Study, StudyId, SubjectId, TermClause
from mcp_cxr.server_check._operation_and_plan_codes import FILTERS
from mcp_cxr.stores.iris.schema import (
    create_tables,
    drop_tables,
    read_entries,
    record_report_reader,
    replace_fingerprint,
)
from mcp_cxr.stores.iris.tables import FactsReader, files, images, rankings_and_counts, studies

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mcp_cxr.records import Vectors
    from mcp_cxr.server_check.iris._recorded_statements import RecordedStatements
    from mcp_cxr.stores.iris.schema import Entries

Call = tuple[str, "Callable[[RecordedStatements], object]"]

_TERMS = ("effusion", "edema")
_LIMIT = 10
_PATH = "/no/such/file"
_ONE_FIELD: dict[str, object] = {
    "view": ("PA", "AP"),
    "image_id": ImageId("none"),
    "study_id": StudyId("none"),
    "subject_id": SubjectId("none"),
    "labels": ("Edema", "Pneumonia"),
    "labels_absent": ("Edema",),
    "labels_blank": ("Edema",),
    "split": "train",
    "date_from": "2100-01-01",
    "date_to": "2100-12-31",
    "has_report": True,
    "sex": "F",
    "age_from": 40,
    "age_to": 60,
    "lacks_sex": True,
    "lacks_age": True,
    "exclude_subject": SubjectId("none"),
    "exclude_images": (ImageId("none"),),
    "only_images": (ImageId("none"),),
    "clauses": (TermClause(any_of=_TERMS, or_lacks=("pneumonia",)),),
}
BY_VIEW = Filter(view=("PA",))
_BY_ALL = Filter(**{name: _ONE_FIELD[name] for name in FILTERS})  # pyright: ignore[reportArgumentType]  # the types of its fields


class FactsRefused(StoreError):
    """The server refuses the one statement that reads all facts of a result."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the operations are called with."""

    location: str
    entries: Entries
    ids: tuple[ImageId, ...]
    study_ids: tuple[StudyId, ...]
    query: Vectors
    """Float32, shape (1, dimension)."""


def read_inputs(statements: RecordedStatements, location: str) -> Inputs:
    """Return the inputs for the archive of these tables.

    Raises:
        StoreMissing: There is none.
    """
    entries = read_entries(statements, location)
    statements.has_later_columns = entries.has_later_columns
    first = images.images_after(statements, None, 3)
    fingerprint = entries.fingerprint
    return Inputs(
        location,
        entries,
        tuple(one.image.image_id for one in first),
        tuple(one.image.study_id for one in first),
        drawn_vectors(1, fingerprint.dimension if fingerprint else 8),
    )


def drawn_vectors(count: int, dimension: int, *, seed: int = 0) -> Vectors:
    """Return float32 vectors of unit length, shape (count, dimension), the same at each call."""
    drawn = np.random.default_rng(seed).standard_normal((count, dimension), dtype=np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def reads(given: Inputs) -> list[Call]:
    """Return the operations of `READS`, in its order."""
    ranking, ids, study_ids, vector = rankings_and_counts, list(given.ids), list(given.study_ids), given.query[0]
    after = ids[0] if ids else ImageId("a")
    return [
        ("entries", lambda on: read_entries(on, given.location)),
        ("known ids", lambda on: images.known_ids(on, [*ids, ImageId("none")])),
        ("images by id", lambda on: images.get(on, ids or [ImageId("none")], with_vectors=False)),
        ("images by id with vectors", lambda on: images.get(on, ids or [ImageId("none")], with_vectors=True)),
        ("first images", lambda on: images.images_after(on, None, 2)),
        ("next images", lambda on: images.images_after(on, after, 2)),
        ("nearest", lambda on: ranking.nearest(on, given.entries, vector, Filter(), _LIMIT)),
        ("nearest with a filter", lambda on: ranking.nearest(on, given.entries, vector, BY_VIEW, _LIMIT)),
        ("match", lambda on: ranking.match(on, _TERMS, Filter(), _LIMIT, by_presence=False)),
        ("match by presence", lambda on: ranking.match(on, _TERMS, Filter(), _LIMIT, by_presence=True)),
        ("browse", lambda on: ranking.browse(on, _BY_ALL, _LIMIT)),
        ("term counts", lambda on: ranking.term_counts(on, _TERMS)),
        ("study facts", lambda on: ranking.count_study_facts(on, study_ids or [StudyId("none")])),
        ("totals", ranking.totals),
        ("external rows", ranking.count_external),
        ("count images", lambda on: ranking.count(on, Filter(), None)),
        ("count studies", lambda on: ranking.count(on, Filter(), "study")),
        ("count subjects", lambda on: ranking.count(on, Filter(), "subject")),
        ("reference sample", lambda on: ranking.reference_sample(on, given.entries.fingerprint, None)),
        ("facts at once", lambda on: _facts(on, ids or [ImageId("none")], in_parts=False)),
        ("facts in parts", lambda on: _facts(on, ids or [ImageId("none")], in_parts=True)),
        ("facts of no image", lambda on: _facts(on, [], in_parts=False)),
        ("outcomes", lambda on: files.outcomes(on, [_PATH])),
        ("unchanged files", lambda on: files.unchanged_files(on, {_PATH: (0, 0)})),
        ("refused files", files.refused_files),
        ("files of images", lambda on: files.files_of(on, ids or [ImageId("none")])),
        ("files of a name", lambda on: files.files_named(on, "none.dcm")),
        ("empty studies", lambda on: studies.count_empty(on, remove=False)),
        *((f"filter {name}", partial(_count_with, name)) for name in FILTERS),
    ]


def _count_with(name: str, statements: RecordedStatements) -> int:
    where = Filter(**{name: _ONE_FIELD[name]})  # pyright: ignore[reportArgumentType]  # the type of its field
    return rankings_and_counts.count(statements, where, None)


def _facts(statements: RecordedStatements, ids: Sequence[ImageId], *, in_parts: bool) -> object:
    reader = FactsReader()
    reader.in_parts = in_parts
    facts = reader.read(statements, ids, BY_VIEW, "study", with_vectors=True, also_count=[Filter(labels=("Edema",))])
    if reader.in_parts and not in_parts:
        raise FactsRefused("read in several statements")
    return facts


def drawn_fingerprint(dimension: int) -> Fingerprint:
    """Return the fingerprint of drawn vectors."""
    return Fingerprint("drawn", dimension, "1")


def made_images(count: int, *, prefix: str = "i") -> list[ImageRecord]:
    """Return images that do not exist; every hundredth is a lateral."""
    return [
        ImageRecord(
            ImageId(f"{prefix}{number:06d}"),
            StudyId(f"s{number}"),
            SubjectId(f"p{number // 2}"),
            view_position="LATERAL" if number % 100 == 0 else "PA",
            view_source="none",
            image_path=f"made/{prefix}{number}.dcm",
            root="/none",
        )
        for number in range(count)
    ]


def made_studies(count: int) -> list[Study]:
    """Return studies with short reports that no one wrote."""
    reports = ("FINDINGS: Small left pleural effusion.", "FINDINGS: No pneumothorax. Mild edema.")
    return [
        Study(
            StudyId(f"s{number}"),
            SubjectId(f"p{number // 2}"),
            study_date=f"2100-01-{number % 28 + 1:02d}",
            split="train",
            labels={"Edema": number % 2, "Pneumonia": -1},
            report=reports[number % 2],
        )
        for number in range(count)
    ]


def writes(location: str, fingerprint: Fingerprint, count: int) -> list[Call]:
    """Return the operations of `WRITES` up to, not including, those that remove; on new scratch tables."""
    records, vectors = made_images(count), drawn_vectors(count, fingerprint.dimension)
    outcomes = [Outcome(f"/none/{one.image_id}", 1, 1, one.image_id) for one in records[:_LIMIT]]

    def put(statements: RecordedStatements) -> None:
        images.put(statements, fingerprint, records, vectors)

    return [
        ("create tables", lambda on: create_tables(on, location, fingerprint, "/none", None)),
        ("put images", put),
        ("put studies", lambda on: _committed(on, lambda: studies.put_studies(on, made_studies(count)))),
        ("put images again", put),
        ("record outcomes", lambda on: _committed(on, lambda: files.record_outcomes(on, outcomes))),
        ("update fingerprint", lambda on: _committed(on, lambda: _replace_fingerprint(on, location, fingerprint))),
        ("rebuild documents", lambda on: _committed(on, lambda: _rebuild(on))),
    ]


def removals() -> list[Call]:
    """Return the operations of `WRITES` that remove."""
    one, study = Filter(image_id=ImageId("i000001")), Filter(study_id=StudyId("s2"))
    return [
        ("forget image", lambda on: _committed(on, lambda: images.forget(on, one))),
        ("forget study", lambda on: _committed(on, lambda: images.forget(on, study))),
        ("drop tables", drop_tables),
    ]


def _committed(statements: RecordedStatements, change: Callable[[], object]) -> None:
    change()
    statements.connection.commit()


def _replace_fingerprint(statements: RecordedStatements, location: str, fingerprint: Fingerprint) -> None:
    replace_fingerprint(statements, read_entries(statements, location), fingerprint)


def _rebuild(statements: RecordedStatements) -> None:
    studies.reindex_all(statements)
    record_report_reader(statements)
