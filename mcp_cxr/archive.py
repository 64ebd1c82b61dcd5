"""The composition root, and the API for notebooks.

::

    async with open_archive() as archive:
        await archive.ingest("/data/films")
        page = await archive.search(query="left pleural effusion", view=["PA"])
        shown = await archive.show(page.images[0].image_id)
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio import to_thread

from mcp_cxr import __version__
from mcp_cxr.embeddings import NvclipConfig, NvclipEmbedder, OfflineEmbedder
from mcp_cxr.errors import (
    ConfigError,
    EmbeddingUnavailable,
    ImageError,
    NotFound,
    PathRefused,
    StoreError,
    StoreMissing,
)
from mcp_cxr.evaluate import Evaluation, evaluate
from mcp_cxr.evaluate import Plan as EvaluationPlan
from mcp_cxr.images import PREPROCESSING, Lightbox, Reader, Viewing, overview, sheet_layout, side_by_side, tile
from mcp_cxr.ingest import IdKey, Listener, Plan, Shard, Signal, ingest
from mcp_cxr.language import sections
from mcp_cxr.records import Filter, ImageId, Overview, Shown
from mcp_cxr.search import Searcher, ask
from mcp_cxr.settings import Settings, StoreKind, load_settings
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.upkeep import Copied, Finding, ServiceWatch, copy, examine, forgettable, repair, verify

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.images import FilmValues, Part, Sheet, View
    from mcp_cxr.records import Forgettable, IngestSummary, Page, Picture, Repair, Stored, Verification
    from mcp_cxr.stores import Store

_SIBLINGS = 100  # images of one study that are listed
_LONGEST_SHOWN = 200  # characters of a path in an error


@asynccontextmanager
async def open_archive(settings: Settings | None = None) -> AsyncGenerator[Archive]:
    """Open the archive that the settings, or else the environment, describe. Nothing is made and no service asked.

    Raises:
        ConfigError: A setting is wrong.
    """
    settings = settings or load_settings()
    async with AsyncExitStack() as opened:
        store = await opened.enter_async_context(_store(settings, settings.store))
        embedder = await opened.enter_async_context(_embedder(settings))
        reader = await opened.enter_async_context(Reader())
        yield Archive(settings, store, embedder, reader)


async def copy_archive(
    to: StoreKind,
    settings: Settings | None = None,
    *,
    on_progress: Callable[[int], Awaitable[None]] | None = None,
) -> Copied:
    """Bring the archive of the other store into the one named, without embedding again; see `mcp_cxr.upkeep.copy`.

    Raises:
        ConfigError: A setting is wrong, or the target's ids were hashed with another key.
        StoreError: A store fails, the source is empty, or the target holds another embedder's vectors.
    """
    settings = settings or load_settings()
    source: StoreKind = "embedded" if to == "iris" else "iris"
    async with _store(settings, source) as origin, _store(settings, to) as target:
        return await copy(origin, target, on_progress=on_progress)


def _store(settings: Settings, kind: StoreKind) -> Store:
    if kind == "embedded":
        return EmbeddedStore(settings.data_dir)
    from mcp_cxr.stores.iris import IrisConfig, IrisStore  # loads the driver, which the embedded store does not need

    return IrisStore(
        IrisConfig(
            host=settings.iris_host,
            port=settings.iris_port,
            namespace=settings.iris_namespace,
            username=settings.iris_username or "",
            password=settings.iris_password.get_secret_value() if settings.iris_password else "",
            table=settings.iris_table,
            pool_size=settings.iris_pool_size,
            ssl_config=settings.iris_ssl_config,
        )
    )


def _embedder(settings: Settings) -> Embedder:
    if settings.embedder == "offline":
        return OfflineEmbedder(preprocessing=PREPROCESSING)
    return NvclipEmbedder(
        NvclipConfig(
            base_url=settings.nvclip_base_url,
            model=settings.nvclip_model,
            dialect=settings.nvclip_dialect,
            image_size=settings.nvclip_image_size,
            preprocessing=f"{PREPROCESSING}/{settings.nvclip_image_size}px",
            api_key=settings.nvidia_api_key.get_secret_value() if settings.nvidia_api_key else None,
            allow_remote=settings.allow_remote,
        )
    )


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which folders may be read."""

    roots: tuple[Path, ...]

    def resolve(self, path: str | Path) -> Path:
        """Return the path without links, if it is there and lies below a root.

        What lies elsewhere is refused alike, be it there or not: whoever asks learns nothing of the rest of the disk.

        Raises:
            PathRefused: It lies below no root, or is missing.
        """
        shown = str(path)[:_LONGEST_SHOWN]
        try:
            real = Path(path).expanduser().resolve()
            is_below, is_there = any(real.is_relative_to(root.resolve()) for root in self.roots), real.exists()
        except (OSError, RuntimeError, ValueError):  # a loop of links, nobody's home, no path at all
            is_below, is_there, real = True, False, Path()
        if not is_below:
            raise PathRefused(f"{shown} lies below none of the archive's roots; add its folder to MCP_CXR_ROOTS.")
        if not is_there:
            raise PathRefused(f"{shown} is not there; name a folder or file that exists.")
        return real


class Archive:
    """Films, reports and vectors of one place, and what can be asked of them. Made by `open_archive`."""

    def __init__(self, settings: Settings, store: Store, embedder: Embedder, reader: Reader) -> None:
        self.settings = settings
        self.store = store
        self.embedder = embedder
        self._reader = reader
        self._given_roots: set[Path] = set()
        self._lightbox = Lightbox(reader.values)
        self._watch = ServiceWatch(store, embedder, self._develop)
        self._searcher = Searcher(store, embedder, confirm=self._watch.confirm)

    async def search(self, query: str | None = None, *, roots: tuple[Path, ...] = (), **how: Any) -> Page:  # noqa: ANN401 - see mcp_cxr.search.ask
        """Answer a question; the arguments are those of the tool `search_medical_images`.

        Args:
            query: Words.
            roots: More folders below which a file named in `like` may lie.
            how: See `mcp_cxr.search.ask`.

        Raises:
            QuestionError: It cannot be asked like this.
            NotFound: An image named in it is not there.
            PathRefused: A file named in it is missing or lies below no root.
            ImageError: A file named in it cannot become a picture.
            FingerprintMismatch: The archive's vectors were made by another embedder.
            EmbeddingError: A file named in it cannot be embedded now.
            StoreError: The store fails or was never made.
        """
        question = ask(query, **how)
        allowed = Allowed((*(await self.allowed()).roots, *roots))
        paths = {name: await to_thread.run_sync(allowed.resolve, name) for name in question.like_files}
        known = {name: image for name, path in paths.items() if (image := await self._image_of(path))}

        async def develop(name: str) -> Picture:
            film = await self._reader.film(paths[name], self.embedder.image_spec, any_body_part=True)
            return film.picture

        return await self._searcher.search(
            replace(
                question,
                like=tuple(dict.fromkeys((*question.like, *known.values()))),
                like_files=tuple(name for name in question.like_files if name not in known),
            ),
            develop=develop,
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
        signal: Signal | None = None,
        listener: Listener | None = None,
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
        real = (Allowed((Path("/"),)) if anywhere else await self.allowed()).resolve(path)
        self._given_roots.add(real if real.is_dir() else real.parent)
        plan = Plan(
            path=real,
            limit=limit,
            dry_run=dry_run,
            batch_size=batch_size,
            retry_failed=retry_failed,
            any_body_part=any_body_part,
            companions=tuple(folder.resolve() for folder in companions),
            shard=shard,
        )
        async with nullcontext(self._reader) if workers is None else Reader(workers=workers) as reader:
            return await self._ingest(plan, reader, signal=signal, listener=listener)

    async def _ingest(
        self, plan: Plan, reader: Reader, *, signal: Signal | None = None, listener: Listener | None = None
    ) -> IngestSummary:
        return await ingest(
            plan,
            store=self.store,
            embedder=self.embedder,
            reader=reader,
            confirm=self._watch.confirm,
            id_policy=self.settings.ids,
            id_key=IdKey(self.settings.key_file, may_make=self.settings.may_make_key),
            signal=signal,
            listener=listener,
        )

    async def show(self, image_id: str) -> Shown:
        """Return everything known of one image; the report by section.

        Raises:
            NotFound: No such image.
            StoreError: The store fails or was never made.
        """
        stored = await self._stored(image_id)
        image, study = stored.image, stored.study
        siblings = await self.store.browse(Filter(study_id=image.study_id), limit=_SIBLINGS)
        return Shown(
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
            grey_scale=dict(image.grey_scale),
            report=sections(study.report) if study.report else None,
            foreign=stored.foreign,
            other_images=sorted(one.image_id for one in siblings if one.image_id != image.image_id),
            warnings=[],
        )

    async def view(self, image_id: str, viewing: Viewing | None = None) -> View:
        """Return one film as a picture.

        Raises:
            NotFound: No such image, or its file is gone or was changed.
            PathRefused: Its file lies below no root.
            ImageError: The file cannot become a picture.
            StoreError: The store fails or was never made.
            ValueError: The viewing is impossible.
        """
        stored = await self._stored(image_id)
        return await self._reader.view(await self._file_of(stored), viewing or Viewing())

    async def view_many(
        self, image_ids: Sequence[str], viewing: Viewing | None = None, *, first: int = 1
    ) -> tuple[Sheet, list[View | str]]:
        """Return several films in one picture, and each film's view, or why there is none.

        Args:
            image_ids: At least one.
            viewing: What is to be seen of each; `max_px` is the longer side of the whole picture.
            first: Number of the first film; the others count on.

        Raises:
            NotFound: No such image.
            StoreError: The store fails or was never made.
            ValueError: No image ids, or the viewing is impossible.
        """
        asked = viewing or Viewing()
        _, side = sheet_layout(len(image_ids), max_px=asked.max_px)
        stored = [await self._stored(image_id) for image_id in image_ids]
        shown: list[View | str] = [""] * len(stored)

        async def look(place: int) -> None:
            try:
                shown[place] = await self._reader.view(await self._file_of(stored[place]), replace(asked, max_px=side))
            except ImageError as exc:
                shown[place] = exc.reason
            except (NotFound, PathRefused):  # the row is there, the file is not what it was
                shown[place] = "file gone or changed"

        async with anyio.create_task_group() as tasks:
            for place in range(len(stored)):
                tasks.start_soon(look, place)
        drawn = partial(side_by_side, shown, first=first, max_px=asked.max_px)
        return await to_thread.run_sync(drawn), shown

    async def values(
        self,
        image_id: str,
        *,
        max_px: int = 768,
        place: tuple[int, int] | None = None,
        factor: int = 1,
        keep: bool = True,
    ) -> tuple[FilmValues, Part]:
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
        path = await self._file_of(await self._stored(image_id))
        film = await self._lightbox.film(path, keep=keep)
        if place is None:
            return film, await to_thread.run_sync(partial(overview, film, max_px=max_px))
        column, row = place
        return film, await to_thread.run_sync(partial(tile, film, column=column, row=row, factor=factor))

    async def allowed(self) -> Allowed:
        """Return the folders that may be read: those of the settings, and those ingested before.

        A server that other machines write to has no say in what is read on this one: there, it is those of the
        settings, and those ingested since this archive was opened.
        """
        roots = [*self.settings.roots, *sorted(self._given_roots)]
        if self.store.is_private:
            with suppress(StoreMissing):
                roots += map(Path, (await self.store.info()).roots)
        return Allowed(tuple(dict.fromkeys(roots)))

    async def overview(self) -> Overview:
        """Return what the archive holds, without asking the embedder.

        Raises:
            StoreError: The store fails or was never made.
        """
        totals, collection = await self.store.totals(), await self.store.info()
        made_with = collection.fingerprint
        return Overview(
            images=totals.images,
            studies=totals.studies,
            subjects=totals.subjects,
            foreign=totals.foreign,
            by_view=dict(totals.by_view),
            by_label=dict(totals.by_label),
            embedder={"configured": self.embedder.name, "made_with": asdict(made_with) if made_with else None},
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
            summary = await self._ingest(Plan(path=root, only=files, any_body_part=True), self._reader)
            if summary.next:
                raise EmbeddingUnavailable(summary.next)

        return await repair(self.store, again)

    async def forgettable(self, where: Filter) -> Forgettable:
        """Return what `forget` would remove.

        Raises:
            StoreError: The store fails or was never made.
        """
        return await forgettable(self.store, where)

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
            confirm=self._watch.confirm,
            tell=tell or _keep_silent,
        )

    async def doctor(self) -> list[Finding]:
        """Check what the archive leans on; never raises what it can report."""
        try:
            roots = (await self.allowed()).roots
        except (StoreError, ConfigError):  # reported by the examination itself
            roots = self.settings.roots
        return await examine(self.store, self.embedder, roots)

    async def _stored(self, image_id: str) -> Stored:
        asked = ImageId(image_id.strip())
        stored = await self.store.get([asked])
        if asked not in stored:
            raise NotFound(f"No image {asked} in this archive; image ids come with the hits of a search.")
        return stored[asked]

    async def _develop(self, stored: Stored) -> Picture:
        """Render a stored film as it was rendered for its vector."""
        film = await self._reader.film(await self._file_of(stored), self.embedder.image_spec, any_body_part=True)
        return film.picture

    async def _image_of(self, path: Path) -> ImageId | None:
        """Return the image that this file became, if it is as it was then."""
        try:
            known = (await self.store.outcomes([str(path)])).get(str(path))
        except StoreMissing:  # said by the search itself
            return None
        status = await to_thread.run_sync(path.stat)
        same = known and (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns)
        return known.image_id if known and same else None

    async def _file_of(self, stored: Stored) -> Path:
        """Return the image's file, if it is the one that was ingested."""
        place = Path(stored.image.root) / stored.image.image_path
        allowed = await self.allowed()
        try:
            path = await to_thread.run_sync(allowed.resolve, place)
        except PathRefused as exc:  # whose message names the whole path
            raise PathRefused("The image's file is gone, or lies below none of the archive's roots.") from exc
        before = (await self.store.outcomes([str(place)])).get(str(place))
        status = await to_thread.run_sync(path.stat)
        now = (stored.image.image_id, status.st_size, status.st_mtime_ns)
        if before and (before.image_id, before.size, before.mtime_ns) != now:
            raise NotFound("The image's file was changed since it was ingested; ingest its folder again.")
        return path


def _keep_silent(_: str) -> None:
    pass
