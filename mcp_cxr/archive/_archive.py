"""The archive: every use case as one method, handed to the package that does it.

What a search does not need is imported by the method that does: `mcp-cxr search` and the first answer of `serve` would
wait for it.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_cxr import __version__
from mcp_cxr.archive._image_details import image_details
from mcp_cxr.archive._image_files import ImageFiles
from mcp_cxr.archive._local_config import local_config
from mcp_cxr.archive._overview import count_archive
from mcp_cxr.archive._pacs import PullDestination, PulledImages
from mcp_cxr.archive._parameters import with_parameters_of
from mcp_cxr.archive._roots import AllowedRoots, Roots
from mcp_cxr.embeddings import LocalEmbedder
from mcp_cxr.errors import (
    ConfigError,
    EmbeddingUnavailable,
    ImageError,
    NotFound,
    PathRefused,
    StoreError,
    StoreMissing,
)
from mcp_cxr.images import ImageReader
from mcp_cxr.records import Filter, ForgetPreview, Overview, SearchArguments
from mcp_cxr.search import SearchableWords, Searcher, check_arguments
from mcp_cxr.stores import with_mimic_prefixes
from mcp_cxr.timeline import patient_timeline
from mcp_cxr.upkeep import FingerprintCheck, check_encoder, quantize_encoder, repair, run_checks, verify

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable, Sequence

    from mcp_cxr.embeddings import Embedder, LocalConfig
    from mcp_cxr.evaluate import Evaluation, EvaluationPlan
    from mcp_cxr.images import DisplayOptions, EncodedImage, ImageView, StoredValues, ValuesTile
    from mcp_cxr.ingest import IdKey, IngestCallbacks, IngestPlan, ReadingNow, Shard, StopSignal
    from mcp_cxr.pacs import PacsSource, Pull, PullPlan, PullSummary
    from mcp_cxr.records import (
        ImageDetails,
        ImageId,
        IngestSummary,
        Outcome,
        PatientTimeline,
        Rendering,
        Repair,
        SearchResult,
        StoredImage,
        Verification,
    )
    from mcp_cxr.settings import Settings
    from mcp_cxr.stores import Store
    from mcp_cxr.upkeep import CheckResult, EncoderCheck, QuantizedEncoder

_MAX_SIBLINGS = 100  # images of one study that are listed


def _roots(folders: tuple[Path, ...] | None) -> AllowedRoots | None:
    return None if folders is None else AllowedRoots(folders)


class Archive:
    """The images, reports and vectors of one place, and all that can be done with them. Made by `open_archive`."""

    def __init__(self, settings: Settings, store: Store, embedder: Embedder, image_reader: ImageReader) -> None:
        self.settings = settings
        self.store = store
        self.embedder = embedder
        self._image_reader = image_reader
        self._roots = Roots(settings.roots, store, spool=settings.spool_folder)
        self.pulled: PulledImages = PulledImages(settings, store)
        """What was pulled from a PACS."""
        self._image_files = ImageFiles(store, embedder, image_reader, self._roots, self.pulled)
        self._fingerprint_check = FingerprintCheck(store, embedder, self._image_files.render_stored)
        self._searcher = Searcher(store, embedder, check_fingerprint=self._fingerprint_check.check_query_fingerprint)

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
    ) -> SearchResult:
        """Return a page of results.

        Args:
            arguments: Those of the tool `search_medical_images`.
            example_roots: Folders that may hold a file named in `like`; None: those whose files may be read.
            named_below: As for `image_id`.
            searchable_words: `findings` if nothing of the result may depend on the words of reports.

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
        findings_only = searchable_words == "findings"
        query = check_arguments(arguments, known_splits_only=findings_only)
        excluded = query.exclude_subject_of
        query = replace(
            query,
            unlike=tuple([await self.image_id(name, named_below=named_below) for name in query.unlike]),
            exclude_subject_of=await self.image_id(excluded, named_below=named_below) if excluded else None,
        )
        if query.text or (findings_only and query.where.labels_absent):
            await self.store.require_current_reader()
        allowed_roots = await self.allowed_roots() if example_roots is None else AllowedRoots(example_roots)
        paths, known = await self._image_files.examples(query.like_files, allowed_roots, _roots(named_below))

        async def render(name: str) -> Rendering:
            try:
                return await self._image_files.render(paths[name])
            except ImageError as exc:
                raise type(exc)(f"{name} cannot be used as an example: {exc.reason}.") from exc

        return await self._searcher.search(
            replace(
                query,
                like=tuple(dict.fromkeys((*query.like, *known.values()))),
                like_files=tuple(name for name in query.like_files if name not in known),
            ),
            render=render,
            searchable_words=searchable_words,
        )

    async def ingest(
        self,
        path: str | Path,
        *,
        limit: int | None = None,
        dry_run: bool = False,
        batch_size: int = 64,
        workers: int | None = None,
        shard: Shard | None = None,
        retry_failed: bool = False,
        any_body_part: bool = False,
        any_pixels: bool = False,
        companions: tuple[Path, ...] = (),
        layout: str | None = None,
        stop_signal: StopSignal | None = None,
        callbacks: IngestCallbacks | None = None,
        require_root: bool = False,
    ) -> IngestSummary:
        """Add the images of a folder to the archive; see `mcp_cxr.ingest.ingest`.

        The folder becomes a root: of the archive if its store keeps roots, else until this object is closed.

        Args:
            workers: Images read at the same time; None: one for each core.
            require_root: Whether the folder must lie below a root of the settings; set it unless the archive's owner
                names the folder. Roots recorded by earlier ingests do not count.

        Raises:
            PathRefused: The path is missing, or `require_root` is set and it lies below none of these roots.
            CxrError: As `mcp_cxr.ingest.ingest` says.
        """
        from mcp_cxr.ingest import IngestPlan, NotImages

        real = AllowedRoots(self.settings.roots if require_root else (Path("/"),)).resolve(path)
        self._roots.add(real)
        plan = IngestPlan(
            path=real,
            limit=limit,
            dry_run=dry_run,
            batch_size=batch_size,
            retry_failed=retry_failed,
            any_body_part=any_body_part,
            any_pixels=any_pixels,
            companion_folders=tuple(folder.resolve() for folder in companions),
            layout=layout,
            shard=shard,
            not_images=NotImages(None if dry_run else self.settings.not_images_file),
        )
        if not dry_run:
            await self.check_embedder()
        async with nullcontext(self._image_reader) if workers is None else ImageReader(workers=workers) as image_reader:
            return await self._ingest(plan, image_reader, stop_signal=stop_signal, callbacks=callbacks)

    async def pull(
        self,
        plan: PullPlan,
        source: PacsSource,
        *,
        workers: int | None = None,
        on_progress: Callable[[PullSummary], Awaitable[None]] | None = None,
        on_start: Callable[[Pull], None] | None = None,
        now: dt.datetime | None = None,
    ) -> PullSummary:
        """Add the images of a PACS to the archive; see `mcp_cxr.pacs.Pull`.

        Args:
            plan: What to pull.
            source: The PACS, from `open_pacs`.
            workers: Images read at the same time; None: one for each core.
            on_progress: Called every second.
            on_start: Called with the pull, which can be stopped.
            now: The time; None: that of the clock.

        Raises:
            PacsError: The PACS cannot be asked.
            CxrError: As `mcp_cxr.ingest.ingest` says.
        """
        from mcp_cxr.ingest import IngestPlan
        from mcp_cxr.pacs import Pull

        root = self.pulled.spool.root
        if not plan.dry_run:
            await self.check_embedder()
            await self.pulled.prepare()
        async with nullcontext(self._image_reader) if workers is None else ImageReader(workers=workers) as image_reader:

            async def ingest_files(files: frozenset[str]) -> IngestSummary:
                return await self._ingest(IngestPlan(path=root, only=files, searches_companions=False), image_reader)

            destination = PullDestination(self.store, self.pulled.spool, ingest_files)
            pull = Pull(plan, source, self.pulled.spool, destination, image_reader, on_progress=on_progress, now=now)
            if on_start:
                on_start(pull)
            return await pull.run()

    async def check_embedder(self) -> None:
        """Check that the embedder is of the archive's model and answers, as `ingest` does before it reads files.

        Raises:
            FingerprintMismatch: The archive was made with another model.
            EmbeddingError: The embedder fails.
            StoreError: The store fails.
        """
        await self._fingerprint_check.check_before_ingest()

    async def _ingest(
        self,
        plan: IngestPlan,
        image_reader: ImageReader,
        *,
        stop_signal: StopSignal | None = None,
        callbacks: IngestCallbacks | None = None,
    ) -> IngestSummary:
        from mcp_cxr.ingest import ingest

        return await ingest(
            plan,
            store=self.store,
            embedder=self.embedder,
            image_reader=image_reader,
            check_fingerprint=self._fingerprint_check.check_fingerprint,
            id_policy=self.settings.ids,
            id_key=self._id_key(),
            stop_signal=stop_signal,
            callbacks=callbacks,
        )

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

    def allow_reading(self, folder: Path) -> None:
        """Allow that files of images below a folder are read, until this object is closed."""
        self._roots.add(folder)

    async def allowed_roots(self) -> AllowedRoots:
        """Return the folders that may be read: the roots of the settings, and the roots recorded by earlier ingests.

        If other machines write to the store, only folders ingested since this archive was opened count.
        """
        return await self._roots.allowed_roots()

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

    async def verify(self) -> Verification:
        """Check every row of the archive, and count the problems.

        Raises:
            StoreError: The store fails or was never made.
        """
        return await verify(self.store, await self._compare_reading(), self.pulled.has_file)

    async def _compare_reading(self) -> Callable[[StoredImage], Awaitable[ReadingNow]]:
        from mcp_cxr.ingest import IdAssigner, IdKey, ReadingNow, compare_reading

        key = IdKey(self.settings.key_file, may_create=False)
        id_assigner = IdAssigner(self.settings.ids, key, key_check=(await self.store.info()).key_check)

        async def read(stored: StoredImage) -> ReadingNow:
            try:
                path = await self._image_files.file_of(stored)
            except (NotFound, PathRefused, OSError):
                return ReadingNow("not readable")
            spec = self.embedder.image_spec
            return await compare_reading(
                stored, path, image_reader=self._image_reader, spec=spec, id_assigner=id_assigner
            )

        return read

    async def repair(self) -> Repair:
        """Mend what `verify` finds, if the images' files still exist; see `mcp_cxr.upkeep.repair`.

        Raises:
            CxrError: As `ingest` says.
        """
        from mcp_cxr.ingest import IngestPlan

        async def ingest_again(root: Path, files: frozenset[str]) -> None:
            plan = IngestPlan(path=root, only=files, any_body_part=True, any_pixels=True)  # what was let in stays
            summary = await self._ingest(plan, self._image_reader)
            if summary.next:
                raise EmbeddingUnavailable(summary.next)

        return await repair(self.store, await self._compare_reading(), self.pulled.has_file, ingest_again)

    async def check_encoder(self, folder: Path) -> EncoderCheck:
        """Try the encoder of a model folder; see `mcp_cxr.upkeep.check_encoder`.

        Raises:
            EmbeddingError: The folder cannot be used.
            StoreError: The store fails.
        """
        try:
            images = (await self.store.totals()).images
        except StoreMissing:
            images = 0
        return await check_encoder(self._local_config(folder), archive_images=images)

    async def quantize_encoder(self, folder: Path, target: Path, *, compared: int) -> QuantizedEncoder:
        """Write an int8 copy of a model folder; see `mcp_cxr.upkeep.quantize_encoder`.

        Args:
            folder: The float32 export.
            target: The folder to write.
            compared: Images of the archive to compare, at most; those whose files can be read.

        Raises:
            ConfigError: `target` exists or cannot be written.
            EmbeddingError: The folder cannot be used or quantized.
            StoreError: The store fails.
        """
        config = self._local_config(folder)
        renderings = await self._image_files.sample_renderings(LocalEmbedder(config).image_spec, compared)
        return await quantize_encoder(config, self._local_config(target), renderings)

    def _local_config(self, folder: Path) -> LocalConfig:
        return local_config(self.settings, folder, allows_demo_encoder=True)  # nothing is stored

    async def forget_preview(self, where: Filter) -> ForgetPreview:
        """Return what `where` selects, and `where` with complete ids: the letter of a MIMIC id may be left out.

        Raises:
            StoreError: The store fails or was never made.
        """
        where = await with_mimic_prefixes(self.store, where)
        return ForgetPreview(
            where,
            images=await self.store.count(where),
            studies=await self.store.count(where, distinct="study"),
            external_in_archive=await self.store.count_external(),
        )

    async def forget(self, where: Filter) -> int:
        """Remove images with their vectors, words and outcomes, and studies left without images.

        Returns:
            How many images were removed.

        Raises:
            ValueError: `where` is empty.
            StoreError: The store fails or was never made.
        """
        removed = await self.store.forget(where)
        self._image_files.clear_caches()
        await self.pulled.forget_removed()
        return removed

    async def evaluate(
        self, plan: EvaluationPlan | None = None, *, on_progress: Callable[[str], None] | None = None
    ) -> Evaluation:
        """Measure the quality of the search.

        Args:
            plan: What to measure; None: everything.
            on_progress: Called with a line of text for each step.

        Raises:
            CxrError: As `mcp_cxr.evaluate.evaluate` says.
        """
        from mcp_cxr.evaluate import EvaluationPlan, evaluate

        return await evaluate(
            self.store,
            self.embedder,
            plan or EvaluationPlan(),
            version=__version__,
            check_fingerprint=self._fingerprint_check.check_fingerprint,
            on_progress=on_progress or (lambda _: None),
        )

    async def doctor(self) -> list[CheckResult]:
        """Check the services and files the archive depends on; what fails is reported, not raised."""
        try:
            roots = (await self.allowed_roots()).roots
        except (StoreError, ConfigError):  # reported by `run_checks` itself
            roots = self.settings.roots
        checks = await run_checks(self.store, self.embedder, roots, self._id_key(), self.settings.is_shared)
        return [*checks, *await self.pulled.check()]

    def _id_key(self) -> IdKey:
        from mcp_cxr.ingest import IdKey

        return IdKey(self.settings.key_file, may_create=self.settings.may_create_key)
