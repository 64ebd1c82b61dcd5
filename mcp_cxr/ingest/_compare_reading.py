"""Reads a stored image's file under the current rules and compares: same result, different result, or refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from anyio import to_thread

from mcp_cxr.errors import ImageError
from mcp_cxr.images import IMPLAUSIBLE_PIXELS, OTHER_BODY_PART, STRAY_BITS, are_values_moved, describes_other_body_part
from mcp_cxr.ingest._ids import placeholder_in
from mcp_cxr.layouts import NO_FACTS, mimic_ids

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mcp_cxr.images import DecodedImage, ImageReader
    from mcp_cxr.ingest._ids import IdAssigner
    from mcp_cxr.records import ImageSpec, StoredImage

_NEW_REASONS: Final = frozenset({IMPLAUSIBLE_PIXELS, STRAY_BITS, OTHER_BODY_PART})
"""Reasons that newer rules give. Others, such as a decoder out of memory, say nothing about the image."""


@dataclass(frozen=True, slots=True)
class ReadingComparison:
    """How the result of reading a stored image's file under the current rules compares with what is stored."""

    kind: Literal["same", "different", "refused", "not readable"]
    reason: str | None = None
    """Why it is refused."""


async def compare_reading(
    stored: StoredImage, path: Path, *, image_reader: ImageReader, spec: ImageSpec, id_assigner: IdAssigner
) -> ReadingComparison:
    """Read the file of a stored image under the current rules and return how the result compares with what is stored.

    An image of another body part was added with `--any-body-part`, and is not refused for that.

    Raises:
        ConfigError: The id key is missing or a different one.
    """
    let_in = not describes_other_body_part(stored.image.tags)
    try:
        decoded = await image_reader.read_image(path, spec, any_body_part=let_in, in_worker=True)
    except ImageError as exc:
        return (
            ReadingComparison("refused", exc.reason)
            if exc.reason in _NEW_REASONS
            else ReadingComparison("not readable")
        )
    is_same = _is_same(stored.image.grayscale, decoded) and await _has_same_subject_id(
        stored, path, decoded, id_assigner
    )
    return ReadingComparison("same" if is_same else "different")


def _is_same(before: Mapping[str, Any], decoded: DecodedImage) -> bool:
    """Whether the grayscale steps are the same; of the notes, only some say that pixels changed."""
    now = decoded.grayscale
    steps = [{name: value for name, value in record.items() if name != "notes"} for record in (before, now)]
    return steps[0] == steps[1] and not are_values_moved(now["notes"])


async def _has_same_subject_id(stored: StoredImage, path: Path, decoded: DecodedImage, id_assigner: IdAssigner) -> bool:
    """Whether today's rules give the image its stored subject id; only a placeholder PatientID can give another one."""
    is_placeholder = placeholder_in(decoded.header.patient_id or "") is not None
    if not is_placeholder or mimic_ids(path.as_posix()) or not id_assigner.can_assign():
        return True
    try:
        ids = await to_thread.run_sync(id_assigner.ids_of_file, path, decoded.header, NO_FACTS)
    except OSError:
        return True
    return ids.subject_id == stored.image.subject_id
