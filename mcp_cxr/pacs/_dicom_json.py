"""Reads answers in the DICOM JSON model, PS3.18 annex F; a value of another form than the standard's is absent."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final, cast

from mcp_cxr.errors import PacsError, PacsRefused
from mcp_cxr.pacs._query_and_answers import PacsInstance, PacsStudy, is_uid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_TEXT: Final = 1024
"""Characters of a value; the longest that is asked for, LT, has 10,240, and nothing is read of it."""
TAGS: Final = {
    "SOPClassUID": "00080016",
    "SOPInstanceUID": "00080018",
    "StudyDate": "00080020",
    "AccessionNumber": "00080050",
    "Modality": "00080060",
    "ModalitiesInStudy": "00080061",
    "StudyDescription": "00081030",
    "SeriesDescription": "0008103E",
    "PatientName": "00100010",
    "PatientID": "00100020",
    "PatientBirthDate": "00100030",
    "BodyPartExamined": "00180015",
    "ProtocolName": "00181030",
    "ViewPosition": "00185101",
    "StudyInstanceUID": "0020000D",
    "SeriesInstanceUID": "0020000E",
    "NumberOfStudyRelatedInstances": "00201208",
    "Rows": "00280010",
    "Columns": "00280011",
    "BitsAllocated": "00280100",
}
"""Tags by keyword, as the model writes them, PS3.6."""

STUDY_FIELDS: Final = (
    "StudyDate",
    "AccessionNumber",
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedInstances",
)
SERIES_FIELDS: Final = ("BodyPartExamined", "SeriesDescription", "ProtocolName", "Modality")
INSTANCE_FIELDS: Final = (
    *("SOPClassUID", "ViewPosition", "BodyPartExamined", "StudyDescription", "Rows", "Columns", "BitsAllocated"),
)
_FACTS: Final = ("BodyPartExamined", "StudyDescription", "SeriesDescription", "ProtocolName", "ViewPosition")

_NOT_DICOM_JSON: Final = (
    "The PACS answers a query with something other than DICOM JSON; check that the URL is its DICOMweb service's."
)
DicomJson = dict[str, Any]


def read_answers(body: bytes) -> list[DicomJson]:
    """Return the data sets of an answer; an empty body means none, as in a reply of 204.

    Raises:
        PacsError: The body is not a list of data sets.
    """
    if not body.strip():
        return []
    try:
        answers: object = json.loads(body)
    except (ValueError, RecursionError):
        raise PacsError(_NOT_DICOM_JSON) from None
    if not isinstance(answers, list) or not all(isinstance(one, dict) for one in cast("list[object]", answers)):
        raise PacsError(_NOT_DICOM_JSON)
    return cast("list[DicomJson]", answers)


def values(answer: Mapping[str, Any], keyword: str) -> list[str]:
    """Return the values of an element as texts."""
    element = answer.get(TAGS[keyword])
    found: object = cast("dict[str, object]", element).get("Value") if isinstance(element, dict) else None
    if not isinstance(found, list):
        return []
    several = cast("list[object]", found)
    return [str(one)[:_MAX_TEXT].strip() for one in several if isinstance(one, str | int | float) and str(one).strip()]


def text(answer: Mapping[str, Any], keyword: str) -> str | None:
    """Return the first value of an element."""
    return next(iter(values(answer, keyword)), None)


def whole(answer: Mapping[str, Any], keyword: str) -> int | None:
    """Return the first value if it is a whole number of at most nine digits."""
    found = (text(answer, keyword) or "").removesuffix(".0")
    return int(found) if found.isascii() and found.isdigit() and len(found) <= 9 else None  # noqa: PLR2004


def _name(answer: Mapping[str, Any]) -> str | None:
    """Return the patient's name in its alphabets, with `=` between them as in a file, PS3.18 F.2.2."""
    element: object = answer.get(TAGS["PatientName"])
    found: object = cast("dict[str, object]", element).get("Value") if isinstance(element, dict) else None
    first: object = cast("list[object]", found)[0] if isinstance(found, list) and found else None
    if isinstance(first, dict):
        parts = cast("dict[str, object]", first)
        spelled = [parts.get(alphabet) for alphabet in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(str(one)[:_MAX_TEXT] for one in spelled if one) or None
    return text(answer, "PatientName")  # as some servers and DIMSE have it


def names_study(answers: Sequence[Mapping[str, Any]], study_instance_uid: str) -> bool:
    """Return whether the answers to a query for one study name it.

    Raises:
        PacsRefused: They name another one.
    """
    found = {text(answer, "StudyInstanceUID") for answer in answers}
    if found - {study_instance_uid}:
        raise PacsRefused("The PACS answers a query for one study with another one.")
    return bool(found)


def study_of(answer: Mapping[str, Any]) -> PacsStudy | None:
    """Return the study of an answer; None if its UID is none."""
    uid = text(answer, "StudyInstanceUID")
    if uid is None or not is_uid(uid):
        return None
    return PacsStudy(
        uid,
        study_date=text(answer, "StudyDate"),
        modalities=frozenset(values(answer, "ModalitiesInStudy")),
        patient_id=text(answer, "PatientID"),
        accession_number=text(answer, "AccessionNumber"),
        instances=whole(answer, "NumberOfStudyRelatedInstances"),
        patient_name=_name(answer),
        birth_date=text(answer, "PatientBirthDate"),
    )


def instance_of(
    study: PacsStudy, series_uid: str, of_series: Mapping[str, Any], answer: Mapping[str, Any]
) -> PacsInstance | None:
    """Return the instance of an answer; None if its UID is none."""
    uid = text(answer, "SOPInstanceUID")
    if uid is None or not is_uid(uid):
        return None
    found = {keyword: text(answer, keyword) or text(of_series, keyword) for keyword in _FACTS}
    sizes = [whole(answer, keyword) for keyword in ("Rows", "Columns", "BitsAllocated")]
    known = [size for size in sizes if size is not None]
    return PacsInstance(
        study.study_instance_uid,
        series_uid,
        uid,
        sop_class_uid=text(answer, "SOPClassUID"),
        modality=text(answer, "Modality") or text(of_series, "Modality"),
        facts={keyword: value for keyword, value in found.items() if value},
        bytes_uncompressed=math.prod(known) // 8 if len(known) == len(sizes) else None,
    )
