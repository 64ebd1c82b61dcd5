"""The form of an adapter: it names the tables of a data set, reads them, and tells the facts of a file from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from mcp_cxr.layouts._values import label_value

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mcp_cxr.layouts._facts import FileFacts
    from mcp_cxr.layouts._tables import OpenTable

T = TypeVar("T")


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

    def has_signature(self, header: Sequence[str]) -> bool:
        """Whether a table with these columns is of this kind, whatever its name."""
        named = {self.aliases.get(name, name) for name in header}
        return bool(self.signature) and named.issuperset(self.signature)


class Joined(Generic[T]):
    """What a table says, by key, and which of it was asked for."""

    def __init__(self, pairs: Iterable[tuple[str, T]]) -> None:
        self.rows = 0
        self.joined: set[str] = set()
        self._values: dict[str, T] = {}
        self._repeated: dict[str, int] = {}
        for key, value in pairs:
            self.rows += 1
            if key in self._values:
                self._repeated[key] = self._repeated.get(key, 0) + 1
            self._values[key] = value

    def get(self, key: str) -> T | None:
        """Return what the table says of `key`; None if nothing."""
        value = self._values.get(key)
        if value is not None:
            self.joined.add(key)
        return value

    def values(self) -> Iterable[T]:
        """Return all that it says."""
        return self._values.values()

    @property
    def joined_rows(self) -> int:
        """Rows whose key was asked for."""
        return sum(1 + self._repeated.get(key, 0) for key in self.joined)


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

    def __init__(self) -> None:
        self.loaded: dict[str, Joined[Any]] = {}
        """What was read, by the kind of table."""

    @abstractmethod
    def read(self, form: TableForm, reading: TableReading) -> Joined[Any]:
        """Read one table."""

    @abstractmethod
    def facts_of(self, path: str) -> FileFacts | None:
        """Return what is known of the file at an absolute path with slashes; None if it is not of this data set."""

    def report_of(self, path: Path, facts: FileFacts, folders: Sequence[Path]) -> str | None:
        """Return the report of an image's study; None if there is none."""
        del path, facts, folders
        return None

    def warnings(self) -> Iterator[str]:
        """Yield what people should know after a run."""
        yield from ()
