"""Finds the studies whose report and labels contradict each other, as the report reader reads both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.errors import ReaderMismatch
from mcp_cxr.language import finding_entries, finding_term, study_readings
from mcp_cxr.records import Filter, TermClause
from mcp_cxr.research.data_check._result import CheckEntry, CheckList, cut

if TYPE_CHECKING:
    from mcp_cxr.records import StoredImage
    from mcp_cxr.research.data_check._facts import ArchiveFacts
    from mcp_cxr.stores import Store

_BATCH = 500
_MOST_READ = 50_000
"""Studies whose reports are read again to say which findings contradict, one millisecond each."""
_IN_LABELS = {1: "present", 0: "absent", -1: "uncertain"}


async def list_reports(store: Store, facts: ArchiveFacts, *, most: int) -> CheckList:
    """Return the studies in which a report affirms what a label denies, or denies what it affirms.

    Raises:
        StoreError: The store fails.
    """
    if not any(study.has_report for study in facts.studies):
        return CheckList("reports", not_made="The archive has no reports.")
    if not any(study.has_report and study.labels for study in facts.studies):
        return CheckList("reports", not_made="No study has both a report and labels.")
    try:
        await store.require_current_reader()
    except ReaderMismatch as exc:
        return CheckList("reports", not_made=str(exc))
    any_conflict = TermClause(tuple(finding_term("conflict", name) for name in finding_entries()))
    where = Filter(clauses=(any_conflict,))
    total = await store.count(where, distinct="study")
    if not total:
        return CheckList("reports", notes=_notes(facts))
    ranked = await store.browse(where, limit=await store.count(where))
    first = {one.study_id: one.image_id for one in reversed(ranked)}
    ids = list(first.values())[:_MOST_READ]
    entries: list[CheckEntry] = []
    for start in range(0, len(ids), _BATCH):
        entries += map(_entry, (await store.get(ids[start : start + _BATCH])).values())
    return CheckList("reports", cut(entries, most), total, notes=_notes(facts))


def _entry(stored: StoredImage) -> CheckEntry:
    study = stored.study
    read = study_readings(study)
    conflicts = {name: one for name, one in sorted(read.items()) if one.is_conflicting}
    said = [
        f"{name}: label {_IN_LABELS[one.label or 0]}, report {'denies' if one.label == 1 else 'affirms'} it"
        for name, one in conflicts.items()
    ]
    return CheckEntry(
        key=f"reports|{'+'.join(conflicts)}|{stored.image.study_id}",
        images=(stored.image.image_id,),
        studies=(stored.image.study_id,),
        subjects=(stored.image.subject_id,),
        reason=f"{'; '.join(said)}.",
        score=float(len(conflicts)),
    )


def _notes(facts: ArchiveFacts) -> tuple[str, ...]:
    sources = {study.labels_by or "unknown" for study in facts.studies if study.has_report and study.labels}
    by_program = sorted(sources - {"people", "unknown"})
    if not by_program:
        return ()
    return (
        f"Labels were read from the reports by {', '.join(by_program)}: they may be wrong, or mcp-cxr's reading is.",
    )
