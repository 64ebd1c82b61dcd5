"""Reads the elements of a DICOM header within bounds, before pydicom converts any value.

pydicom parses whatever a file holds: millions of elements, items nested in items, a value of gigabytes. That takes
minutes and gigabytes, and cannot be stopped in a thread. Here the elements are walked without recursion, those that are
not on the list are passed over unread, and of a sequence only the listed elements of its first items are kept. What
pydicom gets is small whatever the file holds; it is also faster, since most elements are passed over.

PS3.5 chapter 7 defines the encoding. As pydicom does, a data set may turn out to be explicit or implicit against its
transfer syntax, an element without a VR is read as implicit, and UN of undefined length holds implicit items.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from pydicom.charset import convert_encodings, default_encoding
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement, convert_raw_data_element, empty_value_for_VR
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRBigEndian, ImplicitVRLittleEndian

from mcp_cxr.errors import CorruptImage, UnsupportedImage
from mcp_cxr.images.files import translate_library_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, BinaryIO

UNDEFINED_LENGTH: Final = 0xFFFFFFFF
MAX_ELEMENTS: Final = 100_000
"""Elements and items of a header, nested ones included; radiographs have a few hundred. They take 0.1 s."""
_MAX_VALUE: Final = 8192
"""Bytes of a value; the longest that radiographs have, texts and lists of windows, take some hundred."""
_MAX_TABLE: Final = 2**18
"""Bytes of a look-up table, twice 2**16 entries of 16 bits."""
_MAX_ITEMS, _MAX_ITEMS_BYTES = 16, 2**16
"""Of a sequence, the first item is kept, and the next ones up to this number as long as they are small."""
_DAMAGED: Final = "damaged header"
_TOO_LARGE: Final = "header too large"
TRUNCATED: Final = "truncated header"
_PIXEL_GROUP: Final = 0x7FE0
_META_GROUP: Final = 0x0002
_PIXEL_DATA: Final = 0x7FE00010
_TRANSFER_SYNTAX: Final = 0x00020010
_CHARACTER_SET: Final = 0x00080005
_DIRECTORY: Final = 0x00041220
_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
_LONG_VRS: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
"""Their length has four bytes, after two that are reserved; PS3.5 7.1.2."""
_BIG_ENDIAN_GROUP: Final = 0x0400
"""From this group on, the first group of a file without a transfer syntax is one with its bytes swapped."""


class ReadElements(NamedTuple):
    """The listed elements of a header, up to the pixel data."""

    elements: Dataset
    is_implicit: bool
    is_little_endian: bool
    pixels: PixelElement | None
    """None: there are none, or the file ends before them."""
    is_truncated: bool
    """Whether the file ends within a value that was passed over."""


@dataclass(frozen=True, slots=True)
class PixelElement:
    """(7FE0,0010) Pixel Data, not yet read."""

    vr: str
    length: int
    offset: int
    """Offset of the value in the file, in bytes."""


class ElementList:
    """The elements that are read; all others are passed over.

    Args:
        values: Keywords of elements with short values.
        tables: Keywords of elements with look-up tables.
        sequences: Keywords of sequences, of which the first items are read.
        in_items: Keywords of the elements that are read in those items; tables among them.
    """

    def __init__(
        self, *, values: Iterable[str], tables: Iterable[str], sequences: Iterable[str], in_items: Iterable[str]
    ) -> None:
        table_tags = _tags(tables)
        self.sizes = dict.fromkeys(_tags(values), _MAX_VALUE) | dict.fromkeys(table_tags, _MAX_TABLE)
        self.sizes[_CHARACTER_SET] = _MAX_VALUE
        self.sequences = frozenset(_tags(sequences))
        self.in_items = {tag: _MAX_TABLE if tag in table_tags else _MAX_VALUE for tag in _tags(in_items)}
        self.in_items[_CHARACTER_SET] = _MAX_VALUE


def _tags(keywords: Iterable[str]) -> list[int]:
    return [tag for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None]


class _Element(NamedTuple):
    tag: int
    vr: str | None
    """None: implicit."""
    length: int
    header: bytes
    """Tag, VR and length as they are in the file."""


class _Walk:
    """Steps from element to element of a data set, at most `MAX_ELEMENTS`."""

    def __init__(self, source: BinaryIO, *, is_little_endian: bool) -> None:
        order = "<" if is_little_endian else ">"
        self.source = source
        self.item = struct.Struct(f"{order}HHL")
        self._explicit, self._length = struct.Struct(f"{order}HH2sH"), struct.Struct(f"{order}L")
        self._left = MAX_ELEMENTS

    def next(self, *, is_implicit: bool) -> _Element | None:
        """Return the next element, with `source` at its value; None at the end of the file."""
        self._count()
        header = self.source.read(8)
        if len(header) < 8:  # noqa: PLR2004 # tag and length
            return None
        group, number, vr, length = self._explicit.unpack(header)
        tag = group << 16 | number
        if is_implicit or not (vr.isalpha() and vr.isupper()):
            return _Element(tag, None, self._length.unpack_from(header, 4)[0], header)
        if vr in _LONG_VRS:
            more = self.source.read(4)
            if len(more) < 4:  # noqa: PLR2004 # the length
                return None
            length, header = self._length.unpack(more)[0], header + more
        return _Element(tag, vr.decode(), length, header)

    def looks_implicit(self, *, otherwise: bool) -> bool:
        """Return whether the element at the position of `source` has no VR; `otherwise` at the end of the file."""
        start = self.source.read(6)
        self.source.seek(-len(start), 1)
        vr = start[4:]
        return otherwise if len(vr) < 2 else not (vr.isalpha() and vr.isupper())  # noqa: PLR2004 # letters

    def skip(self, element: _Element) -> None:
        """Pass over a value."""
        if element.length == UNDEFINED_LENGTH:
            self._skip_items(is_implicit=element.vr in (None, "UN"))
        else:
            self.source.seek(element.length, 1)

    def items(self, sequence: _Element, wanted: Mapping[int, int]) -> bytes:
        """Return the first items of a sequence with the wanted elements alone, and pass over it.

        Raises:
            UnsupportedImage: A value is longer than `wanted` says, or there are more elements than `MAX_ELEMENTS`.
            CorruptImage: A sequence of undefined length is damaged; one of defined length ends with its sound items.
        """
        is_implicit = sequence.vr in (None, "UN")
        if sequence.length == UNDEFINED_LENGTH:
            kept, is_ended = self._kept_items(None, wanted, is_implicit=is_implicit)
            if not is_ended:
                self._skip_items(is_implicit=is_implicit)
            return kept
        end = self.source.tell() + sequence.length
        try:
            kept, _ = self._kept_items(end, wanted, is_implicit=is_implicit)
        except CorruptImage:
            kept = b""
        self.source.seek(end)
        return kept

    def _kept_items(self, end: int | None, wanted: Mapping[int, int], *, is_implicit: bool) -> tuple[bytes, bool]:
        """Return items, and whether the sequence ended after them."""
        kept = b""
        for _ in range(_MAX_ITEMS):
            if end is not None and self.source.tell() >= end:
                return kept, True
            length = self._item_length()
            if length is None:
                return kept, True
            item = self._wanted_elements(length, wanted, is_implicit=is_implicit)
            kept += self.item.pack(_ITEM >> 16, _ITEM & 0xFFFF, len(item)) + item
            if len(kept) > _MAX_ITEMS_BYTES:
                break
        return kept, False

    def _wanted_elements(self, length: int, wanted: Mapping[int, int], *, is_implicit: bool) -> bytes:
        end = None if length == UNDEFINED_LENGTH else self.source.tell() + length
        is_implicit = is_implicit or self.looks_implicit(otherwise=is_implicit)
        kept = b""
        while end is None or self.source.tell() < end:
            element = self.next(is_implicit=is_implicit)
            if element is None or element.tag == _ITEM_END:
                break
            if element.tag in wanted and element.length != UNDEFINED_LENGTH:
                kept += element.header + self.value(element, wanted[element.tag])
            else:
                self.skip(element)
        return kept

    def value(self, element: _Element, most: int) -> bytes:
        """Read a value of defined length.

        Raises:
            UnsupportedImage: It is longer than `most` bytes.
            CorruptImage: The file ends before it does.
        """
        if element.length > most:
            is_whole = self.source.tell() + element.length <= self.source.seek(0, 2)
            raise UnsupportedImage(_TOO_LARGE) if is_whole else CorruptImage(TRUNCATED)
        value = self.source.read(element.length)
        if len(value) < element.length:
            raise CorruptImage(TRUNCATED)
        return value

    def _skip_items(self, *, is_implicit: bool) -> None:
        """Pass over items up to the end of their sequence, whatever is nested in them."""
        levels = [(True, is_implicit)]  # whether in a sequence, not in an item of one
        while levels:
            in_sequence, is_implicit = levels[-1]
            if in_sequence:
                length = self._item_length()
                if length is None:
                    levels.pop()
                elif length == UNDEFINED_LENGTH:
                    levels.append((False, is_implicit or self.looks_implicit(otherwise=is_implicit)))
                else:
                    self.source.seek(length, 1)
                continue
            element = self.next(is_implicit=is_implicit)
            if element is None:
                raise CorruptImage(_DAMAGED)
            if element.tag == _ITEM_END:
                levels.pop()
            elif element.length == UNDEFINED_LENGTH:
                levels.append((True, element.vr in (None, "UN")))
            else:
                self.source.seek(element.length, 1)

    def _item_length(self) -> int | None:
        """Return the length of the next item of a sequence; None at its end."""
        self._count()
        header = self.source.read(8)
        if len(header) == 8:  # noqa: PLR2004 # tag and length
            group, number, length = self.item.unpack(header)
            if group << 16 | number == _ITEM:
                return length
            if group << 16 | number == _SEQUENCE_END:
                return None
        raise CorruptImage(_DAMAGED)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise UnsupportedImage(_TOO_LARGE)


def read_transfer_syntax(source: BinaryIO) -> UID | None:
    """Return (0002,0010) Transfer Syntax UID, and leave `source` at the start of the data set.

    Raises:
        UnsupportedImage: The header is too large.
        CorruptImage: The header is damaged.
    """
    start = source.read(132)
    source.seek(132 if start.endswith(b"DICM") else 0)
    walk, syntax = _Walk(source, is_little_endian=True), b""
    is_implicit = walk.looks_implicit(otherwise=False)
    while (element := walk.next(is_implicit=is_implicit)) is not None:
        if element.tag >> 16 != _META_GROUP:
            source.seek(-len(element.header), 1)
            break
        if element.tag == _TRANSFER_SYNTAX and element.length != UNDEFINED_LENGTH:
            syntax = walk.value(element, _MAX_VALUE)
        else:
            walk.skip(element)
    values = (value.strip(" \0\t\r\n") for value in syntax.decode("latin-1").split("\\"))
    with translate_library_errors(_DAMAGED):
        return next((UID(value) for value in values if value), None)


def read_elements(source: BinaryIO, syntax: UID | None, wanted: ElementList) -> ReadElements:
    """Read the data set at the position of `source` up to its pixel data.

    Args:
        source: At the start of the data set.
        syntax: None: it is guessed from the first element.
        wanted: The elements to read.

    Raises:
        UnsupportedImage: The header has more elements, or longer values, than any radiograph.
        CorruptImage: The header is damaged.
    """
    is_little_endian = syntax != ExplicitVRBigEndian if syntax else _looks_little_endian(source)
    walk = _Walk(source, is_little_endian=is_little_endian)
    is_implicit = walk.looks_implicit(otherwise=syntax in (None, ImplicitVRLittleEndian))
    found: dict[BaseTag, Any] = {}
    pixels = None
    while (element := walk.next(is_implicit=is_implicit)) is not None:
        tag, vr, length, _ = element
        if tag >> 16 >= _PIXEL_GROUP:
            if tag == _PIXEL_DATA:
                pixels = PixelElement(vr or "OW", length, source.tell())
            break
        most = wanted.sizes.get(tag)
        if tag in wanted.sequences:
            value: bytes | None = walk.items(element, wanted.in_items)
            vr, length = "SQ", len(value)
        elif most is None:
            if tag == _DIRECTORY:  # of a whole disk of files; no image
                found[BaseTag(tag)] = RawDataElement(BaseTag(tag), "SQ", 0, b"", 0, is_implicit, is_little_endian)
                break
            walk.skip(element)
            continue
        elif length == UNDEFINED_LENGTH:
            raise CorruptImage(_DAMAGED)
        else:
            value = walk.value(element, most) if length else cast("bytes | None", empty_value_for_VR(vr, raw=True))
        found[BaseTag(tag)] = RawDataElement(BaseTag(tag), vr, length, value, 0, is_implicit, is_little_endian)
    is_truncated = pixels is None and source.tell() > source.seek(0, 2)
    elements = _dataset(found, is_implicit, is_little_endian)
    return ReadElements(elements, is_implicit, is_little_endian, pixels, is_truncated)


def _looks_little_endian(source: BinaryIO) -> bool:
    """Return the byte order of a data set without a transfer syntax; passes over a command set, PS3.7 6.3."""
    walk = _Walk(source, is_little_endian=True)
    while (element := walk.next(is_implicit=True)) is not None:
        if element.tag >> 16:
            source.seek(-len(element.header), 1)
            return element.tag >> 16 < _BIG_ENDIAN_GROUP or walk.looks_implicit(otherwise=True)
        walk.skip(element)
    return True


def _dataset(found: dict[BaseTag, Any], is_implicit: bool, is_little_endian: bool) -> Dataset:
    charset = found.get(BaseTag(_CHARACTER_SET))
    with translate_library_errors(_DAMAGED):
        elements = Dataset(found)
        encoding = convert_encodings(convert_raw_data_element(charset).value) if charset else default_encoding
        elements.set_original_encoding(is_implicit, is_little_endian, encoding)
    return elements
