"""Compares a cohort with the archive and the files as they are now, and two cohorts with each other."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from mcp_cxr.images import PREPROCESSING, READING
from mcp_cxr.records import CohortDifference, CohortVerification, ImageId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mcp_cxr.records import StoredImage
    from mcp_cxr.research.cohorts._manifest import Cohort, CohortRow
    from mcp_cxr.stores import Store

PROBLEMS = (
    "manifest changed",
    "forgotten",
    "facts changed",
    "file gone",
    "file changed",
    "content changed",
    "embedder changed",
    "report reader changed",
    "image reader changed",
)
"""What can differ; `forgotten`: the archive does not have the image any more."""
_BATCH = 1000
_EXAMPLES = 3
_NOT_COMPARED = frozenset(("name", "format", "images", "studies", "subjects", "splits", "leaks", "warnings"))
"""Of the header: what follows from the rest, and names."""


@dataclass(slots=True)
class _Problems:
    """What differs from a cohort as it was made: counts and examples."""

    problems: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PROBLEMS, 0))
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict[str, list[str]](list))

    def add(self, problem: str, example: str) -> None:
        self.problems[problem] += 1
        if len(self.examples[problem]) < _EXAMPLES:
            self.examples[problem].append(example)


async def verify_cohort(
    cohort: Cohort, *, store: Store, has_file_elsewhere: Callable[[Path], bool], digests: bool
) -> CohortVerification:
    """Compare a cohort with the archive and its files.

    Args:
        cohort: To compare.
        store: The archive.
        has_file_elsewhere: Tells of a file that is not there whether the PACS that it was pulled from still has it.
        digests: Whether files whose SHA-256 the manifest has are read and compared.

    Raises:
        StoreError: The store fails or was never made.
    """
    found = _Problems()
    if not cohort.is_as_written:
        found.add("manifest changed", cohort.name)
    info, versions = await store.info(), cohort.header["versions"]
    for problem, before, now in (
        ("embedder changed", cohort.header["fingerprint"], info.fingerprint.facts if info.fingerprint else None),
        ("embedder changed", versions["preprocessing"], PREPROCESSING),
        ("report reader changed", versions["report_reader"], info.reader_version),
        ("image reader changed", versions["image_reader"], READING),
    ):
        if before != now and not found.problems[problem]:
            found.add(problem, f"{_shown(before)} before, {_shown(now)} now")
    for first in range(0, len(cohort.rows), _BATCH):
        rows = cohort.rows[first : first + _BATCH]
        stored = await store.get([ImageId(row.image_id) for row in rows])
        for row in rows:
            _compare_with_archive(row, stored.get(ImageId(row.image_id)), cohort.header["split"], found)
        await to_thread.run_sync(_compare_files, rows, has_file_elsewhere, digests, found)
    return CohortVerification(cohort.name, len(cohort.rows), found.problems, dict(found.examples))


def _shown(value: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return ", ".join(str(one) for one in value.values() if one is not None)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return str(value)


def _compare_with_archive(row: CohortRow, stored: StoredImage | None, split: str, found: _Problems) -> None:
    if stored is None or stored.external:
        found.add("forgotten", row.image_id)
        return
    image, study = stored.image, stored.study
    now = (image.study_id, image.subject_id, image.view_position, str(image.file), dict(study.labels))
    is_same = now == (row.study_id, row.subject_id, row.view, row.path, dict(row.labels))
    if not is_same or (split == "official" and study.split != row.split and row.split is not None):
        found.add("facts changed", row.image_id)


def _compare_files(
    rows: Sequence[CohortRow], has_file_elsewhere: Callable[[Path], bool], digests: bool, found: _Problems
) -> None:
    for row in rows:
        try:
            status = os.stat(row.path)  # noqa: PTH116  # a cohort has many: a Path would take as long as the call
        except OSError:
            if not has_file_elsewhere(Path(row.path)):
                found.add("file gone", row.path)
            continue
        if row.size is not None and (status.st_size, status.st_mtime_ns) != (row.size, row.mtime_ns):
            found.add("file changed", row.path)
        if digests and row.sha256 and file_digest(Path(row.path)) != row.sha256:
            found.add("content changed", row.path)


def file_digest(path: Path) -> str | None:
    """Return the SHA-256 of a file in hexadecimal; None if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def difference(first: Cohort, second: Cohort) -> CohortDifference:
    """Return how two cohorts differ."""
    one, other = ({row.image_id: row for row in cohort.rows} for cohort in (first, second))
    both = sorted(one.keys() & other.keys())
    return CohortDifference(
        only_in_first=sorted(one.keys() - other.keys()),
        only_in_second=sorted(other.keys() - one.keys()),
        other_split=[image for image in both if one[image].split != other[image].split],
        other_facts=[image for image in both if _differ(one[image], other[image])],
        made_differently=_made_differently(first.header, second.header),
    )


def _differ(one: CohortRow, other: CohortRow) -> bool:
    """Whether anything but the split differs; a digest counts if both have it."""
    names = ("study_id", "subject_id", "view", "matched", "labels", "path", "size", "mtime_ns")
    have_digests = one.sha256 is not None and other.sha256 is not None
    return any(getattr(one, name) != getattr(other, name) for name in (*names, *(["sha256"] if have_digests else [])))


def _made_differently(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, list[Any]]:
    names = sorted((first.keys() | second.keys()) - _NOT_COMPARED)
    return {name: [first.get(name), second.get(name)] for name in names if first.get(name) != second.get(name)}
