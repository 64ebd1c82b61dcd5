"""Files with one image id: copies, copies with other pixels, and images that an anonymizer gave one UID."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio
import numpy as np
from anyio import to_thread

from mcp_cxr.errors import ImageError
from mcp_cxr.ingest._stage_items import Failure, OtherFile
from mcp_cxr.safe_files import open_without_links

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mcp_cxr.images import ImageReader
    from mcp_cxr.ingest._ids import IdAssigner
    from mcp_cxr.ingest._stage_items import NewFile
    from mcp_cxr.records import ImageId, ImageRecord, Outcome
    from mcp_cxr.stores import Store

SAME_PIXELS: Final = "another file has the same image id and pixels"
OTHER_PIXELS: Final = "another file has the same image id, but other pixels"
OTHER_FORMAT: Final = "another file, in another format, has the same image id"
"""As of MIMIC-CXR's DICOM and MIMIC-CXR-JPG's JPEG: hundreds of thousands, whose pixels differ by their making."""
NOT_COMPARED: Final = "another file has the same image id"
"""The other one cannot be read now."""
_CONCURRENT = 2  # each holds the stored values of two images
_CHUNK = 1 << 20  # bytes


class LostFile(NamedTuple):
    """The file that an image was shown from is gone, or holds something else by now."""

    is_gone: bool
    recorded: Outcome | None
    """Its outcome."""


async def distinct_ids(files: Sequence[NewFile], store: Store, id_assigner: IdAssigner) -> list[NewFile]:
    """Return the files, with a new id where another file has theirs for an image of another study or patient.

    The first file keeps the id. Files whose ids come from MIMIC's layout, or from an earlier outcome, keep theirs too.
    """
    own = [new for new in files if _may_share(new)]
    stored = await store.get(list({new.ids.image_id for new in own}))
    rivals = {image_id: image.image for image_id, image in stored.items() if not image.external}
    first: dict[ImageId, NewFile] = {}
    result: list[NewFile] = []
    for new in files:
        if _may_share(new):
            rival = rivals.get(new.ids.image_id)
            earlier = first.setdefault(new.ids.image_id, new)
            if earlier.ids != new.ids if rival is None else await _is_other(new, rival):
                result.append(replace(new, ids=id_assigner.with_distinct_image_id(new.ids), shares_uid=True))
                continue
        result.append(new)
    return result


def _may_share(new: NewFile) -> bool:
    return bool(new.ids.study_id) and not new.ids.is_public


async def _is_other(new: NewFile, stored: ImageRecord) -> bool:
    """Whether the stored image is another one; if only the patient differs, the stored image's file must exist."""
    if stored.file == new.file.path:
        return False
    if stored.study_id != new.ids.study_id:
        return True
    return stored.subject_id != new.ids.subject_id and await to_thread.run_sync(stored.file.exists)


def is_copy(new: NewFile, unchanged: Outcome | None, lost: LostFile) -> bool:
    """Whether a file has the pixels of the image whose file is gone or holds something else.

    Args:
        unchanged: The file's own outcome, if that still holds.
        lost: What is known of the image's file.
    """
    if unchanged and unchanged.reason:
        return unchanged.reason == SAME_PIXELS
    return lost.is_gone and (lost.recorded is None or lost.recorded.size == new.file.size)


@dataclass(slots=True)
class SameIdFiles:
    """Compares files whose image the archive has from another file with that file."""

    image_reader: ImageReader
    _slots: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(_CONCURRENT))

    async def compare_all(
        self, files: Sequence[tuple[NewFile, Path]], known: Mapping[str, Outcome], *, dry_run: bool = False
    ) -> list[OtherFile | Failure]:
        """Return, for each file, why it is left out: another file has its image; or that it is damaged.

        Args:
            files: Each with the file that its image is shown from.
            known: Outcomes that still hold, by path: what was compared before is not compared again.
            dry_run: Compare nothing.
        """
        found: dict[str, OtherFile | Failure] = {}

        async def compare(new: NewFile, shown: Path) -> None:
            found[new.path_text] = await self._compare(new, shown)

        async with anyio.create_task_group() as tasks:
            for new, shown in files:
                before = known.get(new.path_text)
                reason = NOT_COMPARED if dry_run else before and before.reason
                found[new.path_text] = OtherFile(new.file, new.ids.image_id, reason or NOT_COMPARED)
                if not dry_run and reason not in (SAME_PIXELS, OTHER_PIXELS, OTHER_FORMAT):
                    tasks.start_soon(compare, new, shown)
        return list(found.values())

    async def _compare(self, new: NewFile, shown: Path) -> OtherFile | Failure:
        try:
            async with self._slots:
                reason = await self._reason(new.file.path, shown)
        except ImageError as exc:
            return Failure.from_error(new.file, exc)
        return OtherFile(new.file, new.ids.image_id, reason)

    async def _reason(self, path: Path, shown: Path) -> str:
        if _is_png_or_jpeg(path) != _is_png_or_jpeg(shown):
            return OTHER_FORMAT
        if await to_thread.run_sync(_are_equal, path, shown):
            return SAME_PIXELS
        values = await self.image_reader.read_values(path)
        try:
            shown_values = await self.image_reader.read_values(shown)
        except ImageError:
            return NOT_COMPARED
        is_same = values.low == shown_values.low and np.array_equal(values.offset_values, shown_values.offset_values)
        return SAME_PIXELS if is_same else OTHER_PIXELS


def _is_png_or_jpeg(path: Path) -> bool:
    """Whether a file is PNG or JPEG by its name, not DICOM."""
    return path.suffix.lower() in (".png", ".jpg", ".jpeg")


def _are_equal(path: Path, shown: Path) -> bool:
    """Whether two files have the same bytes."""
    try:
        with open_without_links(path) as one, open_without_links(shown) as other:
            while (chunk := one.read(_CHUNK)) == other.read(_CHUNK):
                if not chunk:
                    return True
    except OSError:  # told when it is read as an image
        pass
    return False
