"""Fetches the reports of a study, chooses the one that counts, and masks the patient's identifiers in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mcp_cxr.errors import ConfigError, ImageError
from mcp_cxr.layouts import TableError, open_table
from mcp_cxr.pacs._mask_identifiers import mask_identifiers
from mcp_cxr.pacs._spool import PASSED_OVER, REPORT, SpooledInstance, SpooledReport

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mcp_cxr.images import ImageReader, ReportDocument
    from mcp_cxr.layouts import OpenTable
    from mcp_cxr.pacs._fetch import Fetcher
    from mcp_cxr.pacs._query_and_answers import PacsInstance, PacsStudy
    from mcp_cxr.pacs._spool import Spool

_PRELIMINARY: Final = "PRELIMINARY REPORT\n\n"
"""Begins the text of a report that is not VERIFIED and COMPLETE."""

_KEY_COLUMNS: Final = ("studyuid", "studyinstanceuid", "accession", "accessionnumber")
_TEXT_COLUMNS: Final = ("report", "text", "reporttext")
"""Names of columns in small letters without signs."""


@dataclass(slots=True)
class FoundReport:
    """The report that counts among the documents of a study, with what to settle once it is in the archive."""

    report: SpooledReport | None = None
    """None: none is newer, or better, than the one that is known."""
    text: str | None = field(default=None, repr=False)
    settled: dict[str, SpooledInstance] = field(default_factory=dict[str, SpooledInstance])
    """By SOPInstanceUID."""


@dataclass(frozen=True, slots=True)
class ReportFetcher:
    """Reads the reports of studies.

    Args:
        fetcher: Fetches their documents; they are not kept.
        image_reader: Reads them in worker processes.
    """

    fetcher: Fetcher
    spool: Spool
    image_reader: ImageReader

    async def read(
        self, study: PacsStudy, documents: Sequence[PacsInstance], known: SpooledReport | None
    ) -> FoundReport:
        """Return the report that counts: the newest that is verified and complete, else the newest of the others.

        Raises:
            PacsError: The PACS fails or refuses; nothing is settled.
        """
        found = FoundReport(known)
        for instance in documents:
            uid = instance.sop_instance_uid
            try:
                path, _ = await self.fetcher.fetch(study, instance)
                document = await self.image_reader.read_document(path)
            except ImageError as exc:
                found.settled[uid] = SpooledInstance(PASSED_OVER, exc.reason)
                continue
            finally:
                self.spool.remove_file(study.study_instance_uid, uid)
            found.settled[uid] = SpooledInstance(REPORT)
            report = SpooledReport(uid, document.written, document.is_final)
            if found.report is None or _rank(report) >= _rank(found.report):
                found.report, found.text = report, _text(document, study)
        if found.text is None:
            found.report = None
        return found


def _rank(report: SpooledReport) -> tuple[bool, str]:
    return report.is_final, report.written


def _text(document: ReportDocument, study: PacsStudy) -> str:
    masked = mask_identifiers(
        document.text,
        names=[document.patient_name, study.patient_name],
        ids=[document.patient_id, document.accession_number, study.patient_id, study.accession_number],
        birth_dates=[document.birth_date, study.birth_date],
    )
    return masked if document.is_final else _PRELIMINARY + masked


@dataclass(frozen=True, slots=True)
class ReportTable:
    """Reports by accession number or StudyInstanceUID, from a table."""

    by_key: dict[str, str] = field(repr=False)

    def text_of(self, study: PacsStudy) -> str | None:
        """Return the masked report of a study; None if the table has none."""
        keys = (study.study_instance_uid, study.accession_number)
        text = next((self.by_key[key] for key in keys if key and key in self.by_key), None)
        if text is None:
            return None
        return mask_identifiers(
            text,
            names=[study.patient_name],
            ids=[study.patient_id, study.accession_number],
            birth_dates=[study.birth_date],
        )


def read_report_tables(paths: Sequence[Path]) -> ReportTable:
    """Return the reports of tables; the first one that has a study counts.

    Raises:
        ConfigError: A table is damaged, or lacks a column for the report or for the study.
    """
    by_key: dict[str, str] = {}
    for path in paths:
        try:
            with open_table(path.resolve()) as table:
                for key, text in _rows(table, path.name):
                    by_key.setdefault(key, text)
        except TableError as exc:
            raise ConfigError(f"{path.name} {exc}.") from exc
    return ReportTable(by_key)


def _rows(table: OpenTable, name: str) -> Iterator[tuple[str, str]]:
    """Yield each report under each of its keys."""
    columns = {"".join(char for char in column.lower() if char.isalnum()): column for column in table.header}
    keys = [columns[one] for one in _KEY_COLUMNS if one in columns]
    text = next((columns[one] for one in _TEXT_COLUMNS if one in columns), None)
    if text is None or not keys:
        raise ConfigError(f"{name} needs a column `report`, and `study_uid` or `accession`.")
    for *found, report in table.cells([*keys, text]):
        if report.strip():
            yield from ((key.strip(), report) for key in found if key.strip())
