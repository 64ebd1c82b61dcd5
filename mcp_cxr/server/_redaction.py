"""Removes from results what the host's model may not be given by MCP_CXR_SHARE, and what it would be given twice.

Without `reports`, header texts, splits, and labels whose names no public data set has are report text too. The search
itself gets along without them (`SearchableWords`), so that its order and its counts tell nothing either.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import reduce
from os.path import realpath
from typing import TYPE_CHECKING, Any, cast

from mcp_cxr.errors import ConfigError
from mcp_cxr.records import LABELS, SPLITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp_cxr.records import CohortSummary, Hit, ImageDetails, IngestSummary, Overview, PatientTimeline, SearchResult

REPORTS_NOT_SHARED = (
    "The model is given no report text. To share it, add reports to MCP_CXR_SHARE and restart the server."
)
REPORTS_NOT_CONFIRMED = (
    "This archive has reports from a PACS, and its owner has not confirmed that they may be shared. To allow it, run"
    " `mcp-cxr pull --reports-as-they-are`."
)
UNCONFIRMED = "unconfirmed reports"
"""In `share` instead of `reports` while reports of a PACS are not confirmed; never a value of MCP_CXR_SHARE."""
OWNER_SEES_PATHS = "paths"
"""In `share` of a server that answers the archive's owner, as that of the chat page; never a value of MCP_CXR_SHARE."""
_LONGEST_SHOWN = 200  # characters of a path in an error, as the archive shortens it
HIDDEN_PATH_NOTE = "(file names are not shared)"
_MIMIC_PATH = re.compile(r"p\d\d/p\d{8}/s\d{8}/[0-9a-f]{8}(-[0-9a-f]{8}){4}\.(dcm|png|jpe?g)", re.ASCII | re.IGNORECASE)
_PUBLISHED_TABLES = re.compile(
    r"mimic-cxr-\d\.\d\.\d-(metadata|chexpert|negbio|split|test-set-labeled)\.csv(\.gz)?", re.ASCII
)
_NOTES_WITHOUT_NAMES = re.compile(
    r"\d+ (images have the SOPInstanceUID |files have a placeholder as PatientID |of \d+ studies have one PatientID)"
    r"|Nothing can be added: |Text files that were not used: |Not used: (tables in other formats|documents) "
    r"|Not opened: packed files ",
    re.ASCII,
)
_LOCAL_PATH = re.compile(r"(?<![\w/:.])(~?/|~\w*[\\/])[^\s/]|\bfile:|\b[A-Za-z]:\\|\\\\\w", re.IGNORECASE)
_PATH_IN_ERROR = (
    "The call failed at a file or folder whose name is not shared with the model. On the server's machine, "
    "`mcp-cxr doctor`, or the same call as a command, names it."
)
_CODED_TAGS: dict[str, frozenset[str | None]] = {
    "Modality": frozenset({"CR", "DX", "IO", "MG", "OT", "PX", "RF", "RG", "XA"}),
    "BodyPartExamined": frozenset(
        {"ABDOMEN", "CHEST", "CLAVICLE", "LUNG", "LUNGS", "RIB", "RIBS", "STERNUM", "THORAX"}
    ),
    "BurnedInAnnotation": frozenset({"YES", "NO", None}),
    "PhotometricInterpretation": frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL"}),
}
"""Defined terms of coded header values; any other value was typed."""
_MEASURED_TAGS = ("Rows", "Columns", "BitsStored", "PixelSpacing", "ImagerPixelSpacing", "TransferSyntaxUID")
_OWN_IDS = re.compile(r"p(\d{8}|[0-9a-f]{24})/s(\d{8}|[0-9a-f]{24})/([0-9a-f]{8}(-[0-9a-f]{8}){4}|[0-9a-f]{24})")
_OWN_IMAGE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}|[0-9a-f]{24}")
_OWN_SPLITS = frozenset((*SPLITS, "all", "unassigned"))
_CHARS_PER_STUDY = 240  # 60 tokens
_MAX_REPORT = 50_000  # characters, each up to 13 bytes in the two forms of a result of at most 1,000,000 bytes


def _public(labels: Mapping[str, int]) -> dict[str, int]:
    from mcp_cxr.language import public_labels  # its tables are not read before the handshake

    return public_labels(labels)


def _why_no_reports(share: tuple[str, ...]) -> str:
    return REPORTS_NOT_CONFIRMED if UNCONFIRMED in share else REPORTS_NOT_SHARED


def redact_search_result(result: SearchResult, share: tuple[str, ...]) -> SearchResult:
    """Return the search result as a model is given it.

    Paths are left out, as is report text that is not shared. Absent labels are names in `labels_absent` only.
    """
    hits = [_for_model(hit, share) for hit in result.images]
    note = [] if "reports" in share or not hits else [_why_no_reports(share)]
    return result.model_copy(update={"images": hits, "warnings": [*result.warnings, *note]})


def _for_model(hit: Hit, share: tuple[str, ...]) -> Hit:
    """Return the hit without paths, with each label once, and a report only if it is shared."""
    with_reports = "reports" in share
    labels = hit.labels if with_reports else _public(hit.labels)
    changes: dict[str, Any] = {
        "image_path": None,  # at most it repeats the ids
        "path": hit.path if OWNER_SEES_PATHS in share else None,
        "labels": {name: value for name, value in labels.items() if value != 0},
        "labels_absent": [name for name in hit.labels_absent if name in labels],
        "report_excerpt": hit.report_excerpt if with_reports else None,
    }
    return hit.model_copy(update=changes)


def shorten_timeline(timeline: PatientTimeline, share: tuple[str, ...]) -> PatientTimeline:
    """Return the timeline as a model is given it: at most 60 tokens for each study, ids included, and no times.

    As many findings are kept as fit.
    """
    if OWNER_SEES_PATHS in share:
        return timeline
    studies = [one.model_copy(update={"study_time": None}) for one in timeline.studies]
    timeline = timeline.model_copy(update={"studies": studies, "subject_id": None})
    bare = timeline.model_copy(update={"findings": {}, "findings_left_out": len(timeline.findings), "warnings": []})
    left = _CHARS_PER_STUDY * len(timeline.studies) - len(_compact(bare.model_dump(exclude_defaults=True)))
    kept: dict[str, list[str | None]] = {}
    for name, statuses in timeline.findings.items():
        left -= len(_compact({name: statuses}))
        if left < 0:
            break
        kept[name] = statuses
    return timeline.model_copy(update={"findings": kept, "findings_left_out": len(timeline.findings) - len(kept)})


def _compact(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def timeline_has_untrusted_text(timeline: PatientTimeline) -> bool:
    """Return whether a timeline has ids that neither this program nor MIMIC-CXR made."""
    ids = (f"{timeline.subject_id}/{one.study_id}/{one.image_id}" for one in timeline.studies)
    return not all(map(_OWN_IDS.fullmatch, ids))


def hit_has_untrusted_text(hit: Hit) -> bool:
    """Return whether a hit quotes a report, or labels or ids that neither this program nor MIMIC-CXR made."""
    ids = f"{hit.subject_id}/{hit.study_id}/{hit.image_id}"
    names = {*hit.labels, *hit.labels_absent}
    return bool(hit.report_excerpt) or not names <= set(LABELS) or _OWN_IDS.fullmatch(ids) is None


def cohort_has_untrusted_text(summary: CohortSummary) -> bool:
    """Return whether a summary of a cohort has ids or splits that neither this program nor MIMIC-CXR named."""
    return not (_OWN_SPLITS.issuperset(summary.splits) and all(map(_OWN_IMAGE_ID.fullmatch, summary.image_ids)))


def _public_path(details: ImageDetails) -> str:
    """Return the path from `p10/` on if it is MIMIC's own; elsewhere folders and files are often named after patients.

    It holds the ids of the details and nothing else.
    """
    file_name = details.image_path.rpartition("/")[2]
    path = f"{details.subject_id[:3]}/{details.subject_id}/{details.study_id}/{file_name}"
    is_mimic = _MIMIC_PATH.fullmatch(path) and file_name[: len(details.image_id)].lower() == details.image_id
    return path if is_mimic and f"/{details.image_path}".lower().endswith(f"/{path}".lower()) else HIDDEN_PATH_NOTE


def redact_image_details(details: ImageDetails, share: tuple[str, ...]) -> ImageDetails:
    """Return the details without what may not be shared, and with a very long report truncated."""
    if OWNER_SEES_PATHS not in share:
        details = replace(details, image_path=_public_path(details), path=None)
    if "reports" not in share:
        return _without_texts(details, _why_no_reports(share))
    if details.report is None:
        return details
    report = _truncated(details.report)
    note = [] if report == details.report else [f"The report is truncated after {_MAX_REPORT} characters."]
    return replace(details, report=report, warnings=[*details.warnings, *note])


def _without_texts(details: ImageDetails, why: str) -> ImageDetails:
    labels = _public(details.labels)
    return replace(
        details,
        split=details.split if details.split in SPLITS else None,
        labels=labels,
        labels_by=details.labels_by if labels else None,
        tags=_coded_tags(details.tags),
        report=None,
        warnings=details.warnings if details.report is None else [*details.warnings, why],
    )


def _coded_tags(tags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the header facts that are numbers or defined terms, and the votes for public labels."""
    coded = {name: tags.get(name) for name, terms in _CODED_TAGS.items() if tags.get(name) in terms}
    measured = {name: tags[name] for name in _MEASURED_TAGS if name in tags}
    votes = _public(tags.get("LabelVotes", {}))
    return coded | measured | ({"LabelVotes": votes} if votes else {})


def redact_overview(overview: Overview, share: tuple[str, ...]) -> Overview:
    """Return the overview without labels whose names may not be shared."""
    return overview if "reports" in share else replace(overview, by_label=_public(overview.by_label))


def redact_labels_and_splits(summary: IngestSummary, share: tuple[str, ...]) -> IngestSummary:
    """Return the summary without what depends on labels and splits, if reports are not shared.

    Those of tables that MIMIC-CXR publishes are public.
    """
    files = [use["file"] for use in summary.companions]
    if "reports" in share or (files and all(map(_PUBLISHED_TABLES.fullmatch, files))):
        return summary
    companions = [{**use, "gives": _without(use.get("gives", []))} for use in summary.companions]
    counts = {name: summary.with_[name] for name in _without(list(summary.with_))}
    warnings = ["No study has a report."] if summary.warnings else []
    return replace(summary, companions=companions, with_=counts, warnings=warnings, studies_updated=None)


def _without(facts: Sequence[str]) -> list[str]:
    return [fact for fact in facts if fact not in ("labels", "split")]


def redact_ingest_summary(summary: IngestSummary) -> IngestSummary:
    """Return the summary without names of tables and columns, which the owner of the folder chose.

    Tables that MIMIC-CXR publishes are named.
    """
    companions = [
        use if _PUBLISHED_TABLES.fullmatch(use["file"]) else {**use, "file": HIDDEN_PATH_NOTE}
        for use in summary.companions
    ]
    notes = [note for note in summary.notes if _NOTES_WITHOUT_NAMES.match(note)]
    if hidden := len(summary.notes) - len(notes):
        notes.append(
            f"{hidden} notes on the tables beside the images name files or columns, which are not shared;"
            " `mcp-cxr layout FOLDER` prints them."
        )
    unused = [
        name if name.startswith("*.") or _PUBLISHED_TABLES.fullmatch(name) else HIDDEN_PATH_NOTE
        for name in summary.unused
    ]
    return replace(summary, companions=companions, unused=unused, notes=notes)


def hide_local_paths(text: str, known: Mapping[str, str], arguments: Mapping[str, Any]) -> str:
    """Return a message for the model, which is told no path but those that it named itself.

    Args:
        text: The message.
        known: A general name for each path that may be named by it.
        arguments: Of the call: a path among them may be repeated.
    """
    lists = (cast("list[Any]", value) if isinstance(value, list) else [value] for value in arguments.values())
    named = [each for values in lists for each in values if isinstance(each, str)]
    own = [text for name in named for text in (name, name[:_LONGEST_SHOWN])]
    for path in own:
        text = text.replace(realpath(path), path) if path.startswith("/") and "\0" not in path else text
    for path, name in known.items():
        text = re.sub(rf"{re.escape(path)}(?![\\/\w])", name, text)
    if _LOCAL_PATH.search(reduce(lambda rest, path: rest.replace(path, ""), own, text)):
        return _PATH_IN_ERROR
    return text.replace("the", "The", 1) if text.startswith(tuple(known.values())) else text


def _truncated(report: dict[str, str]) -> dict[str, str]:
    """Return the leading sections that fit into `_MAX_REPORT` characters; the last of them truncated."""
    kept: dict[str, str] = {}
    remaining = _MAX_REPORT
    for title, text in report.items():
        remaining -= len(title)
        if remaining <= 0:
            break
        kept[title] = text[:remaining]
        remaining -= len(text)
    return kept


def require_images_shared(share: tuple[str, ...]) -> None:
    """Refuse if images are not shared.

    Raises:
        ConfigError: `share` does not include images.
    """
    if "images" not in share:
        raise ConfigError(
            "The model is given no images. To share them, add images to MCP_CXR_SHARE and restart the server."
        )
