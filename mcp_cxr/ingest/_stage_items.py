"""What the stages hand on: a file that is to be ingested, the same file decoded, the same embedded; or a failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_cxr.errors import UnreadableFile
from mcp_cxr.images import READING
from mcp_cxr.records import Outcome

if TYPE_CHECKING:
    from mcp_cxr.errors import ImageError
    from mcp_cxr.ingest._ids import ImageIds
    from mcp_cxr.ingest._walk import Candidate
    from mcp_cxr.records import ImageId, ImageRecord, Rendering, Study, Vector


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that is to be ingested."""

    file: Candidate
    ids: ImageIds
    replaces_stored: bool = False
    """Whether to replace a stored image of this id: the file has changed, or was refused before."""
    shares_uid: bool = False
    """Whether another file has its SOP Instance UID for an image of another study or patient."""

    @property
    def path_text(self) -> str:
        """The file's absolute path."""
        return self.file.path_text

    def outcome(self) -> Outcome:
        """Return the outcome: the file became this image."""
        return Outcome(self.file.path_text, self.file.size, self.file.mtime_ns, self.ids.image_id)


@dataclass(frozen=True, slots=True)
class DecodedFile:
    """A file with its rendering and facts."""

    new: NewFile
    image: ImageRecord
    study: Study
    rendering: Rendering


@dataclass(frozen=True, slots=True)
class EmbeddedFile:
    """A file with its vector and facts."""

    new: NewFile
    image: ImageRecord
    study: Study
    vector: Vector


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that did not become an image."""

    file: Candidate
    reason: str
    is_permanent: bool = True
    """Whether it fails until the file changes; a file that could not be read is tried again by the next run."""

    @classmethod
    def from_error(cls, file: Candidate, error: ImageError) -> Failure:
        """Return the failure of a file that raised `error`; permanent unless the file could not be read."""
        return cls(file, error.reason, is_permanent=not isinstance(error, UnreadableFile))

    def outcome(self) -> Outcome:
        """Return the outcome: refused, with the reason."""
        return Outcome(self.file.path_text, self.file.size, self.file.mtime_ns, None, self.reason, READING)


@dataclass(frozen=True, slots=True)
class OtherFile:
    """A file that is left out because another file has its image id."""

    file: Candidate
    image_id: ImageId
    reason: str
    """One of the reasons in `_same_id`."""

    def outcome(self) -> Outcome:
        """Return the outcome: the image is in the archive, from another file."""
        return Outcome(self.file.path_text, self.file.size, self.file.mtime_ns, self.image_id, self.reason)
