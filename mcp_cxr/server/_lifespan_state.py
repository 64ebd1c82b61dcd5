"""The archive behind the tools, opened in the background so that the host's handshake need not wait for it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from mcp_cxr.errors import CxrError
from mcp_cxr.server._redaction import OWNER_SEES_PATHS, UNCONFIRMED, hide_local_paths

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from mcp_cxr.archive import Archive
    from mcp_cxr.records import ImageId
    from mcp_cxr.server._access_log import AccessLog

    OpenArchive = Callable[[], AbstractAsyncContextManager[Archive]]


@dataclass(slots=True)
class ServerState:
    """What all tools of one server share: settings, access log and the archive.

    Args:
        allowed: What the host's model may be given: any of `reports`, `images`, `dates`, or `paths` for the owner.
        ingest_time_limit_s: After this long an ingest stops after the current batch.
        access_log: Logs every call; None: nothing is logged.
    """

    allowed: tuple[str, ...]
    ingest_time_limit_s: float
    access_log: AccessLog | None = None
    _archive: Archive | None = None
    _failure: CxrError | None = None
    _opened: anyio.Event = field(default_factory=anyio.Event)
    _closing: anyio.Event = field(default_factory=anyio.Event)

    @property
    def share(self) -> tuple[str, ...]:
        """What the host's model may be given now: no reports that a pull brought and the owner has not confirmed."""
        withholds = (
            self._archive is not None
            and OWNER_SEES_PATHS not in self.allowed
            and self._archive.pulled.withholds_reports
        )
        return tuple(UNCONFIRMED if one == "reports" and withholds else one for one in self.allowed)

    async def archive(self) -> Archive:
        """Return the archive, as soon as it is open.

        Raises:
            CxrError: The archive could not be opened, or is closed.
        """
        await self._opened.wait()
        if self._archive is None:
            raise self._failure or CxrError("The archive is closed.")
        return self._archive

    async def named_below(self) -> tuple[Path, ...] | None:
        """Return the folders whose files may be named, by their whole path; None: the owner may name any of a root.

        Elsewhere a model would learn whether a file is named after a patient, and which image it is.

        Raises:
            CxrError: As for `archive`.
        """
        return None if OWNER_SEES_PATHS in self.share else (await self.archive()).settings.roots

    async def image_id(self, name: str) -> ImageId:
        """Return the id of the image that the caller names.

        Raises:
            CxrError: As for `archive`, or there is no such image.
        """
        archive = await self.archive()
        return await archive.image_id(name, named_below=await self.named_below())

    @asynccontextmanager
    async def opened(self, open_archive: OpenArchive) -> AsyncGenerator[ServerState]:
        """Open the archive in the background, yield the state, and close the archive at the end."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_open, open_archive)
            try:
                yield self
            finally:
                self._closing.set()

    async def _keep_open(self, open_archive: OpenArchive) -> None:
        """Open the archive and hold it open until the server ends; both happen in one task, as anyio requires."""
        try:
            async with open_archive() as self._archive:
                self._opened.set()
                await self._closing.wait()
        except CxrError as exc:
            self._failure = exc
        finally:
            self._archive = None
            self._opened.set()

    def hide_paths(self, text: str, arguments: dict[str, Any]) -> str:
        """Return an error's text for the host's model, without local paths and addresses; the owner is told them."""
        if OWNER_SEES_PATHS in self.share:
            return text
        known: dict[str, str] = {}
        if self._archive:
            settings = self._archive.settings
            known = {self._archive.store.location: "the archive", str(settings.data_dir): "the data folder"}
            known |= {str(settings.key_file): "the id key"} if settings.key_file else {}
        return hide_local_paths(text, known, arguments)
