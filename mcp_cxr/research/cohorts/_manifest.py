"""The manifest of a cohort: one JSON object that says how it was made, then one line for each image.

Its form is canonical: keys sorted, no spaces, images by id, no time of writing. So the same archive and the same
request give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

FORMAT = "mcp-cxr cohort 1"
FORGOTTEN_ID = "(forgotten)"
UNSPLIT, UNASSIGNED = "all", "unassigned"
"""Names of the only split of a cohort that is not split, and of images without an official split."""
_DAMAGED = (
    "The manifest of cohort {0} is damaged. Remove it with `mcp-cxr cohort remove {0}`, and make the cohort again."
)
_NEEDED = frozenset(
    (
        *("name", "query", "understood", "filters", "matched", "counts", "per_subject", "split", "seed", "balance"),
        *("mirrored", "digests", "images", "studies", "subjects", "splits", "patient_safe", "patients", "labels_by"),
        *("fingerprint", "versions", "built_by", "searchable_words", "leaks", "forgotten", "warnings"),
    )
)
"""Of the header: what every reader of a manifest relies on."""
_EDITED = "edited"
_MAY_NAME_IDS = ("query", "understood", "filters", "leaks", "warnings")
"""Of the header: what may name images, studies and patients."""


@dataclass(frozen=True, slots=True)
class CohortRow:
    """One image as it was when the cohort was made."""

    image_id: str
    study_id: str
    subject_id: str
    split: str | None
    """None: the cohort is not split, or the archive records no split of the study."""
    view: str
    matched: str
    """full or part."""
    path: str
    """Absolute."""
    size: int | None
    """Bytes, as ingest recorded them."""
    mtime_ns: int | None
    labels: Mapping[str, int]
    """Of the study: 1 present, 0 absent, -1 uncertain."""
    sha256: str | None = None
    """Of the file; None unless digests were asked for."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """A manifest."""

    header: Mapping[str, Any]
    """How it was made, and its counts; without the digest, which is computed."""
    rows: tuple[CohortRow, ...]
    """By image id."""
    is_as_written: bool = True
    """False: its manifest was edited."""

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.header["name"])

    def to_bytes(self) -> bytes:
        """Return the manifest's canonical form; its first line has the digest of all else, if it was not edited."""
        lines = [_canonical(asdict(row)) for row in self.rows]
        digest = _digest(self.header, lines) if self.is_as_written else _EDITED
        return b"\n".join([_canonical({**self.header, "digest": digest}), *lines, b""])

    def without(self, is_forgotten: Callable[[CohortRow], bool]) -> Cohort:
        """Return the cohort without some images, and without their ids anywhere; the header says how many were removed.

        The same object is returned if there are none.
        """
        gone = [row for row in self.rows if is_forgotten(row)]
        if not gone:
            return self
        kept = tuple(row for row in self.rows if not is_forgotten(row))
        ids = {row.image_id for row in gone}
        for name in ("study_id", "subject_id"):
            ids |= {getattr(row, name) for row in gone} - {getattr(row, name) for row in kept}
        before = self.header["forgotten"]
        told = {name: _without_ids(self.header[name], ids) for name in _MAY_NAME_IDS}
        header = {**self.header, **told, **counts_of_rows(kept, is_split=self.header["split"] != "none")}
        return replace(self, header={**header, "forgotten": before + len(gone)}, rows=kept)


def read_cohort(content: bytes, name: str) -> Cohort:
    """Return the cohort of a manifest.

    Raises:
        ConfigError: It is no manifest, or one of another version.
    """
    try:
        first, *lines = content.rstrip(b"\n").split(b"\n")
        header: dict[str, Any] = json.loads(first)
        digest = header.pop("digest")
        rows = tuple(CohortRow(**json.loads(line)) for line in lines)
        is_known = header["format"] == FORMAT
        is_whole = header.keys() >= _NEEDED
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise ConfigError(_DAMAGED.format(name)) from exc
    if is_known and not is_whole:
        raise ConfigError(_DAMAGED.format(name))
    if not is_known:
        raise ConfigError(
            f"Another version of mcp-cxr made cohort {name}; use that version, or remove the cohort and make it again."
        )
    return Cohort(header, rows, is_as_written=digest == _digest(header, lines))


def counts_of_rows(rows: Collection[CohortRow], *, is_split: bool) -> dict[str, Any]:
    """Return the numbers of images, studies and subjects of all rows, and of each split."""
    names = sorted({row.split or "" for row in rows}, key=_order_of_split)
    unnamed = UNASSIGNED if is_split else UNSPLIT
    splits = {name or unnamed: _counts(row for row in rows if (row.split or "") == name) for name in names}
    return {**_counts(rows), "splits": splits}


def _order_of_split(name: str) -> tuple[int, str]:
    known = ("train", "validate", "test")
    return (known.index(name) if name in known else len(known) + (not name), name)


def _counts(rows: Iterable[CohortRow]) -> dict[str, int]:
    found = list(rows)
    return {
        "images": len(found),
        "studies": len({row.study_id for row in found}),
        "subjects": len({row.subject_id for row in found}),
    }


def _without_ids(value: Any, ids: Collection[str]) -> Any:  # noqa: ANN401 - JSON
    """Return JSON in which no text names one of the ids, with or without its letter."""
    if isinstance(value, dict):
        return {name: _without_ids(one, ids) for name, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_without_ids(one, ids) for one in cast("list[Any]", value)]
    if not isinstance(value, str):
        return value
    for one in ids:
        bare = one[1:] if one[1:].isdigit() else one
        if bare and bare in value:  # an id such as 1 is in many a number: only whole words are one
            named = "|".join(map(re.escape, (one, bare)))
            value = re.sub(rf"(?<![^\W_])({named})(?![^\W_])", FORGOTTEN_ID, value)
    return value


def _digest(header: Mapping[str, Any], lines: Iterable[bytes]) -> str:
    digest = hashlib.sha256(_canonical(header))
    for line in lines:
        digest.update(b"\n" + line)
    return digest.hexdigest()


def _canonical(value: Any) -> bytes:  # noqa: ANN401 - JSON
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
