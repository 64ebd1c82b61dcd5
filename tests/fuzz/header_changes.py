"""Changes of a DICOM file by its structure: elements, lengths, VRs, items, values, the description of the pixels."""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

_LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_VRS: Final = tuple(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US".split()
)
_ITEM, _ITEM_END, _SEQUENCE_END = (b"\xfe\xff" + end for end in (b"\x00\xe0", b"\x0d\xe0\0\0\0\0", b"\xdd\xe0\0\0\0\0"))
_UNDEFINED: Final = 0xFFFFFFFF
_LENGTHS: Final = (0, 1, 2, 3, 7, 255, 65534, 65535, 1 << 20, (1 << 31) - 1, (1 << 31), _UNDEFINED - 1, _UNDEFINED)
_SHORTS: Final = (0, 1, 2, 7, 8, 9, 12, 15, 16, 17, 31, 32, 255, 256, 4095, 32767, 32768, 65535)
_TEXTS: Final = (
    *(b"", b"0", b"-1", b"nan", b"inf", b"-inf", b"1e308", b"-1e308", b"1e-320", b"1e999", b"1_000", b"0x10", b"--"),
    *(b"\\" * 5000, b"1\\" * 3000, b"\0" * 64, b"\xff\xfe" * 40, b"\x1b$B" * 30, b"A" * 8193, b"%s%n{0}", b"../../x"),
    *("\u202e\u0007\ud7ff\ufeff".encode(), b"9" * 400, b"1" + b"0" * 300, b"1.2." * 900, b"20260231", b"\n\r\t"),
)
_CHARACTER_SETS: Final = (b"ISO 2022 IR 87", b"ISO_IR 192", b"GBK", b"rot13", b"zip", b"\\ISO 2022 IR 149", b"utf-7")
_SYNTAXES: Final = tuple(
    f"1.2.840.10008.1.2{end}".encode()
    for end in ("", ".1", ".2", ".1.99", ".5", *(f".4.{one}" for one in (50, 51, 57, 70, 80, 81, 90, 91, 201, 203)))
)
_PIXEL_KEYWORDS: Final = (
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel"),
    *("PlanarConfiguration", "PixelPaddingValue", "PixelPaddingRangeLimit", "NumberOfFrames"),
)
_READ_KEYWORDS: Final = (
    *("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "PixelSpacing", "VOILUTFunction"),
    *("PhotometricInterpretation", "ViewPosition", "PatientOrientation", "StudyDate", "BodyPartExamined"),
    *("PatientID", "StudyInstanceUID", "SOPInstanceUID", "SOPClassUID", "Modality", "WindowCenterWidthExplanation"),
    *("SeriesDescription", "VOILUTSequence", "ModalityLUTSequence", "ViewCodeSequence", "AnatomicRegionSequence"),
    *("RedPaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "DirectoryRecordSequence"),
)


@dataclass(frozen=True, slots=True)
class Element:
    """An element as it stands in a file."""

    tag: int
    vr: bytes
    value: bytes
    length: int | None = None
    """What the file says; None: the value's length."""
    is_implicit: bool = False

    def encoded(self) -> bytes:
        length = len(self.value) if self.length is None else self.length
        tag = struct.pack("<HH", self.tag >> 16, self.tag & 0xFFFF)
        if self.is_implicit:
            return tag + struct.pack("<L", length) + self.value
        if self.vr in _LONG:
            return tag + self.vr + struct.pack("<2xL", length) + self.value
        return tag + self.vr + struct.pack("<H", min(length, 0xFFFF)) + self.value


def elements_of(path: Path) -> list[Element]:
    """Return all elements of a valid file, those of its file meta included, as explicit little endian."""
    facts = dcmread(path)
    facts.decode()
    found: list[Element] = []
    for element in (*facts.file_meta, *facts):
        written = DicomBytesIO()
        written.is_little_endian, written.is_implicit_VR = True, False
        write_data_element(written, element)
        whole = written.getvalue()
        vr = whole[4:6]
        found.append(Element(int(element.tag), vr, whole[12 if vr in _LONG else 8 :]))
    return found


def changed(elements: list[Element], chance: random.Random) -> bytes:
    """Return a file made of valid elements with one to four changes."""
    elements = list(elements)
    for _ in range(chance.choice((1, 1, 2, 2, 3, 4))):
        chance.choice(_CHANGES)(elements, chance)
    return _packed(elements, chance)


def _packed(elements: list[Element], chance: random.Random) -> bytes:
    start = b"\0" * 128 + b"DICM" if chance.random() < 0.95 else b""
    meta = b"".join(one.encoded() for one in elements if one.tag >> 16 == 2)
    rest = b"".join(one.encoded() for one in elements if one.tag >> 16 != 2)
    if b"1.2.840.10008.1.2.1.99" in meta and chance.random() < 0.8:
        packer = zlib.compressobj(wbits=-15)
        rest = packer.compress(rest) + packer.flush()
    whole = start + meta + rest
    if chance.random() < 0.05:
        whole = whole[: chance.randrange(len(whole))]
    return gzip.compress(whole, 1, mtime=0) if chance.random() < 0.03 else whole


def _position(elements: list[Element], chance: random.Random, keywords: tuple[str, ...] = ()) -> int:
    """Return the position of one of these elements, or of any if there are none."""
    wanted = {tag_for_keyword(keyword) for keyword in keywords}
    found = [at for at, one in enumerate(elements) if one.tag in wanted]
    return chance.choice(found) if found else chance.randrange(len(elements))


def _change_length(elements: list[Element], chance: random.Random) -> None:
    at = _position(elements, chance)
    elements[at] = replace(elements[at], length=chance.choice(_LENGTHS))


def _change_vr(elements: list[Element], chance: random.Random) -> None:
    at = _position(elements, chance, _READ_KEYWORDS if chance.random() < 0.5 else ())
    vr = chance.choice((*_VRS, b"??", b"\0\0", b"ZZ", b"zz"))
    elements[at] = replace(elements[at], vr=vr, is_implicit=chance.random() < 0.2)


def _change_text(elements: list[Element], chance: random.Random) -> None:
    at = _position(elements, chance, _READ_KEYWORDS)
    value = chance.choice(_TEXTS)
    elements[at] = replace(elements[at], value=value + b" " * (len(value) % 2))


def _change_pixel_description(elements: list[Element], chance: random.Random) -> None:
    tag = tag_for_keyword(chance.choice(_PIXEL_KEYWORDS)) or 0
    value = struct.pack("<H", chance.choice(_SHORTS)) * chance.choice((1, 1, 1, 0, 3))
    kept = [one for one in elements if one.tag != tag]
    elements[:] = sorted([*kept, Element(tag, b"US", value)], key=lambda one: one.tag)


def _change_syntax(elements: list[Element], chance: random.Random) -> None:
    at = _position(elements, chance, ("TransferSyntaxUID",))
    value = chance.choice((*_SYNTAXES, *_TEXTS))
    elements[at] = replace(elements[at], value=value + b"\0" * (len(value) % 2))


def _change_character_set(elements: list[Element], chance: random.Random) -> None:
    value = b"\\".join(chance.choice(_CHARACTER_SETS) for _ in range(chance.choice((1, 2, 5, 400))))
    kept = [one for one in elements if one.tag != 0x00080005]
    elements[:] = sorted([*kept, Element(0x00080005, b"CS", value + b" " * (len(value) % 2))], key=lambda one: one.tag)


def _repeat(elements: list[Element], chance: random.Random) -> None:
    at = _position(elements, chance)
    if len(elements[at].value) < 1000:
        elements[at:at] = [elements[at]] * chance.choice((1, 2, 50, 120_000))


def _remove(elements: list[Element], chance: random.Random) -> None:
    if len(elements) > 1:
        del elements[_position(elements, chance)]


def _move(elements: list[Element], chance: random.Random) -> None:
    element = elements.pop(_position(elements, chance))
    elements.insert(chance.randrange(len(elements) + 1), element)


def _exchange_values(elements: list[Element], chance: random.Random) -> None:
    one, other = _position(elements, chance, _READ_KEYWORDS), _position(elements, chance)
    values = elements[one].value, elements[other].value
    elements[one], elements[other] = (
        replace(elements[one], value=values[1]),
        replace(elements[other], value=values[0]),
    )


def _item(content: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.5:
        return _ITEM + struct.pack("<L", len(content)) + content
    return _ITEM + struct.pack("<L", _UNDEFINED) + content + (_ITEM_END if chance.random() < 0.9 else b"")


def _change_sequence(elements: list[Element], chance: random.Random) -> None:
    """Put items into a sequence that is read, or a private one: many, empty, nested, without an end."""
    tag = tag_for_keyword(chance.choice(_READ_KEYWORDS)) if chance.random() < 0.8 else 0x00291010
    inner = b"".join(one.encoded() for one in chance.sample(elements, min(3, len(elements))) if len(one.value) < 9000)
    lut = Element(0x00283002, b"US", struct.pack("<3H", *(chance.choice(_SHORTS) for _ in range(3)))).encoded()
    lut += Element(0x00283006, chance.choice((b"OW", b"US", b"FD", b"DS", b"UN")), chance.randbytes(512)).encoded()
    content = chance.choice((b"", inner, lut, lut + inner, chance.randbytes(40)))
    many_levels = (Element(tag or 0, b"SQ", b"", _UNDEFINED).encoded() + _ITEM + b"\xff" * 4) * 30_000  # without ends
    for _ in range(chance.choice((0, 0, 1, 3, 200, 30_000))):
        inner_tag = chance.choice((tag or 0, 0x00291010))
        if content is not many_levels:
            nested = _ITEM + struct.pack("<L", _UNDEFINED) + content + _ITEM_END + _SEQUENCE_END
            content = Element(inner_tag, b"SQ", b"", _UNDEFINED).encoded() + nested
        if len(content) > 4000:
            content = many_levels
    items = _item(content, chance) * chance.choice((0, 1, 1, 2, 40))
    if len(content) < 10 and chance.random() < 0.3:
        items *= 10_000
    length = chance.choice((None, None, _UNDEFINED, chance.choice(_LENGTHS)))
    end = _SEQUENCE_END if length == _UNDEFINED and chance.random() < 0.9 else b""
    kept = [one for one in elements if one.tag != tag]
    vr = chance.choice((b"SQ", b"SQ", b"UN", b"OB"))
    elements[:] = sorted([*kept, Element(tag or 0, vr, items + end, length)], key=lambda one: one.tag)


def _change_pixels(elements: list[Element], chance: random.Random) -> None:
    at = _position(elements, chance, ("PixelData",))
    pixels = elements[at].value
    value = chance.choice((pixels[: len(pixels) // 2], b"", pixels + pixels, bytes(len(pixels)), _item(pixels, chance)))
    length = chance.choice((None, None, _UNDEFINED, len(pixels) * 2))
    elements[at] = replace(elements[at], value=value, length=length, vr=chance.choice((b"OW", b"OB", b"UN", b"US")))


_CHANGES: Final[tuple[Callable[[list[Element], random.Random], None], ...]] = (
    _change_length,
    _change_vr,
    _change_text,
    _change_text,
    _change_pixel_description,
    _change_pixel_description,
    _change_syntax,
    _change_character_set,
    _repeat,
    _remove,
    _move,
    _exchange_values,
    _change_sequence,
    _change_sequence,
    _change_pixels,
)
