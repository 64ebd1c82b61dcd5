"""The files that stored images are shown from: kept current while files are moved, changed and removed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.ingest._same_id import SAME_PIXELS, LostFile
from mcp_cxr.records import Filter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from mcp_cxr.records import ImageId, ImageRecord, Outcome, StoredImage, Vector
    from mcp_cxr.stores import Store


@dataclass(frozen=True, slots=True)
class StoredPaths:
    """Updates the paths of stored images.

    Args:
        root: The folder that is ingested.
    """

    store: Store
    root: Path

    async def lost_files(
        self, images: Mapping[ImageId, StoredImage], files: Collection[str], replaced: Mapping[ImageId, Path]
    ) -> dict[ImageId, LostFile]:
        """Return the images whose file is gone or holds something else.

        Args:
            files: Paths that are known to exist.
            replaced: Images whose file was found to hold something else, with that file.
        """
        if not images:
            return {}
        shown = {image_id: one.image.file for image_id, one in images.items()}
        elsewhere = {image_id: path for image_id, path in shown.items() if str(path) not in files}
        outcomes = await self.store.outcomes([str(path) for path in shown.values()])
        gone = await to_thread.run_sync(lambda: {key for key, path in elsewhere.items() if not path.exists()})
        lost: dict[ImageId, LostFile] = {}
        for image_id, path in shown.items():
            recorded = outcomes.get(str(path))
            holds_other = recorded is not None and recorded.image_id != image_id
            if image_id in gone or holds_other or replaced.get(image_id) == path:
                lost[image_id] = LostFile(image_id in gone, recorded)
        return lost

    async def show_from(self, paths: Mapping[ImageId, Path]) -> None:
        """Show images from other files; nothing else of them changes."""
        found = await self.store.get(list(paths), with_vectors=True) if paths else {}
        roots = await self._roots() if found else []
        images: list[ImageRecord] = []
        vectors: list[Vector] = []
        for image_id, one in found.items():
            root = _root_of(paths[image_id], roots)
            if one.vector is not None and root is not None:
                below = paths[image_id].relative_to(root).as_posix()
                images.append(replace(one.image, root=str(root), image_path=below))
                vectors.append(one.vector)
        if images:
            await self.store.put(images, np.stack(vectors))

    async def remove_replaced(self, replaced: Mapping[ImageId, Path]) -> None:
        """Remove images whose file holds something else; one that another file still holds is shown from that."""
        if not replaced:
            return
        stored = await self.store.get(list(replaced))
        left = [image_id for image_id, one in stored.items() if one.image.file == replaced[image_id]]
        copies = await self._copies(left)
        if copies:
            await self.show_from({image_id: Path(copy.path) for image_id, copy in copies.items()})
            await self.store.record_outcomes([replace(copy, reason=None) for copy in copies.values()])
        for image_id in left:
            if image_id not in copies:
                await self.store.forget(Filter(image_id=image_id))

    async def _copies(self, ids: Collection[ImageId]) -> dict[ImageId, Outcome]:
        """Return the recorded files with the pixels of these images, of each the first that is unchanged."""
        recorded = [one for one in await self.store.files_of(ids) if one.reason == SAME_PIXELS] if ids else []
        roots = await self._roots() if recorded else []
        there = await to_thread.run_sync(lambda: [one for one in recorded if _is_there(one)])
        copies: dict[ImageId, Outcome] = {}
        for one in there:
            if one.image_id and _root_of(Path(one.path), roots):
                copies.setdefault(one.image_id, one)
        return copies

    async def _roots(self) -> list[Path]:
        return [self.root, *map(Path, (await self.store.info()).roots)]


def _root_of(path: Path, roots: Iterable[Path]) -> Path | None:
    return next((root for root in roots if path.is_relative_to(root)), None)


def _is_there(recorded: Outcome) -> bool:
    try:
        status = Path(recorded.path).lstat()
    except OSError:
        return False
    return recorded.is_unchanged(status.st_size, status.st_mtime_ns)
