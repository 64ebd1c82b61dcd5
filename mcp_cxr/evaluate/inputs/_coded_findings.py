"""Codes: what people found in each study, with side and size, from a CSV file."""

from __future__ import annotations

import csv
import difflib
import gzip
import zlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError
from mcp_cxr.language import Status, ancestors, finding_entries, finding_of_label, mentions_in, terms
from mcp_cxr.language.query import parse_query_text
from mcp_cxr.records import LABELS, StudyId, without_mimic_prefix

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path
    from typing import Self, TextIO

_REQUIRED = ("study_id", "finding", "value")
_VALUES = {1.0: Status.PRESENT, 0.0: Status.ABSENT, -1.0: Status.POSSIBLE}
_WRONG_COLUMNS = (
    "{name} is not a table of codes: it needs the columns study_id, finding and value; side and size are optional."
)


@dataclass(frozen=True, slots=True)
class Code:
    """One row: a finding of a study."""

    finding: str
    """Its name in the table of findings."""
    status: Status
    sides: frozenset[str] = frozenset()
    """left, right, or both; empty if no side is given."""
    size: str = ""
    """small, moderate, large or borderline; empty if none is given."""


@dataclass(frozen=True, slots=True)
class CodesFile:
    """The rows of a file of codes, by study."""

    name: str
    """The file's, for messages."""
    codes: Mapping[str, tuple[Code, ...]]
    """By study id, without MIMIC's `s`; a study whose findings are all unknown has none."""
    unknown: Mapping[str, str]
    """Names that the table of findings lacks, each with the nearest it has, or "none"; their rows are left out."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a CSV file with the columns study_id, finding, value (1, -1, 0), and perhaps side and size.

        Raises:
            ConfigError: It cannot be read, or has other columns or values.
        """
        try:
            with open_table(path) as lines:
                table = csv.DictReader(lines)
                if not is_codes_table(table.fieldnames or ()):
                    raise ConfigError(_WRONG_COLUMNS.format(name=path.name))
                return cls._of_rows(path.name, table)
        except (OSError, EOFError, zlib.error) as exc:
            raise ConfigError(
                f"Cannot read {path}: it does not exist, is damaged, or you have no permission to read it."
            ) from exc
        except (ValueError, csv.Error) as exc:
            raise ConfigError(f"{path.name} is not a CSV file in UTF-8; save it as one.") from exc

    @classmethod
    def _of_rows(cls, name: str, rows: csv.DictReader[str]) -> Self:
        found: dict[str, list[Code]] = {}
        unknown: dict[str, str] = {}
        for row in rows:
            given = (row["finding"] or "").strip()
            codes = found.setdefault(without_mimic_prefix(StudyId((row["study_id"] or "").strip())), [])
            if not (row["value"] or "").strip():
                continue
            if finding := finding_named(given):
                codes.append(_code(row, finding, f"{name}, line {rows.line_num}"))
            elif given not in unknown:
                unknown[given] = _nearest(given)
        return cls(name, {study: tuple(codes) for study, codes in found.items()}, unknown)

    def of_study(self, study_id: str) -> tuple[Code, ...] | None:
        """Return the codes of a study; None if the file does not name it."""
        return self.codes.get(without_mimic_prefix(StudyId(study_id)))

    def findings(self) -> list[str]:
        """Return the names of the findings that are coded, in the file's order."""
        return list(dict.fromkeys(code.finding for codes in self.codes.values() for code in codes))

    def labels(self) -> dict[str, dict[str, int]]:
        """Return each study's CheXpert labels: those of its findings, and 0 for others that the file has."""
        by_study = {study: _labels(codes) for study, codes in self.codes.items()}
        known = {label: 0 for labels in by_study.values() for label in labels}
        return {study: known | labels for study, labels in by_study.items()}


def open_table(path: Path) -> TextIO:
    """Open a CSV file to read, gzipped if its name says so."""
    return (gzip.open if path.suffix == ".gz" else open)(path, "rt", newline="", encoding="utf-8-sig")  # pyright: ignore[reportReturnType]  # text, by "rt"


def is_codes_table(columns: Collection[str]) -> bool:
    """Return whether these are the columns of a file of codes."""
    return all(name in columns for name in _REQUIRED)


@cache
def finding_named(name: str) -> str | None:
    """Return the name in the table of findings of what is given by any of its names; None if it has no such finding."""
    if name.casefold() in finding_entries():
        return name.casefold()
    words = terms(name)
    mentions = (mention for mention in mentions_in(name) if mention.finding)
    return next((mention.name for mention in mentions if words and list(mention.stems) == words), None)


def _nearest(name: str) -> str:
    """Return the finding that a name most likely means, or "none"."""
    wanted = [one.name for group in parse_query_text(name).wanted for one in group]
    return next(iter(wanted or difflib.get_close_matches(name.casefold(), finding_entries(), n=1)), "none")


def _code(row: Mapping[str, str | None], finding: str, where: str) -> Code:
    try:
        status = _VALUES[float(row["value"] or "")]
    except (ValueError, KeyError) as exc:
        raise ConfigError(f"{where}: the value is {row['value']!r}; it must be 1, -1 (uncertain) or 0.") from exc
    side, size = ((row.get(column) or "").strip() for column in ("side", "size"))
    sides, sizes = _modifiers(side, "side"), _modifiers(size, "size")
    if bool(side) != bool(sides):
        raise ConfigError(f"{where}: the side is {side!r}; it must be left, right, bilateral or empty.")
    if bool(size) != bool(sizes):
        raise ConfigError(f"{where}: the size is {size!r}; it must be small, moderate, large or empty.")
    return Code(finding, status, sides, min(sizes, default=""))


@cache
def _modifiers(text: str, dimension: str) -> frozenset[str]:
    """Return the sides or sizes that a cell names, such as "bilateral" or "tiny"."""
    if not text:
        return frozenset()
    found = (mention.modifiers_of(dimension) for mention in mentions_in(f"{text} opacity") if mention.finding)
    return next(found, frozenset[str]())


_ORDER = (Status.ABSENT, Status.POSSIBLE, Status.PRESENT)
_VALUE_OF = {status: int(value) for value, status in _VALUES.items()}


def strongest_status(statuses: Iterable[Status]) -> Status | None:
    """Return present if any is, else possible, else absent; None if there is none."""
    return max(statuses, key=_ORDER.index, default=None)


@cache
def _label_of_finding() -> dict[str, str]:
    return {finding.name: label for label in LABELS if (finding := finding_of_label(label))}


def _labels(codes: Iterable[Code]) -> dict[str, int]:
    """Return the labels of a study's findings and of the broader findings that they are a kind of."""
    statuses: dict[str, list[Status]] = {}
    for code in codes:
        broader = () if code.status is Status.ABSENT else ancestors(code.finding)
        for name in (code.finding, *broader):
            if label := _label_of_finding().get(name):
                statuses.setdefault(label, []).append(code.status)
    return {label: _VALUE_OF[max(given, key=_ORDER.index)] for label, given in statuses.items()}
