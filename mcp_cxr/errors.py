"""Every error that this package raises on purpose. The class says what a caller can do about it.

::

    CxrError                        base of all: its message is written for people, and safe to show
    |
    +-- ConfigError                 a setting or an option is wrong          -> change it
    +-- QueryError                  search arguments are wrong or conflict   -> search as the message shows
    +-- PathRefused                 a path is missing or below no root       -> name another, or add a root
    +-- NotFound                    no such image, study or subject, or its  -> use an id from a search;
    |                               file changed since ingest                   ingest the folder again
    +-- StoreError                  the store fails or refuses
    |   +-- StoreUnavailable        locked, unreachable, out of space        -> retry
    |   +-- StoreMissing            the archive was never created            -> ingest, or create the table
    |   +-- SchemaMismatch          made by another version of mcp-cxr       -> use that version, or make a new archive
    |   +-- ReaderMismatch          its reports were read by another version -> run `mcp-cxr table verify --repair`
    |   +-- FingerprintMismatch     its vectors were made with another       -> set that embedder, or make a new archive
    |   |                           model or preprocessing
    |   +-- DimensionMismatch       a vector of the wrong length             -> set the embedder it was made with
    |   +-- VectorRefused           a vector is zero or not finite           -> report a bug of the embedder
    +-- EmbeddingError              the embedder fails or refuses
    |   +-- EmbeddingUnavailable    the service is down or overloaded        -> retry
    |   +-- EmbeddingRejected       the service refuses the input            -> change the input
    +-- PacsError                   the PACS fails, or answers what it must not -> tell its administrator
    |   +-- PacsUnavailable         it is down or overloaded               -> retry
    |   +-- PacsRefused             login or request refused               -> change the login or the URL
    |   +-- PacsNotFound            it has no such study or file           -> nothing: it may be deleted
    +-- InternalError               our own code failed in a worker process  -> report it
    +-- ImageError                  one file cannot be rendered; `reason` is short, so that ingest can count it
        +-- UnsupportedImage        sound, but no chest X-ray, or no decoder for it
        +-- CorruptImage            damaged
        +-- UnreadableFile          gone, forbidden or on a failing disk     -> ingest again: it may be sound

Only `StoreUnavailable`, `EmbeddingUnavailable` and `PacsUnavailable` are worth a retry without a change. A message
says what happened, to which thing, and what to do. It never contains a secret, report text or the value of a DICOM tag.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

_ID_OF_OTHERS = re.compile(r"[sp](\d{8}|[0-9a-f]{24})", re.ASCII | re.IGNORECASE)
"""The id of a study or patient, as MIMIC-CXR and this program make them."""


class CxrError(Exception):
    """Base of every error raised on purpose."""


class ConfigError(CxrError):
    """A setting or an option is wrong."""


class QueryError(CxrError):
    """The arguments of a search are wrong, or do not go together."""


class PathRefused(CxrError):
    """A path is missing, unreadable, or lies below no root."""


class NotFound(CxrError):
    """The archive has no such image, study or subject, or the file of an image is gone or changed."""

    @classmethod
    def of_image(cls, image_id: str) -> NotFound:
        """Return the error for an image id that the archive does not have."""
        shown = image_id if image_id[-1:].isalnum() else repr(image_id)
        kind, argument = {"s": ("study", "study_id"), "p": ("patient", "subject_id")}.get(
            image_id[:1].lower(), ("", "")
        )
        if kind and _ID_OF_OTHERS.fullmatch(image_id):
            call = f'search_medical_images({argument}="{image_id}", group="none")'
            return cls(f"The archive has no image {shown}: it is the id of a {kind}. List its images: {call}")
        return cls(f"The archive has no image {shown}. Use the image_id of a search result.")

    @classmethod
    def of_file(cls, name: str) -> NotFound:
        """Return the error for a file from which the archive has no image."""
        return cls(f"The archive has no image of the file {name}. Give its whole path, or its name with the ending.")


class StoreError(CxrError):
    """The store fails or refuses."""


class StoreUnavailable(StoreError):
    """The store is locked, unreachable or out of space; a retry may help."""


class StoreMissing(StoreError):
    """The archive was never created."""

    external: int = 0
    """Rows of another program that are in its place."""


class SchemaMismatch(StoreError):
    """The archive was made by another version of this package."""


class ReaderMismatch(StoreError):
    """The archive's reports were read by another version of the reader, which derived other terms."""


class FingerprintMismatch(StoreError):
    """The archive's vectors were made with another model or another preprocessing."""


class DimensionMismatch(StoreError):
    """A vector's length differs from that of the archive's vectors."""


class VectorRefused(StoreError):
    """A vector is zero or not finite."""


class EmbeddingError(CxrError):
    """The embedder fails or refuses."""


class EmbeddingUnavailable(EmbeddingError):
    """The embedding service is down or overloaded; a retry may help."""


class EmbeddingRejected(EmbeddingError):
    """The embedding service refuses the input."""


class PacsError(CxrError):
    """The PACS fails, or answers what the standard does not allow."""


class PacsUnavailable(PacsError):
    """The PACS is down or overloaded; a retry may help.

    Args:
        message: For people.
        retry_after_s: Seconds that it asks to wait; 0 if it does not say.
    """

    def __init__(self, message: str, retry_after_s: float = 0) -> None:
        super().__init__(message)
        self.retry_after_s: float = retry_after_s


class PacsRefused(PacsError):
    """The PACS refuses the login or the request, or may not be asked."""


class PacsNotFound(PacsError):
    """The PACS has no such study or file."""


class InternalError(CxrError):
    """Our own code failed in a worker process.

    Args:
        kind: The name of the error's class.
        trace: The lines of its traceback.
    """

    def __init__(self, kind: str, trace: str) -> None:
        super().__init__(f"internal error ({kind})")
        self.kind: str = kind
        self.trace: str = trace


class ImageError(CxrError):
    """One file cannot be rendered.

    Args:
        reason: Short, equal for every file with this fault, and without any value from the file: errors are counted
            by it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason: str = reason


class UnsupportedImage(ImageError):
    """The file is sound, but is no chest X-ray, or there is no decoder for it."""


class CorruptImage(ImageError):
    """The file is damaged."""


class UnreadableFile(ImageError):
    """The file is gone, forbidden, or on a failing disk; its content may be sound."""


@contextmanager
def unwrap_exception_group() -> Generator[None]:
    """Raise the first `CxrError` or `OSError` of a task group alone; a group with any other is raised as it is."""
    try:
        yield
    except BaseExceptionGroup as group:
        known, others = group.split((CxrError, OSError))
        if known is None or others:
            raise
        first: CxrError | OSError | ExceptionGroup[CxrError | OSError] = known
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from group
