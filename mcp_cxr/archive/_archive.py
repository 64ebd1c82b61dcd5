"""The archive: what can be asked of it, and which part answers."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from mcp_cxr import __version__
from mcp_cxr.archive._image_files import ImageFiles
from mcp_cxr.archive._roots import AllowedRoots, Roots
from mcp_cxr.errors import ConfigError, EmbeddingUnavailable, StoreError
from mcp_cxr.evaluate import Evaluation, EvaluationPlan, evaluate
from mcp_cxr.images import ImageReader, ViewOptions
from mcp_cxr.ingest import IdKey, IngestCallbacks, IngestPlan, Shard, StopSignal, ingest
from mcp_cxr.language import sections
from mcp_cxr.records import Filter, ImageDetails, Overview
from mcp_cxr.search import Searcher, parse_query
from mcp_cxr.upkeep import CheckResult, FingerprintCheck, forget_preview, repair, run_checks, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.images import ContactSheet, ImageView, StoredValues, ValuesTile
    from mcp_cxr.records import ForgetPreview, IngestSummary, Rendering, Repair, SearchResult, Verification
    from mcp_cxr.settings import Settings
    from mcp_cxr.stores import Store

_SIBLINGS = 100  # images of one study that are listed


class Archive:
    """Films, reports and vectors of one place, and what can be asked of them. Made by `open_archive`."""

    def __init__(self, settings: Settings, store: Store, embedder: Embedder, reader: ImageReader) -> None:
        self.settings = settings
        self.store = store
        self.embedder = embedder
        self._reader = reader
        self._roots = Roots(settings.roots, store)
        self._image_files = ImageFiles(store, embedder, reader, self._roots)
        self._fingerprint_check = FingerprintCheck(store, embedder, self._image_files.render_stored)
        self._searcher = Searcher(store, embedder, confirm=self._fingerprint_check.confirm_for_query)

    async def search(self, query: str | None = None, *, roots: tuple[Path, ...] = (), **how: Any) -> SearchResult:  # noqa: ANN401 - see mcp_cxr.search.ask
        """Answer a question; the arguments are those of the tool `search_medical_images`.

        Args:
            query: Words.
            roots: More folders below which a file named in `like` may lie.
            how: See `mcp_cxr.search.parse_query`.

        Raises:
            QuestionError: It cannot be asked like this.
            NotFound: An image named in it is not there.
            PathRefused: A file named in it is missing or lies below no root.
            ImageError: A file named in it cannot become a picture.
            FingerprintMismatch: The archive's vectors were made by another embedder.
            EmbeddingError: A file named in it cannot be embedded now.
            StoreError: The store fails or was never made.
        """
        question = parse_query(query, **how)
        allowed_roots = AllowedRoots((*(await self.allowed_roots()).roots, *roots))
        paths = {name: await to_thread.run_sync(allowed_roots.resolve, name) for name in question.like_files}
        known = {name: image for name, path in paths.items() if (image := await self._image_files.image_of(path))}

        async def render(name: str) -> Rendering:
            return await self._image_files.render(paths[name])

        return await self._searcher.search(
            replace(
                question,
                like=tuple(dict.fromkeys((*question.like, *known.values()))),
                like_files=tuple(name for name in question.like_files if name not in known),
            ),
            render=render,
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
        companions: tuple[Path, ...] = (),
        stop_signal: StopSignal | None = None,
        callbacks: IngestCallbacks | None = None,
        anywhere: bool = True,
    ) -> IngestSummary:
        """Bring a folder's films into the archive; see `mcp_cxr.ingest.ingest`.

        The folder becomes a root: of the archive, where its store keeps roots, else for as long as this one is open.

        Args:
            workers: Films read at the same time; None: as many as there are cores.
            anywhere: Whether the folder need not lie below a root, as where its owner names it.

        Raises:
            PathRefused: The path is missing, or lies below no root.
            CxrError: As `mcp_cxr.ingest.ingest` says.
        """
        real = (AllowedRoots((Path("/"),)) if anywhere else await self.allowed_roots()).resolve(path)
        self._roots.add(real)
        plan = IngestPlan(
            path=real,
            limit=limit,
            dry_run=dry_run,
            batch_size=batch_size,
            retry_failed=retry_failed,
            any_body_part=any_body_part,
            companions=tuple(folder.resolve() for folder in companions),
            shard=shard,
        )
        async with nullcontext(self._reader) if workers is None else ImageReader(workers=workers) as reader:
            return await self._ingest(plan, reader, stop_signal=stop_signal, callbacks=callbacks)

    async def _ingest(
        self,
        plan: IngestPlan,
        reader: ImageReader,
        *,
        stop_signal: StopSignal | None = None,
        callbacks: IngestCallbacks | None = None,
    ) -> IngestSummary:
        return await ingest(
            plan,
            store=self.store,
            embedder=self.embedder,
            reader=reader,
            confirm=self._fingerprint_check.confirm,
            id_policy=self.settings.ids,
            id_key=IdKey(self.settings.key_file, may_create=self.settings.may_create_key),
            stop_signal=stop_signal,
            callbacks=callbacks,
        )

    async def show(self, image_id: str) -> ImageDetails:
        """Return everything known of one image; the report by section.

        Raises:
            NotFound: No such image.
            StoreError: The store fails or was never made.
        """
        stored = await self._image_files.stored(image_id)
        image, study = stored.image, stored.study
        siblings = await self.store.browse(Filter(study_id=image.study_id), limit=_SIBLINGS)
        return ImageDetails(
            image_id=image.image_id,
            study_id=image.study_id,
            subject_id=image.subject_id,
            view_position=image.view_position,
            view_source=image.view_source,
            image_path=image.shown_path,
            study_date=study.study_date,
            split=study.split,
            labels=dict(study.labels),
            tags=dict(image.tags),
            grayscale=dict(image.grayscale),
            report=sections(study.report) if study.report else None,
            external=stored.external,
            other_images=sorted(one.image_id for one in siblings if one.image_id != image.image_id),
            warnings=[],
        )

    async def view(self, image_id: str, options: ViewOptions | None = None) -> ImageView:
        """Return one film as a picture.

        Raises:
            NotFound: No such image, or its file is gone or was changed.
            PathRefused: Its file lies below no root.
            ImageError: The file cannot become a picture.
            StoreError: The store fails or was never made.
            ValueError: The options are impossible.
        """
        return await self._image_files.view(image_id, options or ViewOptions())

    async def view_many(
        self, image_ids: Sequence[str], options: ViewOptions | None = None, *, first: int = 1
    ) -> tuple[ContactSheet, list[ImageView | str]]:
        """Return several films in one picture, and each film's view, or why there is none.

        Args:
            image_ids: At least one.
            options: What is to be seen of each; `max_px` is the longer side of the whole picture.
            first: Number of the first film; the others count on.

        Raises:
            NotFound: No such image.
            StoreError: The store fails or was never made.
            ValueError: No image ids, or the options are impossible.
        """
        return await self._image_files.view_many(image_ids, options or ViewOptions(), first=first)

    async def stored_values(
        self,
        image_id: str,
        *,
        max_px: int = 768,
        place: tuple[int, int] | None = None,
        factor: int = 1,
        keep: bool = True,
    ) -> tuple[StoredValues, ValuesTile]:
        """Return a film before its window is chosen, and the part of its values that is asked for.

        Args:
            image_id: The film; the last two that were kept are not read again.
            max_px: Longer side of the whole film at most, where no tile is asked for.
            place: Column and row of a tile.
            factor: What a tile is reduced by: a power of two.
            keep: Whether more of this film will be asked for.

        Raises:
            NotFound: No such image, or its file is gone or was changed.
            PathRefused: Its file lies below no root.
            ImageError: The file cannot become a picture.
            StoreError: The store fails or was never made.
            ValueError: There is no such tile.
        """
        return await self._image_files.stored_values(image_id, max_px=max_px, place=place, factor=factor, keep=keep)

    async def allowed_roots(self) -> AllowedRoots:
        """Return the folders that may be read: those of the settings, and those ingested before.

        Where other machines write to the store: those ingested since this archive was opened.
        """
        return await self._roots.allowed_roots()

    async def overview(self) -> Overview:
        """Return what the archive holds, without asking the embedder.

        Raises:
            StoreError: The store fails or was never made.
        """
        totals, collection = await self.store.totals(), await self.store.info()
        fingerprint = collection.fingerprint
        return Overview(
            images=totals.images,
            studies=totals.studies,
            subjects=totals.subjects,
            external=totals.external,
            by_view=dict(totals.by_view),
            by_label=dict(totals.by_label),
            embedder={"configured": self.embedder.name, "fingerprint": asdict(fingerprint) if fingerprint else None},
            store={"kind": self.settings.store, "schema_version": collection.schema_version},
        )

    async def verify(self) -> Verification:
        """Walk the whole collection and count what is wrong.

        Raises:
            StoreError: The store fails or was never made.
        """
        return await verify(self.store)

    async def repair(self) -> Repair:
        """Mend what `verify` finds, as far as the films' files are there; see `mcp_cxr.upkeep.repair`.

        Raises:
            CxrError: As `ingest` says.
        """

        async def again(root: Path, files: frozenset[str]) -> None:
            summary = await self._ingest(IngestPlan(path=root, only=files, any_body_part=True), self._reader)
            if summary.next:
                raise EmbeddingUnavailable(summary.next)

        return await repair(self.store, again)

    async def forget_preview(self, where: Filter) -> ForgetPreview:
        """Return what `forget` would remove.

        Raises:
            StoreError: The store fails or was never made.
        """
        return await forget_preview(self.store, where)

    async def forget(self, where: Filter) -> int:
        """Remove images with their vectors, words and outcomes, and studies left without any; return the images.

        Raises:
            ValueError: `where` is empty.
            StoreError: The store fails or was never made.
        """
        return await self.store.forget(where)

    async def evaluate(
        self, plan: EvaluationPlan | None = None, *, tell: Callable[[str], None] | None = None
    ) -> Evaluation:
        """Measure how good the search is.

        Args:
            plan: What is measured; everything unless given.
            tell: Is told what is being done.

        Raises:
            CxrError: As `mcp_cxr.evaluate.evaluate` says.
        """
        return await evaluate(
            self.store,
            self.embedder,
            plan or EvaluationPlan(),
            version=__version__,
            confirm=self._fingerprint_check.confirm,
            tell=tell or _keep_silent,
        )

    async def doctor(self) -> list[CheckResult]:
        """Check what the archive leans on; never raises what it can report."""
        try:
            roots = (await self.allowed_roots()).roots
        except (StoreError, ConfigError):  # reported by the examination itself
            roots = self.settings.roots
        return await run_checks(self.store, self.embedder, roots)


def _keep_silent(_: str) -> None:
    pass
