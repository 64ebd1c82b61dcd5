"""Who an image is: the ids of MIMIC's path, else keyed hashes of the header's ids, else of the file's content."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Literal

from mcp_cxr.errors import ConfigError
from mcp_cxr.files import create_private_file, open_without_links
from mcp_cxr.mimic import MimicIds, ids_of
from mcp_cxr.records import ImageId, StudyId, SubjectId

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.images import HeaderFacts

_KEY_BYTES = 32
_KEPT = "kept"  # the check value of a collection whose ids are not hashed
_ID_HEX = 24  # 96 bits: no two of a billion ids meet by chance


class IdKey:
    """The secret behind hashed ids: whoever lacks it cannot find a patient's id by trying names.

    Args:
        path: The key's file; None where it had to be named and was not.
        may_make: Whether a missing key is made on first need.
    """

    def __init__(self, path: Path | None, *, may_make: bool) -> None:
        self._path = path
        self._may_make = may_make
        self._key: bytes | None = None

    def read(self, *, key_check: str | None) -> bytes:
        """Return the key, made now if it may be and the collection has seen none.

        Args:
            key_check: The collection's check value; None where it holds no hashed id.

        Raises:
            ConfigError: The key is lost, another one, or unreadable.
        """
        if self._key is None:
            self._key = self._load(lost=key_check is not None)
        if key_check is not None and self.check_value() != key_check:
            raise ConfigError(f"{self._path} is not the key this archive's ids were hashed with; put that one back.")
        return self._key

    def exists(self) -> bool:
        """Whether there is a key to read."""
        return self._path is not None and self._path.exists()

    def check_value(self) -> str:
        """Return what a collection keeps to know its key again; says nothing about the key itself."""
        if self._key is None:
            raise RuntimeError("the key was not read yet")
        return _hash(self._key, "check", "mcp-cxr")

    def _load(self, *, lost: bool) -> bytes:
        if self._path is None:
            raise ConfigError(
                "Ids of these films are hashed, and several machines must hash them alike: name the key's file in"
                " MCP_CXR_ID_KEY_FILE (docs/iris.md says how to make one)."
            )
        try:
            key = self._path.read_bytes()
        except FileNotFoundError:
            if lost or not self._may_make:
                raise ConfigError(
                    f"The key of this archive's ids, {self._path}, is missing; restore it from your backup, "
                    "or name its place in MCP_CXR_ID_KEY_FILE."
                ) from None
            return _made(self._path)
        except OSError as exc:
            raise ConfigError(f"Cannot read the id key {self._path} ({exc.strerror}).") from exc
        if len(key) != _KEY_BYTES:
            raise ConfigError(f"{self._path} is no id key: it must hold {_KEY_BYTES} bytes.")
        return key


class Identities:
    """Gives each file its ids.

    Args:
        policy: `hash`, or `keep` for the header's own ids.
        key: Read only when an id outside MIMIC's layout is hashed.
        key_check: The collection's check value.
    """

    def __init__(self, policy: Literal["hash", "keep"], key: IdKey, *, key_check: str | None) -> None:
        self._policy = policy
        self._key = key
        self._key_check = key_check
        self.new_key_check: str | None = None
        """Set by the first hash: to be entered into the collection before any hashed id."""

    def can_hash(self) -> bool:
        """Whether ids can be told without making a key; where the key is lost, they can not be told at all."""
        return self._policy == "keep" or self._key_check is not None or self._key.exists()

    def of(self, path: Path, header: HeaderFacts | None) -> MimicIds:
        """Return the ids of one file.

        Args:
            path: Absolute; its content is read where the header names no image.
            header: May be None where the path alone says who the image is, as MIMIC-CXR's do.

        Raises:
            ConfigError: The key is lost, another one, or unreadable.
            OSError: The content cannot be read.
        """
        if found := ids_of(path):
            return found
        if header is None:
            raise ValueError("outside MIMIC's layout the header is needed")
        image = header.sop_instance_uid or _content_digest(path)
        study = header.study_instance_uid or image
        subject = header.patient_id or study
        if self._policy == "keep":
            self._keep()
            return MimicIds(ImageId(image), StudyId(study), SubjectId(subject))
        return self._hashed(image, study, subject)

    def _keep(self) -> None:
        """Hold the archive to ids as they are; one patient must not have two."""
        if self._key_check not in {None, _KEPT}:
            raise ConfigError("This archive's ids are hashed; unset MCP_CXR_IDS, or make another archive.")
        if self._key_check is None:
            self._key_check = self.new_key_check = _KEPT

    def _hashed(self, image: str, study: str, subject: str) -> MimicIds:
        if self._key_check == _KEPT:
            raise ConfigError("This archive keeps ids as they are; set MCP_CXR_IDS=keep, or make another archive.")
        key = self._key.read(key_check=self._key_check)
        if self._key_check is None:
            self._key_check = self.new_key_check = self._key.check_value()
        return MimicIds(
            ImageId(_hash(key, "image", image)),
            StudyId("s" + _hash(key, "study", study)),
            SubjectId("p" + _hash(key, "subject", subject)),
        )


def _made(path: Path) -> bytes:
    try:
        create_private_file(path, secrets.token_bytes(_KEY_BYTES))
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(
            f"Cannot make the id key {path} ({exc.strerror}); name a place for it in MCP_CXR_ID_KEY_FILE."
        ) from exc


def _hash(key: bytes, kind: str, value: str) -> str:
    return hmac.new(key, f"{kind}\0{value}".encode(), hashlib.sha256).hexdigest()[:_ID_HEX]


def _content_digest(path: Path) -> str:
    with open_without_links(path) as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
