"""Header facts: allow-listed, cleaned values that may be stored and displayed.

Three identifiers are among them that may only be hashed.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mcp_cxr.images.dicom._element_values import numbers, text
from mcp_cxr.images.dicom._file import TEXT_KEYWORDS, syntax_name
from mcp_cxr.images.dicom._view_position import find_view_position

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp_cxr.images.dicom._file import DicomFile
    from mcp_cxr.images.files import FileKind

_MAX_TEXT: Final = 200
"""Characters of a displayed text; LO, the longest VR among them, holds 64."""
_DATE = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)")
_TIME = re.compile(r"(\d\d):?(\d\d):?(\d\d)?(?:\.\d*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """What the header of a file says about an image.

    The three identifiers are as the file has them. Used to compute keyed hashes: never store, log or display them.
    """

    kind: FileKind
    rows: int
    columns: int
    sop_instance_uid: str | None = field(default=None, repr=False)
    study_instance_uid: str | None = field(default=None, repr=False)
    patient_id: str | None = field(default=None, repr=False)
    view_position: str = "UNKNOWN"
    """One of `VIEW_POSITIONS`."""
    view_source: str = "none"
    """`ViewPosition`, `ViewCodeSequence`, `description`, `orientation` or `none`."""
    study_date: str | None = None
    """ISO date; None if absent or not a date."""
    tags: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Allow-listed facts by DICOM keyword, as JSON values: never names, births, ages, accession numbers or comments."""


def dicom_header(file: DicomFile) -> HeaderFacts:
    """Return the facts of a DICOM file."""
    elements = file.elements
    view, source = find_view_position(elements)
    return HeaderFacts(
        kind="dicom",
        rows=file.layout.rows,
        columns=file.layout.columns,
        sop_instance_uid=text(elements, "SOPInstanceUID"),
        study_instance_uid=text(elements, "StudyInstanceUID"),
        patient_id=text(elements, "PatientID"),
        view_position=view,
        view_source=source,
        study_date=_iso_date(text(elements, "StudyDate") or ""),
        tags=_tags(file),
    )


def _tags(file: DicomFile) -> dict[str, Any]:
    shown = {keyword: clean(value) for keyword in TEXT_KEYWORDS if (value := text(file.elements, keyword))}
    spacings = {
        each: found for each in ("PixelSpacing", "ImagerPixelSpacing") if (found := numbers(file.elements, each))
    }
    time = _iso_time(text(file.elements, "StudyTime") or "")
    return {keyword: value for keyword, value in shown.items() if value} | {
        **({"StudyTime": time} if time else {}),
        "Rows": file.layout.rows,
        "Columns": file.layout.columns,
        "BitsStored": file.layout.bits_stored,
        **{keyword: found[:2] for keyword, found in spacings.items()},
        "TransferSyntaxUID": syntax_name(file.syntax),
    }


def clean(value: str) -> str:
    """Return `value` in NFC, without NUL and other control characters, blanks collapsed, at most 200 characters."""
    normal = unicodedata.normalize("NFC", value)
    printable = "".join(" " if unicodedata.category(char) in ("Cc", "Cs") else char for char in normal)
    return " ".join(printable.split())[:_MAX_TEXT].rstrip()


def _iso_date(value: str) -> str | None:
    """`20040826`, or ACR-NEMA's `2004.08.26`."""
    found = _DATE.fullmatch(value)
    try:
        return dt.date(*map(int, found.groups())).isoformat() if found else None
    except ValueError:
        return None


def _iso_time(value: str) -> str | None:
    """`080556.875`, or ACR-NEMA's `08:05:56`, as `08:05:56`; None without minutes, or if it is no time."""
    found = _TIME.fullmatch(value)
    if found is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    try:
        return dt.time(hours, minutes, seconds).isoformat()
    except ValueError:
        return None
