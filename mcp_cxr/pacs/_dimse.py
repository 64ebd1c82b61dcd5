"""Asks a PACS by DIMSE, for those without DICOMweb: C-FIND for what there is, C-GET for files, PS3.4 annex C."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import anyio
from anyio import to_thread
from pydicom.dataset import Dataset

from mcp_cxr.errors import ConfigError, unwrap_exception_group
from mcp_cxr.images.dicom import values
from mcp_cxr.images.files import silence_libraries
from mcp_cxr.pacs._dicom_json import (
    INSTANCE_FIELDS,
    SERIES_FIELDS,
    STUDY_FIELDS,
    TAGS,
    instance_of,
    names_study,
    study_of,
    text,
)
from mcp_cxr.pacs._query_and_answers import DIMSE_SCHEME, is_uid
from mcp_cxr.pacs._retry import retried

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
    from pathlib import Path
    from typing import Self

    from mcp_cxr.pacs._query_and_answers import PacsInstance, PacsQuery, PacsStudy

_CALLING: Final = "MCPCXR"
_MAX_TITLE: Final = 16
"""Characters of an AE title, PS3.5 6.2."""
_DAY: Final = dt.timedelta(days=1)
_WEEK: Final = 7 * _DAY

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class DimseConfig:
    """Where a PACS answers, and as whom it is asked."""

    host: str
    port: int
    called: str
    """Title of the PACS's application entity."""
    calling: str = _CALLING
    """Title that this program gives itself; the PACS must know it."""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return what `dicom://CALLED_AE@host:port?from=OUR_AE` says.

        Raises:
            ConfigError: The URL has another form.
        """
        try:
            parts = urlsplit(url)
            named = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
            (calling,) = named.pop("from", [_CALLING])
            called, host, port = unquote(parts.username or ""), parts.hostname, parts.port
            is_whole = all((host, port, _is_title(called), _is_title(calling), parts.scheme == DIMSE_SCHEME))
            if not is_whole or named or parts.password is not None or parts.path.strip("/") or parts.fragment:
                raise ValueError  # noqa: TRY301  # handled like any other wrong form
            return cls(str(host), port or 0, called, calling)
        except ValueError:
            raise ConfigError(
                "A DIMSE URL must be dicom://CALLED_AE@host:port, optionally with ?from=CALLING_AE"
                f" (default {_CALLING}); AE titles have at most 16 characters."
            ) from None


class Dimse:
    """A `PacsSource` by DIMSE, with one association; tasks wait for each other.

    The connection is not encrypted.

    Args:
        sleep: Waits for a number of seconds; replaced in tests.

    Raises:
        ConfigError: pynetdicom is not installed.
    """

    def __init__(self, config: DimseConfig, *, sleep: Callable[[float], Any] = anyio.sleep) -> None:
        try:
            from mcp_cxr.pacs._association import Association  # loads pynetdicom, an extra
        except ImportError:
            raise ConfigError("A dicom:// URL needs the extra `dimse`: pip install 'mcp-cxr[dimse]'.") from None
        self._association = Association(config.host, config.port, called=config.called, calling=config.calling)
        self._one_at_a_time = anyio.Lock()
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self._association.release)

    async def studies(self, query: PacsQuery) -> AsyncGenerator[list[PacsStudy]]:
        """Yield the studies by modality and week; a study may come twice.

        Raises:
            PacsError: The PACS fails or refuses.
        """
        for modality in query.modalities:
            for study_date in _weeks(query):
                matched = {
                    "ModalitiesInStudy": modality,
                    "StudyDate": study_date,
                    "PatientID": query.patient_id,
                    "AccessionNumber": query.accession_number,
                }
                answers = await self._find("STUDY", matched, ("StudyInstanceUID", *STUDY_FIELDS))
                yield [study for answer in answers if (study := study_of(answer))]

    async def has_study(self, study_instance_uid: str) -> bool:
        """Return whether the PACS still has this study.

        Raises:
            PacsError: It fails, refuses or answers with another study.
        """
        answers = await self._find("STUDY", {"StudyInstanceUID": study_instance_uid}, ())
        return names_study(answers, study_instance_uid)

    async def instances(self, study: PacsStudy) -> list[PacsInstance]:
        """Return what a study consists of.

        Raises:
            PacsError: The PACS fails or refuses.
        """
        of_study = {"StudyInstanceUID": study.study_instance_uid}
        found: list[PacsInstance] = []
        for series in await self._find("SERIES", of_study, ("SeriesInstanceUID", *SERIES_FIELDS)):
            uid = text(series, "SeriesInstanceUID")
            if uid is not None and is_uid(uid):
                fields = ("SOPInstanceUID", *INSTANCE_FIELDS)
                answers = await self._find("IMAGE", {**of_study, "SeriesInstanceUID": uid}, fields)
                found += [one for answer in answers if (one := instance_of(study, uid, series, answer))]
        return found

    async def fetch(self, instance: PacsInstance, target: Path) -> int:
        """Write an instance as a DICOM file to `target`; return its bytes.

        Raises:
            PacsError: The PACS fails or refuses, or sends something else; `target` then does not exist.
            OSError: `target` cannot be written.
        """
        query = Dataset()
        query.QueryRetrieveLevel = "IMAGE"
        query.StudyInstanceUID = instance.study_instance_uid
        query.SeriesInstanceUID = instance.series_instance_uid
        query.SOPInstanceUID = instance.sop_instance_uid
        content = await self._retried(lambda: self._association.get(query, instance.sop_instance_uid))
        return await to_thread.run_sync(_write, content, target)

    async def _find(
        self, level: str, matched: Mapping[str, str | None], fields: tuple[str, ...]
    ) -> list[dict[str, Any]]:
        """Return what a C-FIND finds, each as DICOM JSON of the elements that are known here."""
        silence_libraries()
        query = Dataset()
        query.SpecificCharacterSet, query.QueryRetrieveLevel = "ISO_IR 192", level
        for keyword in fields:
            setattr(query, keyword, None)  # of no length: to be returned
        for keyword, value in matched.items():
            setattr(query, keyword, value)
        return [_as_json(answer) for answer in await self._retried(lambda: self._association.find(query))]

    async def _retried(self, work: Callable[[], _T]) -> _T:
        return await retried(lambda: self._in_thread(work), self._sleep)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        """Do `work` in a thread; if this task is cancelled, the connection is cut, so that it ends at once."""
        is_done = False
        found: list[_T] = []

        async def hang_up_when_cancelled() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                if not is_done:
                    self._association.hang_up()

        async with self._one_at_a_time:
            with unwrap_exception_group():
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(hang_up_when_cancelled)
                    try:
                        found.append(await to_thread.run_sync(work))
                    finally:
                        is_done = True
                    tasks.cancel_scope.cancel()
        return found[0]


def _write(content: bytes, target: Path) -> int:
    """Write a file that must not exist; remove it if it is not whole."""
    with target.open("xb") as file:
        try:
            return file.write(content)
        except OSError:
            target.unlink(missing_ok=True)
            raise


def _is_title(text: str) -> bool:
    """Return whether a text is an AE title, PS3.5 6.2."""
    return bool(text.strip()) and len(text) <= _MAX_TITLE and text.isascii() and text.isprintable() and "\\" not in text


def _weeks(query: PacsQuery) -> Iterator[str | None]:
    """Yield ranges of dates that are together the query's: many PACS find only some hundred studies at once."""
    if query.since is None or query.patient_id or query.accession_number:
        yield query.study_date
        return
    last = query.until or dt.datetime.now(dt.UTC).date()
    first = query.since
    while first + _WEEK <= last:
        yield f"{first:%Y%m%d}-{first + _WEEK - _DAY:%Y%m%d}"
        first += _WEEK
    yield f"{first:%Y%m%d}-{query.until:%Y%m%d}" if query.until else f"{first:%Y%m%d}-"


def _as_json(answer: Dataset) -> dict[str, Any]:
    """Return the known elements of an answer in the DICOM JSON model, PS3.18 annex F."""
    return {tag: {"Value": [str(one) for one in values(answer, keyword)]} for keyword, tag in TAGS.items()}
