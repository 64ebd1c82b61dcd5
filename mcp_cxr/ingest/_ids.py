"""Ids of an image: MIMIC's own, else keyed hashes of those of its layout, of the header, or of the file's content."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from mcp_cxr.errors import ConfigError
from mcp_cxr.records import IDS_KEPT, ImageId, StudyId, SubjectId, are_ids_kept, mimic_study_id, mimic_subject_id
from mcp_cxr.safe_files import create_private_file, open_without_links

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.images import HeaderFacts
    from mcp_cxr.layouts import FileFacts

_KEY_BYTES = 32
_ID_HEX = 24  # 96 bits: no collision by chance among a billion ids
_PLAIN_ID = re.compile(r"[0-9A-Za-z]([0-9A-Za-z._-]{0,62}[0-9A-Za-z])?", re.ASCII)
_STUDIES_COMPARED = 10_000  # the first ones of a run; a PatientID that all files share shows early
_PLACEHOLDERS = frozenset(
    "ANON ANONYM ANONYMISED ANONYMIZED ANONYMOUS ANONYMOUSPATIENT BLANK DEFAULT DEID DEIDENTIFIED DEMO"
    " DUMMY EMPTY EXAMPLE HIDDEN ID MISSING NA NAN NIL NOID NONE NOPATIENTID NOTAPPLICABLE NOTAVAILABLE NULL PATIENT"
    " PATIENTID REDACTED REMOVED SAMPLE TEST TESTPATIENT UNDEFINED UNK UNKNOWN UNSPECIFIED".split()
)
"""What anonymizers and empty forms write as PatientID; also nothing but zeros or X. Many people have it."""


@dataclass(frozen=True, slots=True)
class ImageIds:
    """The ids of one image, its study and its subject."""

    image_id: ImageId
    study_id: StudyId
    subject_id: SubjectId
    is_public: bool = False
    """Whether they are MIMIC-CXR's own."""


def public_ids(facts: FileFacts) -> ImageIds | None:
    """Return MIMIC-CXR's own ids; None for a file of another layout, whose ids are hashed."""
    if not facts.has_public_ids or facts.image is None or facts.study is None or facts.subject is None:
        return None
    return ImageIds(ImageId(facts.image), StudyId(facts.study), SubjectId(facts.subject), is_public=True)


class IdKey:
    """The secret key of hashed ids: without it a patient's id cannot be found by trying names.

    Args:
        path: The key's file; None if it must be set and is not.
        may_create: Whether a missing key is created when first needed.
    """

    def __init__(self, path: Path | None, *, may_create: bool) -> None:
        self._path = path
        self._may_create = may_create
        self._key: bytes | None = None

    def read(self, *, key_check: str | None) -> bytes:
        """Return the key; create it if that is allowed and the archive holds no hashed id yet.

        Args:
            key_check: The archive's check value; None if it holds no hashed id.

        Raises:
            ConfigError: The key is missing, a different one, or unreadable.
        """
        if self._key is None:
            self._key = self._load(lost=key_check is not None)
        if key_check is not None and check_value(self._key) != key_check:
            raise ConfigError(f"{self._path} is not the key that hashed this archive's ids; restore the original key.")
        return self._key

    def exists(self) -> bool:
        """Whether the key file exists."""
        return self._path is not None and self._path.exists()

    def is_available(self) -> bool:
        """Whether the key exists or may be created."""
        return self._path is not None and (self._may_create or self._path.exists())

    def _load(self, *, lost: bool) -> bytes:
        if self._path is None:
            raise ConfigError(
                "The ids of these images are hashed, and all machines need the same key: set MCP_CXR_ID_KEY_FILE"
                " to its file (docs/iris.md says how to create one)."
            )
        try:
            key = self._path.read_bytes()
        except FileNotFoundError:
            if lost or not self._may_create:
                raise ConfigError(
                    f"The id key of this archive, {self._path}, is missing; restore it from a backup, "
                    "or set MCP_CXR_ID_KEY_FILE to its path."
                ) from None
            return create_key(self._path)
        except OSError as exc:
            raise ConfigError(f"Cannot read the id key {self._path} ({exc.strerror}); check its permissions.") from exc
        if len(key) != _KEY_BYTES:
            raise ConfigError(
                f"{self._path} is not an id key, which has {_KEY_BYTES} bytes; restore the key, or correct"
                " MCP_CXR_ID_KEY_FILE."
            )
        return key


class IdAssigner:
    """Assigns ids to files.

    Args:
        policy: `hash`, or `keep` for the header's own ids.
        key: Read only when an id outside MIMIC's layout is hashed.
        key_check: The archive's check value.
    """

    def __init__(self, policy: Literal["hash", "keep"], key: IdKey, *, key_check: str | None) -> None:
        self._policy = policy
        self._key = key
        self._key_check = key_check
        self.new_key_check: str | None = None
        """Set with the first id: to be stored in the archive before that id."""
        self.placeholders: Counter[str] = Counter()
        """How many files have which placeholder as PatientID."""
        self._studies: dict[str, str] = {}

    def studies_of_one_patient(self) -> tuple[int, int]:
        """Return how many studies the most frequent PatientID has, and how many were compared."""
        most = Counter(self._studies.values()).most_common(1)
        return (most[0][1] if most else 0), len(self._studies)

    def can_assign(self) -> bool:
        """Whether ids can be assigned without creating a key."""
        return self._key_check is not None or self._key.exists()

    def ids_of_file(self, path: Path, header: HeaderFacts, facts: FileFacts) -> ImageIds:
        """Return the ids of one file outside MIMIC's layout.

        Args:
            path: Absolute; its content is read if neither its layout nor its header has an id of the image.
            header: Used for the ids that the layout does not know.
            facts: Of the file's layout.

        Raises:
            ConfigError: The key is missing, a different one, or unreadable.
            OSError: The content cannot be read.
        """
        image = facts.image or header.sop_instance_uid or _content_digest(path)
        study = facts.study or header.study_instance_uid or image
        subject = facts.subject or header.patient_id or study
        if (placeholder := placeholder_in(subject)) is not None:
            self.placeholders[placeholder or "only signs"] += 1
            subject = study
        if len(self._studies) < _STUDIES_COMPARED:
            self._studies[study] = subject
        return self._assigned(image, study, subject)

    def moved(self, ids: ImageIds, facts: FileFacts) -> ImageIds:
        """Return the ids of a stored image, with the study and the subject that its layout now knows."""
        if public := public_ids(facts):
            return replace(public, image_id=ids.image_id)
        if facts.study is None and facts.subject is None:
            return ids
        known = self._assigned("", facts.study or "", facts.subject or "")
        return ImageIds(
            ids.image_id,
            known.study_id if facts.study else ids.study_id,
            known.subject_id if facts.subject else ids.subject_id,
        )

    def _assigned(self, image: str, study: str, subject: str) -> ImageIds:
        if self._policy == "keep":
            self._require_kept_ids()
            kept = zip(("image", "study", "subject"), (image, study, subject), strict=True)
            image, study, subject = (self._kept(kind, value) for kind, value in kept)
            return ImageIds(ImageId(image), StudyId(study), SubjectId(subject))
        return self._hashed(image, study, subject)

    def with_distinct_image_id(self, ids: ImageIds) -> ImageIds:
        """Return `ids` with a new image id made from its image, study and subject id.

        Used if another image has the same id.
        """
        joined = f"{ids.image_id}+{ids.study_id}+{ids.subject_id}"
        if self._policy == "keep":
            return replace(ids, image_id=ImageId(self._kept("image", joined)))
        return replace(ids, image_id=ImageId(_hash(self._key.read(key_check=self._key_check), "image", joined)))

    def _kept(self, kind: str, value: str) -> str:
        """Return an id unchanged if it is a UID or a plain token; anything else, such as a name, is hashed."""
        if not value or _PLAIN_ID.fullmatch(value):
            return value
        return _hash(self._key.read(key_check=check_value_of_key(self._key_check)), kind, value)

    def _require_kept_ids(self) -> None:
        """Require unhashed ids throughout the archive, so that no patient has two."""
        if self._key_check is not None and not are_ids_kept(self._key_check):
            raise ConfigError("This archive's ids are hashed; unset MCP_CXR_IDS, or use another archive.")
        if self._key_check is None:
            key = [check_value(self._key.read(key_check=None))] if self._key.is_available() else []
            self._key_check = self.new_key_check = " ".join([IDS_KEPT, *key])

    def _hashed(self, image: str, study: str, subject: str) -> ImageIds:
        if are_ids_kept(self._key_check):
            raise ConfigError("This archive keeps the original ids; set MCP_CXR_IDS=keep, or use another archive.")
        key = self._key.read(key_check=self._key_check)
        if self._key_check is None:
            self._key_check = self.new_key_check = check_value(key)
        return ImageIds(
            ImageId(_hash(key, "image", image)),
            mimic_study_id(_hash(key, "study", study)),
            mimic_subject_id(_hash(key, "subject", subject)),
        )


def placeholder_in(patient_id: str) -> str | None:
    """Return the placeholder that a PatientID is, without signs and in capitals; None if it may name a patient."""
    bare = re.sub(r"[\W_]", "", patient_id).upper()
    return bare if bare in _PLACEHOLDERS or not bare.strip("0") or not bare.strip("X") else None


def check_value_of_key(key_check: str | None) -> str | None:
    """Return the part of an archive's check value that its key must have; None if it has used no key."""
    return (key_check or "").removeprefix(IDS_KEPT).strip() or None


def check_value(key: bytes) -> str:
    """Return the value by which an archive recognizes its key; it reveals nothing about the key."""
    return _hash(key, "check", "mcp-cxr")


def create_key(path: Path) -> bytes:
    """Create the key file, unless another process was first, and return the key it holds."""
    try:
        create_private_file(path, secrets.token_bytes(_KEY_BYTES))
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(
            f"Cannot create the id key {path} ({exc.strerror}); set MCP_CXR_ID_KEY_FILE to a writable path."
        ) from exc


def _hash(key: bytes, kind: str, value: str) -> str:
    return hmac.new(key, f"{kind}\0{value}".encode(), hashlib.sha256).hexdigest()[:_ID_HEX]


def _content_digest(path: Path) -> str:
    with open_without_links(path) as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
