"""Caches digests of model files and facts of encoders in a JSON file, so that none is hashed or loaded twice."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from mcp_cxr.embeddings.local._model_files import digest_of, stamps
from mcp_cxr.safe_files import create_private_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_VERSION: Final = 1
_MAX_ENTRIES: Final = 64
_MAX_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class EncoderFacts:
    """What an encoder gave when it was loaded for the first time."""

    dimension: int
    canned: str
    """Vectors of the canned images and texts, see `encode_vectors`."""


class EncoderCache:
    """Digests of files by path, size and time, and encoders by digest. Its methods block.

    A file that cannot be read counts as empty, and one that cannot be written is left: all is found again.

    Args:
        path: The JSON file; created, with its folder, when something is first remembered.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[str, list[Any]] = {}
        self._encoders: dict[str, dict[str, Any]] = {}
        self._read()

    def file_digest(self, path: Path) -> str:
        """Return the SHA-256 of a file; an unchanged one is not read again."""
        ((name, size, modified_ns),) = stamps((path,))
        known = self._files.get(name)
        if known and known[:2] == [size, modified_ns]:
            return str(known[2])
        digest = digest_of(path)
        self._files[name] = [size, modified_ns, digest]
        return digest

    def get(self, digest: str) -> EncoderFacts | None:
        """Return what is remembered of an encoder."""
        try:
            return EncoderFacts(**self._encoders[digest])
        except (KeyError, TypeError):
            return None

    def remember(self, digest: str, encoder: EncoderFacts) -> None:
        """Remember an encoder, and the digests of files that were computed."""
        self._encoders.pop(digest, None)
        self._encoders[digest] = asdict(encoder)
        for entries, most in ((self._encoders, _MAX_ENTRIES), (self._files, 4 * _MAX_ENTRIES)):
            for oldest in list(entries)[:-most]:
                del entries[oldest]
        text = json.dumps({"version": _VERSION, "files": self._files, "encoders": self._encoders})
        with suppress(OSError):
            _replace_private(self._path, text)

    def _read(self) -> None:
        try:
            with self._path.open("rb") as file:
                found = json.loads(file.read(_MAX_BYTES))
            if found["version"] == _VERSION:
                self._files, self._encoders = dict(found["files"]), dict(found["encoders"])
        except (OSError, ValueError, LookupError, TypeError):
            return


def _replace_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; it appears whole."""
    create_private_folder(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    opener: Callable[[str, int], int] = lambda name, flags: os.open(name, flags, 0o600)  # noqa: E731
    try:
        with open(draft, "x", encoding="utf-8", opener=opener) as file:  # Path.open has no opener
            file.write(text)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
