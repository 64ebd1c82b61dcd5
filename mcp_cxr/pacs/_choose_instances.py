"""Tells from the PACS's answers alone which instances are worth fetching."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mcp_cxr.pacs._query_and_answers import PacsInstance, PacsQuery

_SR: Final = "1.2.840.10008.5.1.4.1.1.88."
TEXT_REPORTS: Final = frozenset({f"{_SR}11", f"{_SR}22", f"{_SR}33"})
"""Basic Text, Enhanced and Comprehensive SR, PS3.4 B.5."""
ENCAPSULATED_PDF: Final = "1.2.840.10008.5.1.4.1.1.104.1"


def is_report(instance: PacsInstance) -> bool:
    """Return whether an instance may be a report in words."""
    return instance.sop_class_uid in TEXT_REPORTS or instance.sop_class_uid == ENCAPSULATED_PDF


def why_passed_over(instance: PacsInstance, query: PacsQuery) -> str | None:
    """Return why an instance is not fetched; None if it is a report or may be a chest radiograph.

    What the PACS does not say counts as fitting: `ingest` looks at the file itself.
    """
    if is_report(instance):
        return None
    sop_class = instance.sop_class_uid or ""
    if sop_class.startswith(_SR):
        return "structured report without prose"
    if instance.modality and instance.modality not in query.modalities:
        return "other modality"
    from mcp_cxr.images import why_ineligible  # loads the decoders, which a search does not need

    named = {"SOPClassUID": sop_class, "Modality": instance.modality or "", **instance.facts}
    return why_ineligible({keyword: value for keyword, value in named.items() if value})
