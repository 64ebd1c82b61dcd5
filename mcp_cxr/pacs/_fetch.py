"""Fetches one instance into the spool, checks that it is what was asked for, and keeps to a pace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
from anyio import to_thread

from mcp_cxr.errors import PacsError, PacsNotFound
from mcp_cxr.pacs._query_and_answers import PacsInstance, PacsStudy

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.pacs._query_and_answers import PacsSource
    from mcp_cxr.pacs._spool import FileAtPacs, Spool

_A_MINUTE_S: Final = 60.0


class WrongFile(PacsError):
    """The PACS sent another file than it was asked for; it was not kept."""


class Fetcher:
    """Fetches instances; any number of tasks may use it at once.

    Args:
        source: The PACS.
        spool: Where files are kept.
        per_minute: Files a minute, at most; None: as fast as the PACS answers.
    """

    def __init__(self, source: PacsSource, spool: Spool, per_minute: int | None) -> None:
        self._source = source
        self._spool = spool
        self._interval_s = _A_MINUTE_S / per_minute if per_minute else 0.0
        self._next_at = 0.0

    async def fetch(self, study: PacsStudy, instance: PacsInstance) -> tuple[Path, int]:
        """Return the file of an instance and the bytes that were fetched: 0 if it was in the spool.

        Raises:
            PacsError: The PACS fails, refuses, or sends something else.
            ImageError: What it sends is no readable DICOM file.
        """
        kept = self._spool.path_of(instance.study_instance_uid, instance.sop_instance_uid)
        if await to_thread.run_sync(kept.exists):
            return kept, 0
        await self._wait_for_turn()
        draft = self._spool.draft()
        size = await self._source.fetch(instance, draft)
        try:
            await to_thread.run_sync(check_file, draft, study, instance)
            uids = instance.study_instance_uid, instance.sop_instance_uid
            return await to_thread.run_sync(self._spool.keep, draft, *uids), size
        finally:
            await to_thread.run_sync(lambda: draft.unlink(missing_ok=True))

    async def _wait_for_turn(self) -> None:
        now = anyio.current_time()
        turn = max(self._next_at, now)
        self._next_at = turn + self._interval_s
        if turn > now:
            await anyio.sleep(turn - now)


async def fetch_again(source: PacsSource, spool: Spool, image: FileAtPacs) -> Path:
    """Return the file of an image of the archive that is not kept, from the PACS into the cache.

    Raises:
        PacsError: The PACS fails, refuses, or sends something else.
        ImageError: What it sends is no readable DICOM file.
        StoreUnavailable: The disk is full.
    """
    state, series = image.study, image.instance.series_instance_uid
    if series is None:
        raise PacsNotFound("The series of this image is not known; pull it again with --keep files.")
    study = PacsStudy(state.study_instance_uid, patient_id=state.patient_id)
    instance = PacsInstance(state.study_instance_uid, series, image.sop_instance_uid)
    draft = spool.draft()
    with spool.writing():
        await source.fetch(instance, draft)
        try:
            await to_thread.run_sync(check_file, draft, study, instance)
            return await to_thread.run_sync(spool.cache, draft, image)
        finally:
            await to_thread.run_sync(lambda: draft.unlink(missing_ok=True))


def check_file(draft: Path, study: PacsStudy, instance: PacsInstance) -> None:
    """Compare a file with what was asked for.

    Raises:
        WrongFile: It is another instance, or of another patient.
        ImageError: It is no readable DICOM file.
    """
    from mcp_cxr.images import read_identifiers  # loads the decoders, which a search does not need

    found = read_identifiers(draft)
    asked = (instance.study_instance_uid, instance.sop_instance_uid)
    is_other_patient = None not in (study.patient_id, found.patient_id) and study.patient_id != found.patient_id
    if (found.study_instance_uid, found.sop_instance_uid) != asked or is_other_patient:
        raise WrongFile("The PACS sent another file than it was asked for.")
