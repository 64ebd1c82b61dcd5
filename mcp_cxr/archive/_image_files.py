"""Finds the file of a stored image below the roots, checks that it is unchanged since ingest, and renders it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from mcp_cxr.errors import CxrError, ImageError, NotFound, PathRefused, StoreMissing
from mcp_cxr.images import FileCache
from mcp_cxr.pasted_text import IMAGE_SUFFIXES, pasted_image_id, strip_pasted
from mcp_cxr.records import ImageId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.archive._pacs import PulledImages
    from mcp_cxr.archive._roots import AllowedRoots, Roots
    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.images import DisplayOptions, EncodedImage, ImageReader, ImageView, StoredValues, ValuesTile
    from mcp_cxr.records import ImageSpec, Rendering, StoredImage
    from mcp_cxr.stores import Store

_TRIED = 4
"""Stored images that are tried for each that is wanted in a sample: files may be gone."""
_STORED_VALUES_KEPT = 2
"""Images whose stored values are kept: a viewer requests one tile after another. A large one takes 30 MB, the largest
128."""
_VIEWS_KEPT = 24
"""Rendered views that are kept, of 0.7 MB at most: people and models look at the same one again."""


class ImageFiles:
    """The files of an archive's images. The methods raise the errors that `Archive` documents."""

    def __init__(
        self, store: Store, embedder: Embedder, image_reader: ImageReader, roots: Roots, pulled: PulledImages
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._image_reader = image_reader
        self._roots = roots
        self._pulled = pulled
        self._stored_values = FileCache(image_reader.read_values, capacity=_STORED_VALUES_KEPT)
        self._views = FileCache(image_reader.render_view, capacity=_VIEWS_KEPT)

    async def stored_image(self, image_id: str, named_below: AllowedRoots | None = None) -> StoredImage:
        """Return an image as stored.

        Args:
            image_id: Its id; also with an image file's ending, or the `image_path` of a result.
            named_below: Folders whose files may be named, by their whole path; None: any file below the roots, also by
                its name alone. Of several files of one name the first by path counts.

        Raises:
            NotFound: No such image.
        """
        text = strip_pasted(image_id)
        if stored := await self._first_stored(text, pasted_image_id(text)):
            return stored
        if (of_file := await self._image_of_file(text, named_below)) and (stored := await self._first_stored(of_file)):
            return stored
        is_file = named_below is None and text != pasted_image_id(text)
        raise NotFound.of_file(text) if is_file else NotFound.of_image(text)

    async def image_id(self, name: str, named_below: AllowedRoots | None = None) -> ImageId:
        """Return the id of the image that a name of its file means; an id is returned as it is, stored or not.

        Args:
            name: As `stored_image` takes it; if any file may be named, its ending may be missing.
            named_below: As there.

        Raises:
            NotFound: The archive has no image of that file.
        """
        if name == pasted_image_id(name):
            of_file = (
                None
                if named_below is not None or await self._first_stored(name)
                else await self._image_without_ending(name)
            )
            return of_file or ImageId(name)
        return (await self.stored_image(name, named_below)).image.image_id

    async def examples(
        self, names: Sequence[str], allowed_roots: AllowedRoots, named_below: AllowedRoots | None = None
    ) -> tuple[dict[str, Path], dict[str, ImageId]]:
        """Return the files of examples by name, and the stored images that are among them.

        What names no file may name an image in the archive, such as the `image_path` of a result.

        Raises:
            PathRefused: A file is missing or lies below no root, and its name is that of no image.
        """
        paths: dict[str, Path] = {}
        known: dict[str, ImageId] = {}
        for name in names:
            try:
                paths[name] = await to_thread.run_sync(allowed_roots.resolve, name)
            except PathRefused:
                with suppress(NotFound, StoreMissing):
                    known[name] = (await self.stored_image(name, named_below)).image.image_id
                if name not in known:
                    raise
            else:
                if image := await self.image_of(paths[name]):
                    known[name] = image
        return paths, known

    async def _first_stored(self, *ids: str) -> StoredImage | None:
        found = await self._store.get(list(dict.fromkeys(map(ImageId, ids))))
        return next((found[ImageId(image_id)] for image_id in ids if ImageId(image_id) in found), None)

    async def _image_of_file(self, text: str, named_below: AllowedRoots | None) -> ImageId | None:
        """Return the image ingested from the file of this path, or of this name alone if any file may be named."""
        if text == pasted_image_id(text):
            return None
        if named_below is not None:
            with suppress(PathRefused):
                return await self.image_of(await to_thread.run_sync(named_below.resolve, text))
            return None
        roots = (await self._roots.allowed_roots()).roots
        known = list((await self._store.outcomes([str(root / text) for root in roots])).values())
        if not known and Path(text).name == text:
            known = await self._store.files_named(text)
        return next((outcome.image_id for outcome in known if outcome.image_id), None)

    async def _image_without_ending(self, name: str) -> ImageId | None:
        """Return the image ingested from a file of this name, or of this name with the ending of an image file."""
        for suffix in ("", *IMAGE_SUFFIXES):
            for outcome in await self._store.files_named(f"{name}{suffix}"):
                if outcome.image_id:
                    return outcome.image_id
        return None

    async def view(self, image_id: str, options: DisplayOptions) -> ImageView:
        """Return a rendered view of one image."""
        return await self._view_of(await self.stored_image(image_id), options)

    async def view_many(
        self, image_ids: Sequence[str], options: DisplayOptions, *, first: int
    ) -> tuple[EncodedImage, list[ImageView | str]]:
        """Return a contact sheet of several images, and the view of each, or why it has none."""
        from mcp_cxr.images import combine_views, contact_sheet_layout  # loads the decoders, which a search needs not

        _, side = contact_sheet_layout(len(image_ids), max_px=options.max_px)
        stored = [await self.stored_image(image_id) for image_id in image_ids]
        views: list[ImageView | str] = [""] * len(stored)

        async def render_view(index: int) -> None:
            try:
                views[index] = await self._view_of(stored[index], replace(options, max_px=side))
            except ImageError as exc:
                views[index] = exc.reason
            except (NotFound, PathRefused):  # the row exists, but not the file as it was
                views[index] = "file gone or changed"

        async with anyio.create_task_group() as tasks:
            for index in range(len(stored)):
                tasks.start_soon(render_view, index)
        draw = partial(combine_views, views, first=first, max_px=options.max_px)
        return await to_thread.run_sync(draw), views

    async def _view_of(self, stored: StoredImage, options: DisplayOptions) -> ImageView:
        """Return a view whose view position is the stored one, which may come from a table.

        A view that is kept depends on the file and the options alone; store and roots are asked every time.
        """
        view = await self._views.get(await self.file_of(stored, may_fetch=True), options)
        image = stored.image
        header = replace(view.header, view_position=image.view_position, view_source=image.view_source)
        return replace(view, header=header)

    def clear_caches(self) -> None:
        """Keep nothing that was read of files."""
        self._stored_values.clear()
        self._views.clear()

    async def stored_values(
        self, image_id: str, *, max_px: int, tile: tuple[int, int] | None, factor: int, keep: bool
    ) -> tuple[StoredValues, ValuesTile]:
        """Return an image's stored values, and one tile of them or a reduced whole."""
        from mcp_cxr.images import overview_tile, values_tile

        path = await self.file_of(await self.stored_image(image_id), may_fetch=True)
        values = await self._stored_values.get(path, keep=keep)
        if tile is None:
            return values, await to_thread.run_sync(partial(overview_tile, values, max_px=max_px))
        column, row = tile
        return values, await to_thread.run_sync(partial(values_tile, values, column=column, row=row, factor=factor))

    async def render_stored(self, stored: StoredImage) -> Rendering:
        """Render a stored image as for its vector."""
        return await self.render(await self.file_of(stored))

    async def render(self, path: Path) -> Rendering:
        """Render a file for the embedder."""
        read = self._image_reader.read_image(path, self._embedder.image_spec, any_body_part=True, any_pixels=True)
        return (await read).rendering

    async def sample_renderings(self, spec: ImageSpec, most: int) -> list[Rendering]:
        """Return renderings of stored images, at most `most`: those of the reference sample whose files can be read.

        Raises:
            StoreError: The store fails; one that was never made has no images.
        """
        try:
            ids = (await self._store.reference_sample()).ids[: _TRIED * most]
        except StoreMissing:
            return []
        made: list[Rendering] = []
        for stored in (await self._store.get(ids)).values():
            if len(made) == most:
                break
            try:
                path = await self.file_of(stored)
                read = await self._image_reader.read_image(path, spec, any_body_part=True, any_pixels=True)
            except CxrError:  # this file cannot be read now; another one may be
                continue
            made.append(read.rendering)
        return made

    async def image_of(self, path: Path) -> ImageId | None:
        """Return the image ingested from this file, if the file is unchanged; else None."""
        try:
            known = (await self._store.outcomes([str(path)])).get(str(path))
        except StoreMissing:  # reported by the search itself
            return None
        status = await to_thread.run_sync(path.stat)
        return known.image_id if known and known.is_unchanged(status.st_size, status.st_mtime_ns) else None

    async def file_of(self, stored: StoredImage, *, may_fetch: bool = False) -> Path:
        """Return the image's file, if it is unchanged since ingest.

        Args:
            may_fetch: Whether a file that is kept by a PACS alone is fetched again.

        Raises:
            NotFound: The file is gone or was changed.
            PacsError: The PACS that has it fails or refuses.
            PathRefused: It lies below no root.
        """
        recorded_path = stored.image.file
        if may_fetch and (fetched := await self._pulled.file_of(stored.image)):
            return fetched
        allowed_roots = await self._roots.allowed_roots()
        try:
            path = await to_thread.run_sync(allowed_roots.resolve, recorded_path)
        except PathRefused as exc:  # its message names the whole path
            raise PathRefused(_not_found(stored)) from exc
        before = (await self._store.outcomes([str(recorded_path)])).get(str(recorded_path))
        status = await to_thread.run_sync(path.stat)
        if before and (
            before.image_id != stored.image.image_id or not before.is_unchanged(status.st_size, status.st_mtime_ns)
        ):
            raise NotFound("The image's file was changed since it was ingested; ingest its folder again.")
        return path


def _not_found(stored: StoredImage) -> str:
    """Return the message about an image's file that is missing or outside the roots; it names no folder to a model."""
    return (
        f"The file of image {stored.image.image_id} was not found below the roots. Restore or mount its folder, ingest"
        " the folder where the file is now, or add that folder to MCP_CXR_ROOTS."
    )
