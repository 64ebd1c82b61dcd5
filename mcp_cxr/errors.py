"""Every error this package raises on purpose.

The leaf's name says what a caller can do about it::

    CxrError
      ConfigError                a setting or a flag is wrong: change it
      QuestionError              the question cannot be asked like this: ask it as the message shows
      PathRefused                a path is missing or lies below no root: give another one, or add the root
      NotFound                   no such image, study or subject here
      StoreError
        StoreUnavailable         locked, unreachable, out of space: a retry may help
        StoreMissing             nothing has been made here yet: create the table or ingest
        SchemaMismatch           made by another version of this package
        FingerprintMismatch      made with another embedder, or with another preparation of the pixels
        DimensionMismatch        a vector's length is not the collection's
        VectorRefused            a vector is zero or not finite
      EmbeddingError
        EmbeddingUnavailable     the service is down or overloaded: a retry may help
        EmbeddingRejected        the service refuses the input
      ImageError                 one file cannot become a picture; `reason` is short and countable
        UnsupportedImage         a sound file that is no chest film, or that nothing here can decode
        CorruptImage             a damaged file
        UnreadableFile           gone, forbidden, or on a disk that fails: nothing is held against the file

A message says what happened, to which thing, and what to do. It never holds a secret, report text or a tag's value.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


class CxrError(Exception):
    """Base of every error raised on purpose."""


class ConfigError(CxrError):
    """A setting or a flag is wrong."""


class QueryError(CxrError):
    """The question cannot be asked like this."""


class PathRefused(CxrError):
    """A path is missing, unreadable, or lies below no root."""


class NotFound(CxrError):
    """No such image, study or subject in this archive."""


class StoreError(CxrError):
    """The store refuses or fails."""


class StoreUnavailable(StoreError):
    """The store is locked, unreachable or out of space; a retry may help."""


class StoreMissing(StoreError):
    """The collection has not been made yet."""


class SchemaMismatch(StoreError):
    """The collection was made by another version of this package."""


class FingerprintMismatch(StoreError):
    """The collection's vectors were made by another embedder, or from pixels prepared otherwise."""


class DimensionMismatch(StoreError):
    """A vector's length is not the collection's."""


class VectorRefused(StoreError):
    """A vector is zero or not finite."""


class EmbeddingError(CxrError):
    """The embedder refuses or fails."""


class EmbeddingUnavailable(EmbeddingError):
    """The embedding service is down or overloaded; a retry may help."""


class EmbeddingRejected(EmbeddingError):
    """The embedding service refuses the input."""


class ImageError(CxrError):
    """One file cannot become a picture.

    Args:
        reason: Short, the same for every file with this fault, without any value from the file; errors are counted
            by it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnsupportedImage(ImageError):
    """The file is sound, but no chest film, or nothing here can decode it."""


class CorruptImage(ImageError):
    """The file is damaged."""


class UnreadableFile(ImageError):
    """The file is gone, forbidden, or on a disk that fails; it may be sound."""


@contextmanager
def unwrap_exception_group() -> Generator[None]:
    """Raise the first error of ours that tasks of a group raised as itself; other errors keep their group."""
    try:
        yield
    except BaseExceptionGroup as group:
        error = _first_cxr_error(group)
        if error is None:
            raise
        raise error from group


def _first_cxr_error(group: BaseExceptionGroup[BaseException]) -> CxrError | None:
    ours, others = group.split(CxrError)
    if ours is None or others is not None:
        return None
    first = ours.exceptions[0]
    return _first_cxr_error(first) if isinstance(first, BaseExceptionGroup) else first
