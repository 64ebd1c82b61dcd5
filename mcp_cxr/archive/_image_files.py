"""The films' own files: found below the roots, unchanged since they were ingested, and read."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from mcp_cxr.errors import ImageError, NotFound, PathRefused, StoreMissing
from mcp_cxr.images import (
    ImageReader,
    StoredValuesCache,
    ViewOptions,
    combine_views,
    contact_sheet_layout,
    overview_tile,
    values_tile,
)
from mcp_cxr.records import ImageId

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mcp_cxr.archive._roots import Roots
    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.images import ContactSheet, ImageView, StoredValues, ValuesTile
    from mcp_cxr.records import Rendering, StoredImage
    from mcp_cxr.stores import Store


class ImageFiles:
    """The films of an archive. What its methods raise stands at those of `Archive` that call them."""

    def __init__(self, store: Store, embedder: Embedder, reader: ImageReader, roots: Roots) -> None:
        self._store = store
        self._embedder = embedder
        self._reader = reader
        self._roots = roots
        self._stored_values = StoredValuesCache(reader.read_values)

    async def stored(self, image_id: str) -> StoredImage:
        """Return what is kept of an image.

        Raises:
            NotFound: No such image.
        """
        asked = ImageId(image_id.strip())
        stored = await self._store.get([asked])
        if asked not in stored:
            raise NotFound(f"No image {asked} in this archive; image ids come with the hits of a search.")
        return stored[asked]

    async def view(self, image_id: str, options: ViewOptions) -> ImageView:
        """Return one film as a picture."""
        return await self._reader.render_view(await self._file_of(await self.stored(image_id)), options)

    async def view_many(
        self, image_ids: Sequence[str], options: ViewOptions, *, first: int
    ) -> tuple[ContactSheet, list[ImageView | str]]:
        """Return several films in one picture, and each film's view, or why there is none."""
        _, side = contact_sheet_layout(len(image_ids), max_px=options.max_px)
        stored = [await self.stored(image_id) for image_id in image_ids]
        shown: list[ImageView | str] = [""] * len(stored)

        async def look(place: int) -> None:
            try:
                shown[place] = await self._reader.render_view(
                    await self._file_of(stored[place]), replace(options, max_px=side)
                )
            except ImageError as exc:
                shown[place] = exc.reason
            except (NotFound, PathRefused):  # the row is there, the file is not what it was
                shown[place] = "file gone or changed"

        async with anyio.create_task_group() as tasks:
            for place in range(len(stored)):
                tasks.start_soon(look, place)
        drawn = partial(combine_views, shown, first=first, max_px=options.max_px)
        return await to_thread.run_sync(drawn), shown

    async def stored_values(
        self, image_id: str, *, max_px: int, place: tuple[int, int] | None, factor: int, keep: bool
    ) -> tuple[StoredValues, ValuesTile]:
        """Return a film before its window is chosen, and the part of its values that is asked for."""
        path = await self._file_of(await self.stored(image_id))
        film = await self._stored_values.get(path, keep=keep)
        if place is None:
            return film, await to_thread.run_sync(partial(overview_tile, film, max_px=max_px))
        column, row = place
        return film, await to_thread.run_sync(partial(values_tile, film, column=column, row=row, factor=factor))

    async def render_stored(self, stored: StoredImage) -> Rendering:
        """Render a stored film as it was rendered for its vector."""
        return await self.render(await self._file_of(stored))

    async def render(self, path: Path) -> Rendering:
        """Render a film for the embedder."""
        return (await self._reader.read_image(path, self._embedder.image_spec, any_body_part=True)).rendering

    async def image_of(self, path: Path) -> ImageId | None:
        """Return the image that this file became, if it is as it was then."""
        try:
            known = (await self._store.outcomes([str(path)])).get(str(path))
        except StoreMissing:  # said by the search itself
            return None
        status = await to_thread.run_sync(path.stat)
        return known.image_id if known and known.is_unchanged(status.st_size, status.st_mtime_ns) else None

    async def _file_of(self, stored: StoredImage) -> Path:
        """Return the image's file, if it is the one that was ingested."""
        place = stored.image.file
        allowed_roots = await self._roots.allowed_roots()
        try:
            path = await to_thread.run_sync(allowed_roots.resolve, place)
        except PathRefused as exc:  # whose message names the whole path
            raise PathRefused("The image's file is gone, or lies below none of the archive's roots.") from exc
        before = (await self._store.outcomes([str(place)])).get(str(place))
        status = await to_thread.run_sync(path.stat)
        if before and (
            before.image_id != stored.image.image_id or not before.is_unchanged(status.st_size, status.st_mtime_ns)
        ):
            raise NotFound("The image's file was changed since it was ingested; ingest its folder again.")
        return path
