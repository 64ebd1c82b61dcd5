"""Reads text as people paste it: with blanks, line ends and quotes around it; and paths as file managers copy them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

IMAGE_SUFFIXES = (".dcm", ".dicom", ".png", ".jpg", ".jpeg")
_QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u201d": "\u201d", "\u2018": "\u2019", "\u201e": "\u201c"}
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060\u200e\u200f"  # byte order mark, zero-width characters, direction marks
_MIMIC_IMAGE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}", re.IGNORECASE)
_BLANKS = re.compile(rf"^[\s{_INVISIBLE}]+|[\s{_INVISIBLE}]+$")


def strip_pasted(text: str) -> str:
    """Return the text without blanks, line ends, invisible characters and pairs of quotes around it.

    A quote without its partner stays.
    """
    text = _BLANKS.sub("", text)
    while len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        text = _BLANKS.sub("", text[1:-1])
    return text


def pasted_path(text: str) -> str:
    """Return a path as a person wrote or copied it: `file:///a%20b` as `/a b`, without quotes, `~` expanded.

    Raises:
        ValueError: `~` names an unknown user.
    """
    text = strip_pasted(text)
    if text[:5].lower() == "file:":
        address = urlsplit(text)
        if address.netloc.lower() in {"", "localhost"}:
            text = url2pathname(text[5:].removeprefix("//").removeprefix(address.netloc))
    if not text.startswith("~"):
        return text
    try:
        return str(Path(text).expanduser())
    except RuntimeError as exc:
        raise ValueError(f"cannot expand {Path(text).parts[0]!r}: no such user") from exc


def pasted_image_id(text: str) -> str:
    """Return the image id that a text may mean: without the folders before it and an image file's ending.

    The `image_path` of an image in MIMIC-CXR's layout gives its id, in small letters; any other id stays as it is.
    """
    name = re.split(r"[/\\]", strip_pasted(text))[-1]
    suffix = next((suffix for suffix in IMAGE_SUFFIXES if name.lower().endswith(suffix)), "")
    name = name[: len(name) - len(suffix)]
    return name.lower() if _MIMIC_IMAGE.fullmatch(name) else name
