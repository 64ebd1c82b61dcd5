"""$LIST items: how values travel in the bodies of messages, both ways."""

from __future__ import annotations

import struct
from typing import TypeAlias

Value: TypeAlias = int | float | str | bytes | None
NUL = "\0"
"""What an empty string looks like on the wire; an empty item is NULL."""

_LATIN, _UTF16, _POSITIVE, _NEGATIVE, _POSITIVE_DECIMAL, _NEGATIVE_DECIMAL, _DOUBLE = 1, 2, 4, 5, 6, 7, 8
_FLOATS = {2: "<e", 4: "<f", 8: "<d"}


def item(value: Value) -> bytes:
    """Return one item; None is the empty item, '' is one NUL."""
    match value:
        case None:
            return _framed(_LATIN, b"")
        case int():
            return _framed(_POSITIVE, _magnitude(value)) if value >= 0 else _framed(_NEGATIVE, _inverted(value))
        case float():
            return _framed(_DOUBLE, struct.pack("<d", value))
        case bytes():
            return _framed(_LATIN, value)
        case str():
            text = value or NUL
            try:
                return _framed(_LATIN, text.encode("latin-1"))
            except UnicodeEncodeError:
                return _framed(_UTF16, text.encode("utf-16-le"))


def items(*values: Value) -> bytes:
    return b"".join(item(value) for value in values)


class Reader:
    """Takes items off a body, one after another."""

    def __init__(self, body: bytes) -> None:
        self._body = memoryview(body)
        self._at = 0

    def item(self) -> Value:
        start, end, kind = self._bounds()
        self._at = end
        return _decoded(kind, bytes(self._body[start:end]))

    def number(self) -> int:
        value = self.item()
        return int(value or 0)

    def text(self) -> str:
        value = self.item()
        return "" if value is None else str(value)

    def _bounds(self) -> tuple[int, int, int]:
        """Where the data of the next item begins and ends, and its type; a lone 01 is a null of type 1."""
        body, at = self._body, self._at
        short = body[at]
        if short == 1:
            return at + 1, at + 1, _LATIN
        if short:
            return at + 2, at + short, body[at + 1]
        long = int.from_bytes(body[at + 1 : at + 3], "little")
        if long:
            return at + 4, at + 3 + long, body[at + 3]
        longer = int.from_bytes(body[at + 3 : at + 7], "little")
        return at + 8, at + 7 + longer, body[at + 7]


def _framed(kind: int, data: bytes) -> bytes:
    size = len(data)
    if size <= 253:  # the widths of the format
        return bytes((size + 2, kind)) + data
    if size + 1 <= 0xFFFF:
        return b"\0" + (size + 1).to_bytes(2, "little") + bytes((kind,)) + data
    return b"\0\0\0" + (size + 1).to_bytes(4, "little") + bytes((kind,)) + data


def _magnitude(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "little")


def _inverted(value: int) -> bytes:
    return bytes(byte ^ 0xFF for byte in _magnitude(-value - 1))


def _decoded(kind: int, data: bytes) -> Value:
    match kind:
        case 1:
            return _text(data.decode("latin-1"))
        case 2:
            return _text(data.decode("utf-16-le"))
        case 4 | 5:
            return _integer(kind, data)
        case 6 | 7:
            return float(_integer(kind - 2, data[1:]) * 10.0 ** int.from_bytes(data[:1], "little", signed=True))
        case 8 | 9:
            return float(struct.unpack(_FLOATS[len(data)], data)[0]) if data else 0.0
        case _:
            raise ValueError(f"no item has type {kind}")


def _text(text: str) -> str | None:
    if not text:
        return None
    return "" if text == NUL else text


def _integer(kind: int, data: bytes) -> int:
    if kind == _POSITIVE:
        return int.from_bytes(data, "little")
    return -1 - int.from_bytes(bytes(byte ^ 0xFF for byte in data), "little")
