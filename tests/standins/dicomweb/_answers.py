"""What a query finds and a retrieval sends, DICOM PS3.18 sections 8 and 10."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from pydicom.datadict import keyword_for_tag, tag_for_keyword

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.standins.dicomweb._state import Behavior, Stored

_UIDS = {"studies": "StudyInstanceUID", "series": "SeriesInstanceUID", "instances": "SOPInstanceUID"}
_ALWAYS = {
    "studies": "StudyDate StudyTime AccessionNumber PatientName PatientID PatientBirthDate PatientSex StudyInstanceUID "
    "StudyID",
    "series": "Modality SeriesDescription SeriesInstanceUID SeriesNumber",
    "instances": "SOPClassUID SOPInstanceUID InstanceNumber Rows Columns",
}
_PATH = re.compile(r"(?:/(?:studies|series|instances)(?:/[0-9.]+)?)+")


class NoSuchResource(Exception):
    """Answered by 404."""


def within(files: Iterable[Stored], path: str) -> tuple[list[Stored], str]:
    """Return the files below a path such as `/studies/1.2/series`, and its last level.

    Raises:
        NoSuchResource: The path is none of DICOMweb's.
    """
    if not _PATH.fullmatch(path):
        raise NoSuchResource
    words, level, found = path.strip("/").split("/"), "", list(files)
    while words:
        level = words.pop(0)
        if words and words[0] not in _UIDS:
            uid = words.pop(0)
            found = [file for file in found if file.value(_UIDS[level]) == uid]
    return found, level


def query(files: Iterable[Stored], path: str, parameters: str, behavior: Behavior) -> list[dict[str, Any]]:
    """Return what a QIDO-RS query finds, in the order of the files."""
    asked = [(name, text) for name, text in parse_qsl(parameters) if name not in behavior.ignores]
    found, level = within(files, path)
    groups: dict[str, list[Stored]] = {}
    for file in found:
        groups.setdefault(file.value(_UIDS[level]), []).append(file)
    matching = [group for group in groups.values() if all(_matches(group, name, text) for name, text in asked)]
    numbers = {name: int(text) for name, text in asked if name in ("limit", "offset")}
    start = numbers.get("offset", 0)
    page = matching[start : start + min(numbers.get("limit", behavior.page), behavior.page)]
    more = [text for name, text in asked if name == "includefield"]
    return [_described(group, level, more) for group in page]


def _matches(group: list[Stored], name: str, text: str) -> bool:
    """Return whether a group matches a parameter; unknown ones match, as they do at Orthanc."""
    keyword = _keyword(name)
    if keyword == "ModalitiesInStudy":
        return any(file.value("Modality") in text.split("\\") for file in group)
    if not keyword or name in ("limit", "offset", "includefield", "fuzzymatching"):
        return True
    stored = group[0].value(keyword)
    if keyword.endswith("Date") and "-" in text:
        first, last = text.split("-")
        return (first or "0") <= stored <= (last or "9")
    return any(fnmatchcase(stored, wanted) for wanted in re.split(r"[\\,]", text))


def _described(group: list[Stored], level: str, more: list[str]) -> dict[str, Any]:
    """Return one result: the attributes of its level and of those above it, and the requested ones."""
    levels = list(_UIDS)[: list(_UIDS).index(level) + 1]
    names = " ".join(_ALWAYS[one] for one in levels).split()
    fields = [_keyword(part) for field in more for part in field.split(",")]
    wanted = dict.fromkeys([*names, *filter(None, fields)])
    header = group[0].header
    described = {f"{header[name].tag:08X}": header[name].to_json_dict(None, 0) for name in wanted if name in header}
    if level == "studies":
        modalities = sorted({file.value("Modality") for file in group})
        described["00080061"] = {"vr": "CS", "Value": modalities}
        described["00201208"] = {"vr": "IS", "Value": [len(group)]}
    return described


def _keyword(name: str) -> str:
    """Return the keyword of a parameter, given as keyword or as eight hexadecimal digits; empty if it is neither."""
    if re.fullmatch("[0-9A-Fa-f]{8}", name):
        return keyword_for_tag(int(name, 16))
    return name if tag_for_keyword(name) is not None else ""


def multipart(contents: Iterable[bytes], boundary: str) -> bytes:
    """Return a body of `multipart/related` with one part for each file."""
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n"
    parts = [f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content + b"\r\n" for content in contents]
    return b"".join(parts) + f"--{boundary}--".encode()
