"""Reads XML files and zip or tar files beside the images.

They may be malicious, so size and number are limited and nothing is unpacked to disk. A zip or tar file inside another
one is not opened.
"""

from __future__ import annotations

import re
import tarfile
import zipfile
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self
from xml.etree import ElementTree as ET

from mcp_cxr.layouts._tables import TableError, bounded_gzip
from mcp_cxr.layouts._texts import MAX_REPORT_BYTES, to_text
from mcp_cxr.safe_files import open_without_links

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO
    from xml.etree.ElementTree import Element

MAX_MEMBERS: Final = 1_000_000
_MAX_DIRECTORY_BYTES: Final = 256 << 20
_MAX_RATIO: Final = 200
_RATIO_FREE_BYTES = 64 << 10  # below this the ratio does not matter
_END_OF_DIRECTORY = b"PK\x05\x06"
_DECLARATION = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_XML = re.compile(r".+\.xml", re.IGNORECASE)


def parse_xml(data: bytes) -> Element:
    """Return the root of a document without declarations of its own: entities are refused before they are parsed.

    Raises:
        TableError: It has a DOCTYPE, is too large, or no XML.
    """
    if len(data) > MAX_REPORT_BYTES:
        raise TableError("is larger than 1 MiB")
    if b"\0" in data or _DECLARATION.search(data):
        raise TableError("has a DOCTYPE or an encoding that could hide one")
    try:
        return ET.fromstring(data)  # noqa: S314 # nothing is declared in it
    except (ET.ParseError, LookupError, ValueError) as exc:
        raise TableError("is no XML") from exc


def documents_in(paths: Sequence[Path], warn: Callable[[str], None]) -> Iterator[Element]:
    """Yield the root of each XML document in these XML, zip and tar files; warn of those that were left out."""
    refused: dict[str, list[str]] = {}
    for path in paths:
        try:
            for name, data in _members(path):
                try:
                    yield parse_xml(data)
                except TableError as exc:
                    refused.setdefault(str(exc), []).append(name)
        except (TableError, OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error) as exc:
            reason = str(exc) if isinstance(exc, TableError) else "is damaged; copy or download it again"
            warn(f"{path.name} {reason}; the rest of it was not used.")
    for reason, names in refused.items():
        warn(f"{len(names)} XML files were not used, {names[0]} among them: each {reason}.")


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    with open_without_links(path) as file:
        if zipfile.is_zipfile(file):
            with ReportZip(path, _XML) as reports:
                for name in reports.names():
                    yield name, reports.read_bytes(name)
            return
        file.seek(0)
        if _XML.fullmatch(path.name):
            yield path.name, file.read(MAX_REPORT_BYTES + 1)
        else:
            yield from _tar_members(file, path.stat().st_size)


def _tar_members(file: BinaryIO, size: int) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=bounded_gzip(file, size), mode="r|") as tar:
        for number, member in enumerate(tar):
            if number >= MAX_MEMBERS:
                raise TableError(f"has more than {MAX_MEMBERS:,} members")
            if member.isreg() and _XML.fullmatch(member.name) and member.size <= MAX_REPORT_BYTES:
                content = tar.extractfile(member)
                if content is not None:
                    yield member.name.rpartition("/")[2], content.read(MAX_REPORT_BYTES)


class ReportZip:
    """A zip file whose members with certain names are read, by their names without folders.

    Args:
        path: Absolute and resolved; stays open until `close`.
        names: The names of the members that matter.

    Raises:
        TableError: It exceeds a bound.
        OSError, zipfile.BadZipFile: It is damaged.
    """

    def __init__(self, path: Path, names: re.Pattern[str]) -> None:
        self._file = open_without_links(path)
        try:
            self._zip = _opened_zip(self._file, path.stat().st_size)
        except BaseException:
            self._file.close()
            raise
        found = ((one.filename.rpartition("/")[2], one) for one in self._zip.infolist() if not one.is_dir())
        self.refused: set[str] = set()
        """The members that were asked for and could not be read."""
        self.name = path.name
        self._members = {name: one for name, one in found if names.fullmatch(name)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def names(self) -> list[str]:
        """Return the members' names."""
        return list(self._members)

    def read(self, name: str) -> str | None:
        """Return the text of a member; None if there is none, or it is damaged or exceeds a bound."""
        with suppress(TableError, OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError):
            return to_text(self.read_bytes(name)) if name in self._members else None
        self.refused.add(name)
        return None

    def read_bytes(self, name: str) -> bytes:
        """Return the content of a member.

        Raises:
            TableError: It exceeds a bound.
        """
        member = self._members[name]
        allowed = max(_RATIO_FREE_BYTES, member.compress_size * _MAX_RATIO)
        with self._zip.open(member) as content:
            data = content.read(MAX_REPORT_BYTES + 1)
        if len(data) > min(MAX_REPORT_BYTES, allowed):
            raise TableError("has a member that unpacks to more than 200 times its size")
        return data

    def close(self) -> None:
        """Close the zip file."""
        self._zip.close()
        self._file.close()


def _opened_zip(file: BinaryIO, size: int) -> zipfile.ZipFile:
    if _directory_bytes(file, size) > _MAX_DIRECTORY_BYTES:
        raise TableError("has a larger table of contents than any zip file of reports")
    opened = zipfile.ZipFile(file)
    if len(opened.infolist()) > MAX_MEMBERS:
        raise TableError(f"has more than {MAX_MEMBERS:,} members")
    return opened


def _directory_bytes(file: BinaryIO, size: int) -> int:
    """Return the length of a zip's table of contents, as its last record has it."""
    file.seek(max(0, size - (66 << 10)))
    tail = file.read()
    at = tail.rfind(_END_OF_DIRECTORY)
    file.seek(0)
    return int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
