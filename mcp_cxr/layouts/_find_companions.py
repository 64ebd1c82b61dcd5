"""Finds companions, tables and others, in the folders where people keep them."""

from __future__ import annotations

import os
import re
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mcp_cxr.layouts._tables import TableError, open_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mcp_cxr.layouts._adapter import Adapter, TableForm

_MAX_DEPTH: Final = 2
_MAX_FOLDERS: Final = 300
_MAX_ENTRIES: Final = 20_000
_MAX_TABLES: Final = 1000
_MOST_NAMED = 3  # names in one warning
_TABLE = re.compile(r".+\.csv(?:\.gz)?", re.IGNORECASE)
_PACKED = re.compile(r".+\.(?:zip|tar|tgz|tar\.(?:gz|bz2|xz)|7z|rar)", re.IGNORECASE)
_TEXT = re.compile(r".+\.txt(?:\.gz)?", re.IGNORECASE)
_ABOUT = re.compile(
    r"(?:readme|licen[cs]e|changes|changelog|sha256sums|md5sums|records|index|requirements|notes)[\w.-]*",
    re.IGNORECASE,
)  # of the data set, not of an image
_DOCUMENT = re.compile(r".+\.(?:pdf|docx?|rtf|odt)", re.IGNORECASE)
_OTHER_TABLE = re.compile(r".+\.(?:xlsx?|ods|tsv|jsonl?|parquet|feather)", re.IGNORECASE)
_KINDS = (_TABLE, _PACKED, _TEXT, _DOCUMENT, _OTHER_TABLE)
# Where data sets keep their tables, also beside the folder of the images that was named.
_OF_TABLES = re.compile(r"annotations|chexbert_labels|labels|csv|tables|metadata|mimic-cxr-reports", re.IGNORECASE)
# Folders of images alone, of which a data set has hundreds of thousands.
_OF_IMAGES = re.compile(r"p\d\d|[ps]\d{8}|patient\d+|study\d+|\d{1,3}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table that an adapter can read."""

    path: Path
    form: TableForm


@dataclass(slots=True)
class FolderContents:
    """What lies in the folders."""

    tables: dict[type[Adapter], list[FoundTable]] = field(default_factory=dict["type[Adapter]", list[FoundTable]])
    documents: dict[type[Adapter], list[Path]] = field(default_factory=dict["type[Adapter]", list[Path]])
    warnings: list[str] = field(default_factory=list[str])
    unused: list[str] = field(default_factory=list[str])
    """What no adapter can read: names of tables, other files by their ending."""
    texts: list[Path] = field(default_factory=list[Path])
    """Text files that may be reports, packed ones without `.gz`; whether they are is known once all images were asked
    for."""


def find_tables(folders: Sequence[Path], adapters: Sequence[type[Adapter]]) -> FolderContents:
    """Return the tables that the adapters can read; of several of one kind, the first.

    A table is known by its name, and otherwise by its columns. The first folders come first; in one folder, tables
    with their published name do.
    """
    found = FolderContents()
    named: list[tuple[Path, list[str]]] = []
    files = list(files_in(folders))
    for adapter in adapters:
        if (names := adapter.documents) is not None and (
            paths := [path for path in files if names.fullmatch(path.name)]
        ):
            found.documents[adapter] = paths
    for path in _tables_among(files, adapters):
        try:
            with open_table(path) as table:
                named.append((path, table.header))
        except TableError as exc:
            found.warnings.append(f"{path.name} {exc}; nothing of it was used.")
    unknown = [path for path, header in named if not _add(found, path, header, adapters)]
    near = [path for path in dict.fromkeys(files) if _is_near(path, folders)]
    _add_unused(found, near, unknown)
    _add_other_files(found, folders)
    used = {one.path for tables in found.tables.values() for one in tables}
    texts = (path for path in near if path not in used and _may_be_report(path.name))
    found.texts = [path.with_suffix("") if path.suffix.lower() == ".gz" else path for path in texts]
    return found


def packed_files(folder: Path) -> str:
    """Return how many files in a folder, and two levels below it, are packed and not opened; empty: none."""
    return _by_ending(path for path in files_in([folder]) if _PACKED.fullmatch(path.name))


def _is_near(path: Path, folders: Sequence[Path]) -> bool:
    """Whether a file may belong to the images: the first folder's parent may hold anything."""
    return any(path.is_relative_to(one) for one in folders if one == folders[0] or not folders[0].is_relative_to(one))


def _add_unused(found: FolderContents, files: Sequence[Path], tables: Sequence[Path]) -> None:
    """Warn of files that may belong to the images and are not used.

    Their names, which may be patients', are left out; those of tables are not.
    """
    documents = [path for paths in found.documents.values() for path in paths]
    unknown = [path.name for path in files if path in tables]
    sheets = _by_ending(path for path in files if _OTHER_TABLE.fullmatch(path.name))
    written = _by_ending(path for path in files if _DOCUMENT.fullmatch(path.name))
    packed = _by_ending(path for path in files if _PACKED.fullmatch(path.name) and path not in documents)
    found.unused = [
        *unknown,
        *(f"*{ending}" for kind in (sheets, written, packed) if kind for ending in kind.split(", ")),
    ]
    if unknown:
        more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        found.warnings.append(
            f"Not used, because no layout has their columns: {', '.join(unknown[:_MOST_NAMED])}{more}. To use one, "
            "name it images.csv and its columns as in docs/layouts.md."
        )
    if sheets:
        found.warnings.append(f"Not used: tables in other formats ({sheets}). Save them as CSV.")
    if written:
        found.warnings.append(f"Not used: documents ({written}). Save reports as text files (.txt).")
    if packed:
        found.warnings.append(
            f"Not opened: packed files ({packed}). If they hold images, tables or reports, unpack them."
        )


def _add_other_files(found: FolderContents, folders: Sequence[Path]) -> None:
    """Warn of files that were named as companions, and cannot be any by their names."""
    documents = {path for paths in found.documents.values() for path in paths}
    others = [path.name for path in folders if path not in documents and path.is_file()]
    if odd := [name for name in others if not any(kind.fullmatch(name) for kind in _KINDS)]:
        found.warnings.append(f"Not a companion: {', '.join(odd)}. Name CSV tables, or the text files of reports.")


def _may_be_report(name: str) -> bool:
    return bool(_TEXT.fullmatch(name)) and not _ABOUT.fullmatch(name)


def _by_ending(paths: Iterable[Path]) -> str:
    counts = Counter(path.suffix.lower() for path in paths)
    return ", ".join(f"{ending}: {count}" for ending, count in counts.most_common())


def _add(found: FolderContents, path: Path, header: list[str], adapters: Sequence[type[Adapter]]) -> bool:
    """Add a table for each adapter that can read it; return whether any can."""
    kinds = [(adapter, form) for adapter in adapters for form in adapter.tables]
    by_length = sorted(kinds, key=lambda kind: -len(kind[1].signature))
    matching = (
        [(adapter, form) for adapter, form in kinds if form.name.fullmatch(path.name)]
        or [(adapter, form) for adapter, form in kinds if form.has_signature(header)]
        or [(adapter, form) for adapter, form in by_length if form.nearly_has_signature(header)][:1]
    )
    for adapter, form in matching:
        if not form.is_needed:
            continue
        columns = form.headless or form.columns(header)
        of_data_set = "" if adapter.title in path.name else f" of {adapter.title}"
        if missing := [name for name in form.keys if name not in columns]:
            found.warnings.append(f"{path.name} lacks the column {missing[0]}{of_data_set}; nothing of it was used.")
            continue
        others = found.tables.setdefault(adapter, [])
        if form.is_one_of_several or all(one.form is not form for one in others):
            others.append(FoundTable(path, form))
            found.warnings += [
                f"{path.name} lacks the column {name}{of_data_set}; the facts of this column are unknown."
                for name in form.expected
                if name not in columns
            ]
    return bool(matching)


def _tables_among(files: Sequence[Path], adapters: Sequence[type[Adapter]]) -> list[Path]:
    """Return the tables among these files, each once."""
    lists = [form.name for adapter in adapters for form in adapter.tables if form.headless]
    tables = dict.fromkeys(
        path for path in files if _TABLE.fullmatch(path.name) or any(name.fullmatch(path.name) for name in lists)
    )
    return list(tables)[:_MAX_TABLES]


def files_in(folders: Sequence[Path]) -> Iterator[Path]:
    """Yield files given by name, the visible files of each folder, and those of the folders in it; follow no links.

    Of the first folder's parent, which may be anything, only folders with the names of companions are searched. The
    folders may hold hundreds of thousands of files: the search has bounds.
    """
    seen: set[Path] = set()
    for start in folders:
        waiting = deque([(start, _MAX_DEPTH)])
        is_parent = start != folders[0] and folders[0].is_relative_to(start)
        while waiting and len(seen) < _MAX_FOLDERS:
            folder, left = waiting.popleft()
            if folder in seen:
                continue
            seen.add(folder)
            if folder.is_file():
                yield folder
                continue
            inner, files = _listed(folder)
            yield from files
            waiting += [(one, left - 1) for one in inner if left and (not is_parent or _OF_TABLES.fullmatch(one.name))]


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return a folder's folders and files by name; none if it cannot be listed, as may be true of a parent folder."""
    folders: list[Path] = []
    files: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number >= _MAX_ENTRIES:
                    break
                if entry.name.startswith("."):
                    continue
                if not entry.is_dir():
                    files.append(Path(entry.path))
                elif not entry.is_symlink() and not _OF_IMAGES.fullmatch(entry.name):
                    folders.append(Path(entry.path))
    except OSError:
        return [], []
    return sorted(folders), sorted(files)
