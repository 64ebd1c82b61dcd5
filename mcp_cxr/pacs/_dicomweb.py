"""Asks a PACS by DICOMweb: QIDO-RS for what there is, WADO-RS for files, PS3.18 chapters 8 and 10."""

from __future__ import annotations

from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import anyio

from mcp_cxr.errors import PacsError, PacsNotFound, PacsRefused, PacsUnavailable
from mcp_cxr.http_client import (
    BodyTooLarge,
    HostNotAllowed,
    HttpClient,
    HttpError,
    HttpLimits,
    TimedOut,
    Unreachable,
    UntrustedCertificate,
)
from mcp_cxr.pacs._dicom_json import (
    INSTANCE_FIELDS,
    SERIES_FIELDS,
    STUDY_FIELDS,
    instance_of,
    names_study,
    read_answers,
    study_of,
    text,
)
from mcp_cxr.pacs._multipart import single_part
from mcp_cxr.pacs._query_and_answers import is_uid
from mcp_cxr.pacs._retry import retried

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping
    from pathlib import Path
    from typing import Any, Self

    from mcp_cxr.http_client import HttpReply, StreamedReply
    from mcp_cxr.pacs._query_and_answers import PacsInstance, PacsQuery, PacsStudy

_PAGE: Final = 200
"""Studies asked for at once."""
_ANSWERS_AT_MOST: Final = 64 << 20
_FILE_AT_MOST: Final = 256 << 20
"""Bytes; `ingest` reads no larger file."""
_WRITTEN_AT_ONCE: Final = 1 << 20
"""Bytes; each write takes a turn of a thread."""
_QUERY_LIMITS: Final = HttpLimits(deadline_s=120, max_body_bytes=_ANSWERS_AT_MOST, connect_s=10, silence_s=60)
_FILE_LIMITS: Final = HttpLimits(deadline_s=600, max_body_bytes=_FILE_AT_MOST + 65_536, connect_s=10, silence_s=60)
_OK, _NO_CONTENT, _NOT_FOUND = 200, 204, 404
_LOGIN: Final = frozenset({401, 403, 407})
_OVERLOADED: Final = frozenset({408, 429})
_REDIRECTS: Final = range(300, 400)
_FAULTS: Final = range(500, 600)
_ACCEPT_ANSWERS: Final = {"Accept": "application/dicom+json"}
_ACCEPT_FILE: Final = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


@dataclass(frozen=True, slots=True)
class DicomWebConfig:
    """Where a PACS answers, and how to log in."""

    base_url: str
    """Of the service, such as `https://pacs.example.org/dicom-web`."""
    authorization: str | None = None
    """Value of the header; None: no login."""
    ca_file: Path | None = None
    """Certificates that are trusted besides the system's, PEM."""
    allowed_host: str | None = None
    """As `loopback.remote_name` calls the host; None: this machine."""


class DicomWeb:
    """A `PacsSource` by DICOMweb. Any number of tasks may use it at once.

    Args:
        sleep: Waits for a number of seconds; replaced in tests.
    """

    def __init__(self, config: DicomWebConfig, *, sleep: Callable[[float], Any] = anyio.sleep) -> None:
        headers = {"Authorization": config.authorization} if config.authorization else {}
        allowed = (config.allowed_host,) if config.allowed_host else ()
        self._base = config.base_url.rstrip("/")
        self._queries = HttpClient(_QUERY_LIMITS, headers=headers, allowed_hosts=allowed, ca_file=config.ca_file)
        self._files = HttpClient(_FILE_LIMITS, headers=headers, allowed_hosts=allowed, ca_file=config.ca_file)
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._queries.aclose()
        await self._files.aclose()

    async def studies(self, query: PacsQuery) -> AsyncGenerator[list[PacsStudy]]:
        """Yield the studies page by page, asked for by each modality; a study may come twice.

        Raises:
            PacsError: The PACS fails or refuses.
        """
        for modality in query.modalities:
            seen: set[str] = set()
            while page := await self._page(query, modality, offset=len(seen)):
                new = [study for study in page if study.study_instance_uid not in seen]
                seen |= {study.study_instance_uid for study in new}
                yield new  # none: a server that ignores the offset sends the same studies again
                if not new:
                    break

    async def _page(self, query: PacsQuery, modality: str, *, offset: int) -> list[PacsStudy]:
        matched = {
            "ModalitiesInStudy": modality,
            "StudyDate": query.study_date,
            "PatientID": query.patient_id,
            "AccessionNumber": query.accession_number,
        }
        answers = await self._query("/studies", {**matched, "limit": _PAGE, "offset": offset}, STUDY_FIELDS)
        return [study for answer in answers if (study := study_of(answer))]

    async def has_study(self, study_instance_uid: str) -> bool:
        """Return whether the PACS still has this study.

        Raises:
            PacsError: It fails, refuses or answers with another study.
        """
        answers = await self._query("/studies", {"StudyInstanceUID": study_instance_uid, "limit": 1}, ())
        return names_study(answers, study_instance_uid)

    async def instances(self, study: PacsStudy) -> list[PacsInstance]:
        """Return what a study consists of.

        Raises:
            PacsError: The PACS fails or refuses.
        """
        path = f"/studies/{quote(study.study_instance_uid, safe='.')}"
        series = {
            uid: answer
            for answer in await self._query_below(f"{path}/series", SERIES_FIELDS)
            if (uid := text(answer, "SeriesInstanceUID"))
        }
        found: list[PacsInstance] = []
        for uid, of_series in series.items():
            if is_uid(uid):
                answers = await self._query_below(f"{path}/series/{quote(uid, safe='.')}/instances", INSTANCE_FIELDS)
                found += [one for answer in answers if (one := instance_of(study, uid, of_series, answer))]
        return found

    async def fetch(self, instance: PacsInstance, target: Path) -> int:
        """Write an instance as a DICOM file to `target`; return its bytes.

        Raises:
            PacsError: The PACS fails or refuses, or what it sends is no whole file; `target` then does not exist.
            OSError: `target` cannot be written.
        """
        path = (
            f"/studies/{quote(instance.study_instance_uid, safe='.')}"
            f"/series/{quote(instance.series_instance_uid, safe='.')}"
            f"/instances/{quote(instance.sop_instance_uid, safe='.')}"
        )

        async def fetch_once() -> int:
            with _translated():
                async with self._files.stream("GET", self._base + path, headers=_ACCEPT_FILE) as reply:
                    _check(reply)
                    return await _write(reply, target)

        return await retried(fetch_once, self._sleep)

    async def _query(
        self, path: str, matched: Mapping[str, str | int | None], fields: tuple[str, ...]
    ) -> list[dict[str, Any]]:
        given = [(name, value) for name, value in matched.items() if value is not None]
        parameters = urlencode([*given, *(("includefield", field) for field in fields)])
        url = f"{self._base}{path}?{parameters}" if parameters else self._base + path

        async def ask_once() -> HttpReply:
            with _translated():
                reply = await self._queries.request("GET", url, headers=_ACCEPT_ANSWERS)
            _check(reply)
            return reply

        return read_answers((await retried(ask_once, self._sleep)).body)

    async def _query_below(self, path: str, fields: tuple[str, ...]) -> list[dict[str, Any]]:
        """Ask for what a study or series holds; nothing if it was deleted meanwhile."""
        try:
            return await self._query(path, {}, fields)
        except PacsNotFound:
            return []


async def _write(reply: StreamedReply, target: Path) -> int:
    """Write the file in a reply to `target`, which must not exist; remove it if it is not whole."""
    written, waiting = 0, bytearray()
    async with await anyio.open_file(target, "xb") as file:
        try:
            async with aclosing(reply.chunks()) as chunks:
                async for piece in single_part(chunks, reply.headers.get("Content-Type", "")):
                    waiting += piece
                    if len(waiting) >= _WRITTEN_AT_ONCE:
                        written += await file.write(waiting)
                        waiting.clear()
            written += await file.write(waiting)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await anyio.Path(target).unlink(missing_ok=True)
            raise
    return written


def _check(reply: HttpReply | StreamedReply) -> None:
    """Raise the error that a status means.

    Raises:
        PacsError: It is neither 200 nor 204.
    """
    status = reply.status
    if status in (_OK, _NO_CONTENT):
        return
    if status in _LOGIN:
        raise PacsRefused(
            f"The PACS refuses the login (status {status}). Check MCP_CXR_PACS_USER and its password or token."
        )
    if status == _NOT_FOUND:
        raise PacsNotFound(
            "The PACS finds nothing at this URL (status 404); check that it ends in the PACS's DICOMweb path."
        )
    if status in _REDIRECTS:
        raise PacsRefused(f"The PACS redirects elsewhere (status {status}), which is not followed; name the final URL.")
    if status in _OVERLOADED or status in _FAULTS:
        raise PacsUnavailable(f"The PACS fails (status {status}); try again later.", reply.retry_after_s)
    raise PacsRefused(f"The PACS refuses a request (status {status}).")


@contextmanager
def _translated() -> Generator[None]:
    """Raise errors of HTTP as those of a PACS."""
    try:
        yield
    except HostNotAllowed:
        raise PacsRefused("The PACS is on another machine and not reached by https; nothing was sent.") from None
    except UntrustedCertificate:
        raise PacsRefused(
            "The certificate of the PACS is not trusted. Set MCP_CXR_PACS_CA_FILE to its authority's certificate."
        ) from None
    except Unreachable as exc:
        raise PacsUnavailable(f"The PACS cannot be reached: {exc}. Check its URL, and that it runs.") from None
    except TimedOut:
        raise PacsUnavailable("The PACS did not answer in time; try again later.") from None
    except BodyTooLarge as exc:
        raise PacsError(f"The PACS sends too much: {exc}.") from None
    except HttpError as exc:
        raise PacsUnavailable(f"The connection to the PACS failed: {exc}; try again later.") from None
