"""All layouts together: what `ingest` asks for the facts of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from mcp_cxr.errors import ConfigError
from mcp_cxr.layouts._adapter import RowsByKey, TableReading
from mcp_cxr.layouts._facts import NO_FACTS, FileFacts, LayoutDescription, TableUse, facts_in_columns
from mcp_cxr.layouts._find_companions import FoundTable, find_tables
from mcp_cxr.layouts._tables import TableError, open_table
from mcp_cxr.layouts.adapters import ADAPTERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mcp_cxr.layouts._adapter import Adapter
    from mcp_cxr.layouts._find_companions import FolderContents
    from mcp_cxr.records import StudyFact


class Layouts:
    """The layouts and companions of the images below one folder; made by `read_layouts`.

    Args:
        folders: Searched for companions, in this order.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._adapters: list[Adapter] = []
        self._warnings: list[str] = []
        self._read_tables: list[FoundTable] = []
        self._uses: list[tuple[str, RowsByKey[Any], tuple[StudyFact, ...]]] = []
        self._unused: list[str] = []
        self._texts: frozenset[Path] = frozenset()

    def facts_of(self, path: str) -> FileFacts:
        """Return what the layouts know of the image at an absolute path; opens no image."""
        return self._adapter_and_facts(path)[1]

    def layout_of(self, path: str) -> str | None:
        """Return the name of the layout that knows the image at an absolute path."""
        adapter, _ = self._adapter_and_facts(path)
        return adapter.name if adapter else None

    def _adapter_and_facts(self, path: str) -> tuple[Adapter | None, FileFacts]:
        path = path.replace("\\", "/")
        for adapter in self._adapters:
            if facts := adapter.facts_of(path):
                return adapter, facts
        return None, NO_FACTS

    def descriptions(self) -> list[LayoutDescription]:
        """Return the layouts of which a table was read, or all that were asked for by name."""
        return [
            LayoutDescription(adapter.name, adapter.title, adapter.lacks, adapter.label_names)
            for adapter in self._adapters
        ]

    def report_of(self, path: Path, facts: FileFacts) -> str | None:
        """Return the report of an image's study, None if there is none; reads files."""
        for adapter in self._adapters:
            if (report := adapter.report_of(path, facts, self._folders)) is not None:
                return report
        return None

    def table_uses(self) -> list[TableUse]:
        """Return how much of each table was used so far."""
        return [TableUse(name, by_key.rows, by_key.used_rows, gives) for name, by_key, gives in self._uses]

    def unused(self, *, is_complete: bool) -> list[str]:
        """Return what lies near the images and was not used: names of tables, other files by their ending.

        Args:
            is_complete: As in `warnings`; else text files and tables may be used by later images.
        """
        if not is_complete:
            return self._unused
        tables = [use.file for use in self.table_uses() if use.rows and not use.joined]
        texts = self._unused_texts()
        return [*tables, *self._unused, *([f"*.txt: {texts}"] if texts else [])]

    def _unused_texts(self) -> int:
        return len(self._texts.difference(*(adapter.texts_used for adapter in self._adapters)))

    def warnings(self, *, is_complete: bool) -> list[str]:
        """Return what was found wrong with the companions.

        Args:
            is_complete: Whether every image below the folder was asked for: a table of which nothing was used then
                belongs to other images.
        """
        told = [*self._warnings, *(line for adapter in self._adapters for line in adapter.warnings())]
        if is_complete:
            told += [
                f"No row of {use.file} was used (rows: {use.rows}). They name no image of this folder, or another table"
                " gives the same facts."
                for use in self.table_uses()
                if use.rows and not use.joined
            ]
            if texts := self._unused_texts():
                told.append(
                    f"Text files that were not used: {texts}. Name a report after its image or the image's folder,"
                    " or list it in images.csv."
                )
        return told

    def load(self, adapter: Adapter, tables: Sequence[FoundTable], documents: Sequence[Path]) -> None:
        """Add a layout with its tables and other reports."""
        self._adapters.append(adapter)
        if self._folders:
            adapter.root = self._folders[0]
        adapter.load_table = lambda path, form: self._read(adapter, FoundTable(path, form))
        if documents:
            adapter.read_xml_and_zip(documents, self._warnings.append)
            name = documents[0].name if len(documents) == 1 else f"{documents[0].parent.name}/*{documents[0].suffix}"
            for by_key in adapter.loaded.get("reports", ()):
                self._uses.append((name, by_key, ("report",)))
        for found in sorted(tables, key=lambda one: adapter.tables.index(one.form)):
            if adapter.loaded.keys().isdisjoint(found.form.superseded_by):
                self._read(adapter, found)
            elif not found.form.name.fullmatch(found.path.name) and not self._has_read(found.path):
                self._warnings.append(f"{found.path.name} was not used: a table with a published name replaces it.")

    def _has_read(self, path: Path) -> bool:
        return any(one.path == path for one in self._read_tables)

    def _read(self, adapter: Adapter, found: FoundTable) -> None:
        """Read a table; one that is damaged is left out, with a warning."""
        form = found.form
        if found in self._read_tables:
            return
        self._read_tables.append(found)
        try:
            with open_table(found.path, form.headless) as table:
                table.header = form.columns(table.header)
                reading = TableReading(found.path, table)
                by_key = adapter.read(form, reading)
        except TableError as exc:
            self._warnings.append(f"{found.path.name} {exc}; nothing of it was used.")
            return
        adapter.loaded.setdefault(form.kind, []).append(by_key)
        gives = ("split",) if form.headless else facts_in_columns(reading.table.header)
        self._uses.append((found.path.name, by_key, gives))
        self._warnings += _left_out(reading)

    def warn(self, lines: Sequence[str]) -> None:
        """Add warnings."""
        self._warnings += lines

    def add_unused(self, found: FolderContents) -> None:
        """Add what was found and no adapter can read, and the texts that may be reports."""
        self._unused, self._texts = found.unused, frozenset(found.texts)
        for adapter in self._adapters:
            adapter.texts_near = self._texts

    def close(self) -> None:
        """Close what was opened."""
        for adapter in self._adapters:
            adapter.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


LAYOUTS = tuple(adapter.name for adapter in ADAPTERS)
"""The names of all layouts."""


def read_layouts(folders: Sequence[Path], *, only: str | None = None) -> Layouts:
    """Return the layouts of the images below the first of these folders, with all companions read.

    Args:
        folders: Absolute and resolved; searched for companions, in this order.
        only: The layout to use; None: those whose names or tables are found.

    Raises:
        ConfigError: No layout has this name.
    """
    if only is not None and only not in LAYOUTS:
        raise ConfigError(f"Unknown layout {only[:40]!r}. Known: {', '.join(LAYOUTS)}.")
    adapters = [adapter for adapter in ADAPTERS if only in (None, adapter.name)]
    layouts = Layouts(folders)
    found = find_tables(folders, adapters)
    layouts.warn(found.warnings)
    if only and not (found.tables or found.documents):
        title = adapters[0].title
        layouts.warn([f"No table of {title} was found in the folder or its parent; name its folder with --companions."])
    for adapter in adapters:
        layouts.load(adapter(), found.tables.get(adapter, []), found.documents.get(adapter, []))
    layouts.add_unused(found)
    return layouts


def _left_out(reading: TableReading) -> Iterator[str]:
    name = reading.path.name
    if reading.table.short_rows:
        yield f"{name}: rows left out, because they have fewer cells than the header: {reading.table.short_rows}."
    if reading.bad_labels:
        yield f"{name}: values of labels left out, because they are not 1, 0, -1 or empty: {reading.bad_labels}."
