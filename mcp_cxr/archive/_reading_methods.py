"""Use cases that change nothing in an archive: search, show, view, count."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from mcp_cxr.archive._archive_base import ArchiveBase
from mcp_cxr.archive._image_details import image_details
from mcp_cxr.archive._method_signature import with_parameters_of
from mcp_cxr.archive._overview import count_archive
from mcp_cxr.archive._roots import AllowedRoots
from mcp_cxr.errors import (
    ImageError,
)
from mcp_cxr.records import Filter, Overview, SearchArguments
from mcp_cxr.timeline import patient_timeline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mcp_cxr.images import DisplayOptions, EncodedImage, ImageView, StoredValues, ValuesTile
    from mcp_cxr.records import (
        ImageDetails,
        ImageId,
        Outcome,
        PatientTimeline,
        Rendering,
        SearchResult,
    )
    from mcp_cxr.search import SearchableWords


_MAX_SIBLINGS = 100  # images of one study that are listed


def _roots(folders: tuple[Path, ...] | None) -> AllowedRoots | None:
    return None if folders is None else AllowedRoots(folders)


class ReadingMethods(ArchiveBase):
    """Searches an archive, and shows what it holds."""

    @with_parameters_of(SearchArguments)
    async def search(self, arguments: SearchArguments) -> SearchResult:
        """Return a page of results, as `search_with` does: `archive.search("effusion", view=["PA"], limit=10)`."""
        return await self.search_with(arguments)

    async def search_with(
        self,
        arguments: SearchArguments,
        *,
        example_roots: tuple[Path, ...] | None = None,
        searchable_words: SearchableWords = "archive",
        named_below: tuple[Path, ...] | None = None,
        value_of: Mapping[ImageId, float] | None = None,
    ) -> SearchResult:
        """Return a page of results.

        Args:
            arguments: Those of the tool `search_medical_images`.
            example_roots: Folders that may hold a file named in `like`; None: those whose files may be read.
            named_below: As for `image_id`.
            searchable_words: `findings` if nothing of the result may depend on the words of reports.
            value_of: Only these images; without words and examples, those of the highest value come first.

        Raises:
            QueryError: An argument is invalid, or they do not go together.
            NotFound: The archive does not have an image named in `like`, `unlike` or `exclude_subject_of`.
            PathRefused: A file in `like` is missing or lies below no root.
            ImageError: A file in `like` cannot be rendered.
            FingerprintMismatch: The archive's vectors were made with another embedder.
            EmbeddingError: A file in `like` cannot be embedded now, or `mode` is vector and the words cannot.
            ReaderMismatch: The search has words, and another version read the archive's reports.
            StoreError: The store fails or was never made.
        """
        from mcp_cxr.search import check_arguments

        findings_only = searchable_words == "findings"
        query = check_arguments(arguments, known_splits_only=findings_only, value_of=value_of)
        excluded = query.exclude_subject_of
        query = replace(
            query,
            unlike=tuple([await self.image_id(name, named_below=named_below) for name in query.unlike]),
            exclude_subject_of=await self.image_id(excluded, named_below=named_below) if excluded else None,
        )
        if query.text or (findings_only and query.where.labels_absent):
            await self.store.require_current_reader()
        allowed_roots = AllowedRoots(example_roots or ())
        if query.like_files and example_roots is None:
            allowed_roots = await self.allowed_roots()
        paths, known = await self._image_files.examples(query.like_files, allowed_roots, _roots(named_below))

        return await self._searcher.search(
            replace(
                query,
                like=tuple(dict.fromkeys((*query.like, *known.values()))),
                like_files=tuple(name for name in query.like_files if name not in known),
            ),
            render=partial(self._render_example, paths),
            searchable_words=searchable_words,
        )

    async def _render_example(self, paths: Mapping[str, Path], name: str) -> Rendering:
        try:
            return await self._image_files.render(paths[name])
        except ImageError as exc:
            reason = "no DICOM, PNG or JPEG file" if exc.reason == "not DICOM" else exc.reason
            raise type(exc)(f"{name} cannot be used as an example: {reason}.") from exc

    async def image_id(self, name: str, *, named_below: tuple[Path, ...] | None = None) -> ImageId:
        """Return the id of the image that a name of its file means; an id is returned as it is, stored or not.

        Args:
            name: An id, also with an image file's ending; the `image_path` of a result; or the path of a file.
            named_below: Folders whose files may be named, by their whole path; None: any file below the roots.

        Raises:
            NotFound: The archive has no image of that file.
            StoreError: The store fails or was never made.
        """
        return await self._image_files.image_id(name, _roots(named_below))

    async def show(self, image_id: str) -> ImageDetails:
        """Return everything known about one image, with the report by section.

        Raises:
            NotFound: No such image.
            StoreError: The store fails or was never made.
        """
        stored = await self._image_files.stored_image(image_id)
        siblings = await self.store.browse(Filter(study_id=stored.image.study_id), limit=_MAX_SIBLINGS)
        return image_details(stored, siblings)

    async def timeline(self, image_id: str, *, limit: int = 10, before: str | None = None) -> PatientTimeline:
        """Return the nearest studies of an image's patient; see `mcp_cxr.timeline.patient_timeline`.

        Args:
            image_id: The image that is asked for.
            limit: Studies beside its own; 1 to 100.
            before: Only studies before this one: a study id of the patient, or an ISO date.

        Raises:
            NotFound: No such image.
            QueryError: `limit` or `before` is invalid.
            StoreError: The store fails or was never made.
        """
        asked = await self._image_files.stored_image(image_id)
        return await patient_timeline(self.store, asked, limit=limit, before=before)

    async def view(self, image_id: str, options: DisplayOptions | None = None) -> ImageView:
        """Return a rendered view of one image.

        Raises:
            NotFound: No such image, or its file is gone or was changed.
            PathRefused: Its file lies below no root.
            ImageError: The file cannot be rendered.
            StoreError: The store fails or was never made.
            ValueError: The options are impossible.
        """
        from mcp_cxr.images import DisplayOptions

        return await self._image_files.view(image_id, options or DisplayOptions())

    async def view_file(self, path: str | Path, options: DisplayOptions | None = None) -> ImageView:
        """Return a rendered view of a file below the roots of the settings, whether it is in the archive or not.

        Raises:
            PathRefused: The file is missing or lies below none of these roots.
            ImageError: The file cannot be rendered.
            ValueError: The options are impossible.
        """
        from mcp_cxr.images import DisplayOptions

        real = AllowedRoots(self.settings.roots).resolve(path)
        return await self._image_reader.render_view(real, options or DisplayOptions())

    async def view_many(
        self, image_ids: Sequence[str], options: DisplayOptions | None = None, *, first: int = 1
    ) -> tuple[EncodedImage, list[ImageView | str]]:
        """Return a contact sheet of several images, and the view of each, or why it has none.

        Args:
            image_ids: At least one.
            options: Window, region and so on of each; `max_px` is the longer side of the contact sheet.
            first: Number drawn beside the first image; the others count on.

        Raises:
            NotFound: No such image.
            StoreError: The store fails or was never made.
            ValueError: No image ids, or the options are impossible.
        """
        from mcp_cxr.images import DisplayOptions

        return await self._image_files.view_many(image_ids, options or DisplayOptions(), first=first)

    async def stored_values(
        self,
        image_id: str,
        *,
        max_px: int = 768,
        tile: tuple[int, int] | None = None,
        factor: int = 1,
        keep: bool = True,
    ) -> tuple[StoredValues, ValuesTile]:
        """Return an image's stored values, before any window, and one tile of them or a reduced whole.

        Args:
            image_id: The image; the last two that were kept are not read again.
            max_px: Longer side of the whole at most, if no tile is requested.
            tile: Column and row of a tile; None: the whole.
            factor: By what a tile is reduced: a power of two.
            keep: Whether to cache the values, because more of this image will be requested.

        Raises:
            NotFound: No such image, or its file is gone or was changed.
            PathRefused: Its file lies below no root.
            ImageError: The file cannot be rendered.
            StoreError: The store fails or was never made.
            ValueError: There is no such tile.
        """
        return await self._image_files.stored_values(image_id, max_px=max_px, tile=tile, factor=factor, keep=keep)

    async def overview(self) -> Overview:
        """Return what the archive holds; the embedder is not called. An empty archive has zeros and a next step.

        Raises:
            StoreError: The store fails.
        """
        return await count_archive(
            self.store, kind=self.settings.store, embedder=self.embedder.name, roots=self.settings.roots
        )

    async def files_left_out(self) -> list[Outcome]:
        """Return the files that ingests read and that are not in the archive, by path, each with its reason.

        A file whose image is in the archive from another file has that image's id.

        Raises:
            StoreError: The store fails or was never made.
        """
        recorded = await self.store.refused_files()
        stored = await self.store.get([one.image_id for one in recorded if one.image_id])
        shown = {str(one.image.file) for one in stored.values()}
        return [one for one in recorded if one.path not in shown]
