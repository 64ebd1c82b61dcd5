"""A small hospital's studies, drawn and written here: what a pull must bring, and what lies beside it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    XRayRadiationDoseSRStorage,
)

from mcp_cxr.demo import to_dicom
from tests.support.image_files import pixels

PATIENTS, CHEST_STUDIES, CHEST_IMAGES = 8, 10, 20
REPORT = "FINDINGS: No pneumothorax.\nIMPRESSION: Moderate left pleural effusion."
PDF_REPORT = "IMPRESSION: Cardiomegaly without edema."


@dataclass(frozen=True, slots=True)
class Study:
    """One examination; UIDs and other ids are made of its number."""

    number: int
    patient: int
    modality: str = "DX"
    body_part: str = "CHEST"

    @property
    def uid(self) -> str:
        """Study Instance UID."""
        return f"2.25.77{self.number:02}"

    @property
    def accession(self) -> str:
        """Accession Number."""
        return f"ACC{self.number:05}"

    @property
    def date(self) -> str:
        """Study Date: one day of January 2024 for each study."""
        return f"202401{self.number + 1:02}"

    def tags(self, instance: int, *, series: int = 1) -> dict[str, str]:
        """Return what all objects of the study say, and the ids of one of them."""
        return {
            "PatientID": f"MRN{self.patient:06}",
            "PatientName": f"Invented{self.patient}^Pat",
            "PatientBirthDate": f"19{50 + self.patient}0704",
            "PatientSex": "FM"[self.patient % 2],
            "AccessionNumber": self.accession,
            "StudyID": str(self.number),
            "StudyDate": self.date,
            "StudyTime": "101500",
            "StudyDescription": "XR CHEST PA AND LAT" if self.body_part == "CHEST" else f"XR {self.body_part}",
            "StudyInstanceUID": self.uid,
            "SeriesInstanceUID": f"{self.uid}.{series}",
            "SOPInstanceUID": f"{self.uid}.{series}.{instance}",
        }


CHEST = tuple(Study(n, n % PATIENTS, modality="CR" if n % 5 == 4 else "DX") for n in range(CHEST_STUDIES))
HAND, CT = Study(10, 0, body_part="HAND"), Study(11, 1, modality="CT")


def whole_hospital() -> list[bytes]:
    """Return every file: 20 chest images of 8 patients, three documents, a hand and a CT slice."""
    chest = [image(study, instance, view) for study in CHEST for instance, view in enumerate(("PA", "LL"), 1)]
    documents = [
        text_report(CHEST[0], REPORT),
        dose_report(CHEST[1]),
        pdf_report(CHEST[2], PDF_REPORT),
    ]
    return [*chest, *documents, image(HAND, 1, "PA"), image(CT, 1, None)]


def image(study: Study, instance: int, view: str | None, *, seed: int | None = None, size: int = 1) -> bytes:
    """Return an image of a study.

    Args:
        seed: Of its pixels; None: they differ from image to image.
        size: Columns and rows of each pixel.
    """
    classes = {"CR": ComputedRadiographyImageStorage, "CT": CTImageStorage}
    content = to_dicom(
        np.kron(pixels(10 * study.number + instance if seed is None else seed), np.ones((size, size), np.uint16)),
        Modality=study.modality,
        BodyPartExamined=study.body_part,
        ViewPosition=view,
        PatientIdentityRemoved="NO",
        **study.tags(instance),  # pyright: ignore[reportArgumentType]  # none is an argument's name
    )
    if study.modality not in classes:
        return content
    return _with_class(content, classes[study.modality])


def text_report(study: Study, text: str, *, instance: int = 1, verified: bool = True, complete: bool = True) -> bytes:
    """Return a Basic Text SR titled Radiology Report, PS3.3 A.35.1."""
    report = _document(study, BasicTextSRStorage, "SR", instance)
    report.CompletionFlag = "COMPLETE" if complete else "PARTIAL"
    report.VerificationFlag = "VERIFIED" if verified else "UNVERIFIED"
    report.ValueType, report.ContinuityOfContent = "CONTAINER", "SEPARATE"
    report.ConceptNameCodeSequence = _code("11528-7", "LN", "Radiology Report")
    item = Dataset()
    item.RelationshipType, item.ValueType, item.TextValue = "CONTAINS", "TEXT", text
    item.ConceptNameCodeSequence = _code("121071", "DCM", "Finding")
    report.ContentSequence = Sequence([item])
    return _bytes(report)


def deep_report(study: Study, levels: int) -> bytes:
    """Return a report whose content lies so many containers deep."""
    start = Dataset()
    start.RelationshipType, start.ValueType, start.ContinuityOfContent = "CONTAINS", "CONTAINER", "SEPARATE"
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    write_dataset(buffer, start)
    undefined = b"\xff" * 4
    opened = b"\x40\x00\x30\xa7SQ\0\0" + undefined + b"\xfe\xff\x00\xe0" + undefined
    closed = b"\xfe\xff\x0d\xe0" + bytes(4) + b"\xfe\xff\xdd\xe0" + bytes(4)
    flat = text_report(study, "")
    head = flat[: flat.index(b"\x40\x00\x30\xa7SQ")]  # nothing follows the content
    return head + (opened + buffer.getvalue()) * levels + closed * levels


def dose_report(study: Study) -> bytes:
    """Return an X-Ray Radiation Dose SR, PS3.3 A.35.8: no report in words."""
    report = _document(study, XRayRadiationDoseSRStorage, "SR", 1, series=8)
    report.CompletionFlag, report.VerificationFlag = "COMPLETE", "UNVERIFIED"
    report.ValueType, report.ContinuityOfContent = "CONTAINER", "SEPARATE"
    report.ConceptNameCodeSequence = _code("113701", "DCM", "X-Ray Radiation Dose Report")
    return _bytes(report)


def pdf_report(study: Study, text: str, *, spaces: int = 0) -> bytes:
    """Return an Encapsulated PDF of one page with a text layer, PS3.3 A.45.1; arguments as for `pdf`."""
    document = _document(study, EncapsulatedPDFStorage, "DOC", 1, series=7)
    document.DocumentTitle, document.MIMETypeOfEncapsulatedDocument = "Radiology Report", "application/pdf"
    document.BurnedInAnnotation = "YES"
    content = pdf(text, spaces=spaces)
    document.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    return _bytes(document)


def pdf(text: str, *, spaces: int = 0) -> bytes:
    """Return a PDF of one page that shows a line of text, followed by so many bytes of blanks, compressed."""
    drawn = zlib.compress(f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode("latin-1") + b" " * spaces)
    font = b"<< /Font << /F1 5 0 R >> >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources %b >>" % font,
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(drawn), drawn),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    content, offsets = b"%PDF-1.4\n", list[int]()
    for number, body in enumerate(objects, 1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = (len(objects) + 1, table, len(objects) + 1, len(content))
    return (
        content
        + b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % end
    )


def _document(study: Study, sop_class: UID, modality: str, instance: int, *, series: int = 9) -> FileDataset:
    meta = FileMetaDataset()
    tags = study.tags(instance, series=series)
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, UID(tags["SOPInstanceUID"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    ds.SpecificCharacterSet, ds.SOPClassUID, ds.Modality = "ISO_IR 100", sop_class, modality
    ds.ContentDate, ds.ContentTime, ds.InstanceNumber = study.date, "110000", instance
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return ds


def _code(value: str, scheme: str, meaning: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Sequence([item])


def _with_class(content: bytes, sop_class: UID) -> bytes:
    ds = dcmread(BytesIO(content))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class
    return _bytes(ds)


def _bytes(ds: FileDataset) -> bytes:
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
