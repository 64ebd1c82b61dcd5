"""A PACS of files in memory, asked as `pull` asks a real one; real ones are asked by `make test-pacs`."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from mcp_cxr.errors import PacsNotFound
from mcp_cxr.pacs._query_and_answers import PacsInstance, PacsStudy

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from mcp_cxr.pacs import PacsQuery

SR_CLASS = "1.2.840.10008.5.1.4.1.1.88.11"


@dataclass
class FilesPacs:
    """Answers from its files; counts what was fetched."""

    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """By SOPInstanceUID."""
    fetched: Counter[str] = field(default_factory=Counter[str])
    sends: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """What it sends instead of the file that was asked for."""

    people: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """Patient name and birth date by StudyInstanceUID, as it answers queries."""

    def add(self, path: Path) -> str:
        """Add a file; return its SOPInstanceUID."""
        uid = str(pydicom.dcmread(path).SOPInstanceUID)
        self.files[uid] = path.read_bytes()
        return uid

    def _headers(self) -> list[pydicom.Dataset]:
        return [pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True) for data in self.files.values()]

    async def studies(self, query: PacsQuery) -> AsyncGenerator[list[PacsStudy]]:
        """Yield every study, whatever was asked for: the pull has to compare."""
        headers = self._headers()
        for uid in dict.fromkeys(str(one.StudyInstanceUID) for one in headers):
            of_study = [one for one in headers if one.StudyInstanceUID == uid]
            first: Any = of_study[0]
            yield [
                PacsStudy(
                    uid,
                    first.get("StudyDate"),
                    frozenset(str(one.Modality) for one in of_study),
                    str(first.PatientID),
                    first.get("AccessionNumber"),
                    len(of_study),
                    *self.people.get(uid, (None, None)),
                )
            ]

    async def has_study(self, study_instance_uid: str) -> bool:
        return any(one.StudyInstanceUID == study_instance_uid for one in self._headers())

    async def instances(self, study: PacsStudy) -> list[PacsInstance]:
        return [
            PacsInstance(
                study.study_instance_uid,
                str(one.get("SeriesInstanceUID", "2.25.5")),
                str(one.SOPInstanceUID),
                str(one.SOPClassUID),
                str(one.Modality),
                {"BodyPartExamined": str(one.get("BodyPartExamined", ""))},
                1000,
            )
            for one in self._headers()
            if one.StudyInstanceUID == study.study_instance_uid
        ]

    async def fetch(self, instance: PacsInstance, target: Path) -> int:
        uid = instance.sop_instance_uid
        data = self.sends.get(uid) or self.files.get(uid)
        if data is None:
            raise PacsNotFound("gone")
        self.fetched[uid] += 1
        return await anyio.Path(target).write_bytes(data)

    async def aclose(self) -> None:
        """Do nothing."""


def structured_report(
    path: Path,
    text: str,
    *,
    title: str = "X-Ray report",
    verified: bool = True,
    **tags: Any,
) -> Path:
    """Write a Basic Text SR with one finding.

    Args:
        path: Of the new file.
        text: The finding.
        title: Of the document.
        verified: Whether it is VERIFIED.
        tags: Further elements by keyword.
    """
    finding = _item("TEXT", "Finding")
    finding.TextValue = text
    report = _item("CONTAINER", title, _item("CONTAINER", "Findings", finding))
    report.file_meta = FileMetaDataset()
    report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    named = {
        "SOPClassUID": SR_CLASS,
        "SOPInstanceUID": "2.25.77",
        "Modality": "SR",
        "CompletionFlag": "COMPLETE",
        "VerificationFlag": "VERIFIED" if verified else "UNVERIFIED",
        "ContentDate": "20261101",
        "ContentTime": "101500",
        "PatientName": "Sample^Maria",
        "PatientBirthDate": "19500312",
        **tags,
    }
    for keyword, value in named.items():
        setattr(report, keyword, value)
    report.file_meta.MediaStorageSOPClassUID = report.SOPClassUID
    report.file_meta.MediaStorageSOPInstanceUID = report.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    report.save_as(path, enforce_file_format=True)
    return path


def deep_report(path: Path, levels: int) -> Path:
    """Write a structured report with containers in containers, by hand: pydicom needs minutes for 300."""
    whole = structured_report(path, "Clear.").read_bytes()
    sequence, unknown, item = b"\x40\x00\x30\xa7SQ\0\0", b"\xff\xff\xff\xff", b"\xfe\xff\x00\xe0"
    ends = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    path.write_bytes(whole[: whole.index(sequence)] + (sequence + unknown + item + unknown) * levels + ends * levels)
    return path


def _item(kind: str, name: str, *content: pydicom.Dataset) -> pydicom.Dataset:
    code = pydicom.Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99TEST", name
    item = pydicom.Dataset()
    item.ValueType = kind
    item.ConceptNameCodeSequence = [code]
    if content:
        item.ContentSequence = list(content)
    return item
