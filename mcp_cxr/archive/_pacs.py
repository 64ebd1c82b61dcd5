"""Pulls images from a PACS into an archive: makes the source and the spool from the settings."""

from __future__ import annotations

import base64
import time
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio
from anyio import to_thread

from mcp_cxr.errors import ConfigError, NotFound
from mcp_cxr.loopback import remote_name
from mcp_cxr.pacs import DIMSE_SCHEME, Spool, check_pacs, fetch_again
from mcp_cxr.records import ImageId, Study
from mcp_cxr.upkeep import CheckResult

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from mcp_cxr.pacs import DicomWeb, DicomWebConfig, Dimse, DimseConfig, FileAtPacs, GoneStudy, PacsSource
    from mcp_cxr.records import ImageRecord, IngestSummary, Outcome, StoredImage
    from mcp_cxr.settings import Settings
    from mcp_cxr.stores import Store

_A_MINUTE_S: Final = 60.0
_FETCHES_PER_MINUTE: Final = 20


@dataclass(frozen=True, slots=True)
class PullDestination:
    """The archive as a `Destination` of a pull.

    Args:
        ingest_files: Adds files of the spool.
    """

    store: Store
    spool: Spool
    ingest_files: Callable[[frozenset[str]], Awaitable[IngestSummary]]

    async def ingest(self, files: Collection[Path]) -> IngestSummary:
        """Add these files of the spool."""
        return await self.ingest_files(frozenset(map(str, files)))

    async def outcomes(self, files: Collection[Path]) -> Mapping[str, Outcome]:
        """Return what became of these files, by path."""
        return await self.store.outcomes(list(map(str, files)))

    async def stored(self, image_ids: Sequence[ImageId]) -> Mapping[ImageId, StoredImage]:
        """Return these images."""
        return await self.store.get(image_ids)

    @property
    def takes_reports(self) -> bool:
        """Whether reports may be stored: not where other machines would share them before they are confirmed."""
        return self.store.is_private or self.spool.are_reports_confirmed

    async def put_report(self, image_id: str, text: str) -> None:
        """Store the report of an image's study."""
        for stored in (await self.store.get([ImageId(image_id)])).values():
            await self.store.put_studies([Study(stored.image.study_id, stored.image.subject_id, report=text)])


class PulledImages:
    """What was pulled from a PACS into an archive: the spool, and images whose file is fetched again to be looked at.

    Args:
        settings: Name the PACS that may be asked.
        store: The archive's.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self.spool: Spool = Spool(settings.spool_folder.resolve())
        self.fetches_per_minute = _FETCHES_PER_MINUTE
        """Most files that are fetched again a minute; more are refused."""
        self._settings = settings
        self._store = store
        self._fetched_at: deque[float] = deque()
        self._one_at_a_time = anyio.Lock()

    @property
    def withholds_reports(self) -> bool:
        """Whether a pull brought reports that the owner has not confirmed; a model is then given no report at all."""
        return self.spool.withholds_reports

    async def prepare(self) -> None:
        """Create the spool, and remove what a run that was killed left half written.

        Raises:
            ConfigError: The data folder cannot be written.
        """
        await to_thread.run_sync(self.spool.prepare)

    async def confirm_reports(self) -> None:
        """Record that reports of the PACS, with what masking left in them, may be shared like others.

        Raises:
            ConfigError: The data folder cannot be written.
        """
        await self.prepare()
        await to_thread.run_sync(self.spool.confirm_reports)

    async def gone_studies(self) -> list[GoneStudy]:
        """Return the studies of the archive that their PACS has no more."""
        return await to_thread.run_sync(lambda: list(self.spool.gone()))

    async def forget_removed(self) -> None:
        """Remove what is kept of images that are no more in the archive."""
        for study in await to_thread.run_sync(lambda: list(self.spool.studies())):
            ids = [ImageId(one.image_id) for one in study.instances.values() if one.image_id]
            removed = {*ids} - await self._store.known_ids(ids)
            await to_thread.run_sync(self.spool.drop_images, study, removed)

    async def check(self) -> list[CheckResult]:
        """Check the connection to the PACS of the settings; nothing if none is set."""
        url = (self._settings.pacs_url or "").rstrip("/")
        if not url:
            return []
        try:
            async with open_pacs(self._settings, url) as source:
                steps = [step async for step in check_pacs(source, self.spool)]
        except ConfigError as exc:
            return [CheckResult("PACS", ok=False, detail="cannot be used", advice=str(exc))]
        return [CheckResult("PACS", ok=advice is None, detail=found, advice=advice) for found, advice in steps]

    def has_file(self, path: Path) -> bool:
        """Return whether a file that is not kept is that of an image whose study is still in the PACS; blocking."""
        found = self.spool.file_at_pacs(path) if path.is_relative_to(self.spool.root) else None
        return found is not None and not found.study.is_gone

    async def file_of(self, image: ImageRecord) -> Path | None:
        """Return the file of an image, fetched again if it is not kept; None for an image that was not pulled.

        Raises:
            NotFound: The PACS has it no more, sends another one, or too many were fetched within a minute.
            PacsError: The PACS fails or refuses.
            ConfigError: MCP_CXR_PACS_URL or the login cannot be used.
        """
        path = image.file
        if not path.is_relative_to(self.spool.root) or await to_thread.run_sync(path.exists):
            return None
        async with self._one_at_a_time:
            found = await to_thread.run_sync(self.spool.file_at_pacs, path)
            if found is None:
                return None
            if cached := await to_thread.run_sync(self.spool.cached, found):
                return cached
            return await self._fetch_again(found)

    async def _fetch_again(self, found: FileAtPacs) -> Path:
        url = (self._settings.pacs_url or "").rstrip("/")
        if url != found.study.source:
            raise NotFound(
                "This image's file is not kept here but in the PACS; set MCP_CXR_PACS_URL to the URL of the pull."
            )
        now = time.monotonic()
        while self._fetched_at and now - self._fetched_at[0] > _A_MINUTE_S:
            self._fetched_at.popleft()
        if len(self._fetched_at) >= self.fetches_per_minute:
            raise NotFound(
                f"{self.fetches_per_minute} images were fetched from the PACS within a minute, which is the limit; wait"
                " a minute, or pull with --keep files."
            )
        self._fetched_at.append(now)
        async with open_pacs(self._settings, url) as source:
            return await fetch_again(source, self.spool, found)


@asynccontextmanager
async def open_pacs(settings: Settings, url: str) -> AsyncGenerator[PacsSource]:
    """Open the PACS at a URL that the archive's owner named; no request is sent yet.

    Raises:
        ConfigError: The URL, the login or the certificates cannot be used.
    """
    async with _source(settings, url) as source:
        yield source


def _source(settings: Settings, url: str) -> DicomWeb | Dimse:
    if url.lower().startswith(f"{DIMSE_SCHEME}:"):
        from mcp_cxr.pacs import Dimse  # loads decoders

        return Dimse(_dimse_config(settings, url))
    from mcp_cxr.pacs import DicomWeb  # loads the HTTP client

    return DicomWeb(_config(settings, url))


def _dimse_config(settings: Settings, url: str) -> DimseConfig:
    if settings.pacs_user or settings.pacs_password or settings.pacs_token:
        raise ConfigError(
            "A PACS by DIMSE has no login: unset MCP_CXR_PACS_USER, MCP_CXR_PACS_PASSWORD and MCP_CXR_PACS_TOKEN."
        )
    from mcp_cxr.pacs import DimseConfig

    return DimseConfig.from_url(url)


def _config(settings: Settings, url: str) -> DicomWebConfig:
    try:
        host = remote_name(url)
    except ValueError:
        host = "http://"
    if host and host.startswith("http://"):
        raise ConfigError(
            "The URL of a PACS must start with https://, http:// on this machine, or dicom://, without user name or"
            " password; put these into MCP_CXR_PACS_USER and MCP_CXR_PACS_PASSWORD."
        )
    from mcp_cxr.pacs import DicomWebConfig

    return DicomWebConfig(url, _authorization(settings), settings.pacs_ca_file, host)


def _authorization(settings: Settings) -> str | None:
    token = settings.pacs_token.get_secret_value() if settings.pacs_token else None
    password = settings.pacs_password.get_secret_value() if settings.pacs_password else None
    if token and (settings.pacs_user or password):
        raise ConfigError("Set either MCP_CXR_PACS_TOKEN, or MCP_CXR_PACS_USER and MCP_CXR_PACS_PASSWORD.")
    if (settings.pacs_user is None) != (password is None):
        raise ConfigError("Set both MCP_CXR_PACS_USER and MCP_CXR_PACS_PASSWORD, or neither.")
    if token:
        if not (token.isascii() and token.isprintable()):
            raise ConfigError("MCP_CXR_PACS_TOKEN holds a character that is not printable ASCII; set it again.")
        return f"Bearer {token}"
    if settings.pacs_user is None:
        return None
    return "Basic " + base64.b64encode(f"{settings.pacs_user}:{password}".encode()).decode()
