"""The base class of adapters: one names the tables of a data set, reads them, and gives the facts of a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from mcp_cxr.layouts._cell_values import label_value

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mcp_cxr.layouts._facts import FileFacts
    from mcp_cxr.layouts._tables import OpenTable

T = TypeVar("T")

_FEWEST_PRESENT = 3  # columns of a signature without the one that is missing


_STRENGTH = (0, -1, 1)


@dataclass(frozen=True, slots=True)
class TableForm:
    """One kind of table of a data set."""

    kind: str
    name: re.Pattern[str]
    """The names it is published under."""
    keys: tuple[str, ...]
    """Columns without which nothing can be read."""
    expected: tuple[str, ...] = ()
    """Columns whose absence is a warning."""
    signature: tuple[str, ...] = ()
    """Columns that identify it under any name; empty: only its name does."""
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    """Other names of columns."""
    superseded_by: tuple[str, ...] = ()
    """It is not read if there is a table of any of these kinds."""
    is_needed: bool = True
    """False: a known table that says nothing that the others do not."""
    is_one_of_several: bool = False
    """Whether all tables of this kind are read, not only the first."""
    headless: tuple[str, ...] = ()
    """The columns of a table without a header."""
    folds_case: bool = False
    """Whether capitals and blanks in names of columns do not matter."""

    def columns(self, header: Sequence[str]) -> list[str]:
        """Return the names of a table's columns as this kind of table has them; capitals do not matter."""
        names = ["_".join(name.lower().split()) for name in header] if self.folds_case else header
        names = [self.aliases.get(name, name) for name in names]
        in_small = {name.lower(): name for name in (*self.keys, *self.expected, *self.signature) if name not in names}
        return [in_small.pop(name.lower(), name) for name in names]

    def missing(self, header: Sequence[str]) -> list[str]:
        """Return the columns of the signature that a table with these columns lacks."""
        return [name for name in self.signature if name not in self.columns(header)]

    def has_signature(self, header: Sequence[str]) -> bool:
        """Whether a table with these columns is of this kind, whatever its name."""
        return bool(self.signature) and not self.missing(header)

    def nearly_has_signature(self, header: Sequence[str]) -> bool:
        """Whether a table with these columns lacks one of the many columns of this kind."""
        return len(self.signature) > _FEWEST_PRESENT and len(self.missing(header)) == 1


class RowsByKey(Generic[T]):
    """The rows of a table by key; records which keys were looked up, so that unused tables are reported."""

    def __init__(self, pairs: Iterable[tuple[str, T]]) -> None:
        self.rows = 0
        self.used_keys: set[str] = set()
        self._values: dict[str, T] = {}
        self._repeated: dict[str, int] = {}
        for key, value in pairs:
            self.add(key, value)

    def add(self, key: str, value: T) -> None:
        """Add a row; the last one of a key is kept."""
        self.rows += 1
        if key in self._values:
            self._repeated[key] = self._repeated.get(key, 0) + 1
        self._values[key] = value

    def get(self, key: str) -> T | None:
        """Return the row of `key`; None if there is none."""
        value = self._values.get(key)
        if value is not None:
            self.used_keys.add(key)
        return value

    def keys(self) -> Iterable[str]:
        """Return all keys."""
        return self._values.keys()

    def values(self) -> Iterable[T]:
        """Return all rows; of several with one key, the last."""
        return self._values.values()

    @property
    def used_rows(self) -> int:
        """The number of rows whose key was looked up."""
        return sum(1 + self._repeated.get(key, 0) for key in self.used_keys)


@dataclass(slots=True)
class TableReading:
    """One table while it is read, with what was left out."""

    path: Path
    table: OpenTable
    bad_labels: int = 0

    def labelled(self, names: Sequence[str], cells: Sequence[str]) -> dict[str, int]:
        """Return the values of labels, without the empty ones; what is no value of a label is counted."""
        labels: dict[str, int] = {}
        for name, cell in zip(names, cells, strict=True):
            if cell:
                try:
                    value = label_value(cell)
                except ValueError:
                    self.bad_labels += 1
                    continue
                if value is not None:
                    labels[name] = value
        return labels


class Adapter(ABC):
    """One data set's layout.

    To add one: copy the module of the data set most like it, and add the class to `adapters.ADAPTERS`.
    """

    name: ClassVar[str]
    """As `--layout` takes it."""
    title: ClassVar[str]
    tables: ClassVar[tuple[TableForm, ...]] = ()
    lacks: ClassVar[tuple[str, ...]] = ()
    """What the data set does not have, in sentences."""
    documents: ClassVar[re.Pattern[str] | None] = None
    """The names of reports that are no tables: XML files, or zip or tar files of reports."""
    label_names: ClassVar[Mapping[str, str]] = {}
    """CheXpert's name of those labels for which the data set has another name; both are kept."""

    def __init__(self) -> None:
        self.loaded: dict[str, list[RowsByKey[Any]]] = {}
        """What was read, by the kind of table."""
        self.root: Path | None = None
        """The folder that is ingested."""
        self.load_table: Callable[[Path, TableForm], None] | None = None
        """Reads one more table, found while facts were asked for."""
        self.texts_near: frozenset[Path] = frozenset()
        """Text files near the images that may be reports."""
        self.texts_used: set[Path] = set()
        """Those among them that were read as reports."""

    def find(self, kind: str, key: str) -> Any:  # noqa: ANN401 - as the adapter reads this kind
        """Return what the tables of a kind say of `key`; None if nothing."""
        for rows in self.loaded.get(kind, ()):
            if (value := rows.get(key)) is not None:
                return value
        return None

    @abstractmethod
    def read(self, form: TableForm, reading: TableReading) -> RowsByKey[Any]:
        """Read one table."""

    def read_xml_and_zip(self, paths: Sequence[Path], warn: Callable[[str], None]) -> None:
        """Read reports that are no tables into `loaded`; warn of what was left out."""
        raise NotImplementedError  # an adapter with `documents` has its own

    def close(self) -> None:  # noqa: B027 # few adapters keep a file open
        """Close what was opened."""

    @abstractmethod
    def facts_of(self, path: str) -> FileFacts | None:
        """Return what is known of the file at an absolute path with slashes; None if it is not of this data set."""

    def report_of(self, path: Path, facts: FileFacts, folders: Sequence[Path]) -> str | None:
        """Return the report of an image's study; None if there is none."""
        del path, folders
        return facts.report

    def use_text(self, path: Path) -> None:
        """Remember that a text file was read as a report."""
        if path in self.texts_near:
            self.texts_used.add(path)

    def with_common_names(self, labels: Mapping[str, int]) -> dict[str, int]:
        """Return labels with CheXpert's names beside the data set's own; of several under one name, the strongest."""
        found = dict(labels)
        for name, value in labels.items():
            if common := self.label_names.get(name):
                found[common] = max(found.get(common, 0), value, key=_STRENGTH.index)
        return found

    def warnings(self) -> Iterator[str]:
        """Yield what people should know after a run."""
        yield from ()
