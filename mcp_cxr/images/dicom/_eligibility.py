"""Decides by the header, before any pixel is read, which DICOM files are chest radiographs.

A reason names a known code at most, never a value from the file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mcp_cxr.errors import UnsupportedImage
from mcp_cxr.images.dicom._elements import item, text

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_RADIOGRAPH_MODALITIES: Final = frozenset({"CR", "DX", "RG", "SC", "OT", ""})
"""Computed, digital and scanned radiographs; secondary capture, other and none do not rule one out."""
_OTHER_IMAGE_MODALITIES: Final = frozenset(
    "BI BMD CT DG ES FS GM HC IO IVOCT IVUS LS MA MG MR NM OCT OP OPM OPT PT PX RF RTDOSE RTIMAGE SM ST TG US XA"
    " XC".split()
)
"""Images of other modalities, PS3.3 C.7.3.1.1.1."""
_DOCUMENT_MODALITIES: Final = frozenset(
    "AR AU DOC ECG EEG EMG EPS FID HD KER KO LEN M3D PLAN POS PR REG RESP RTPLAN RTRECORD RTSTRUCT RWV SEG SMR"
    " SR STAIN TEXTUREMAP VF".split()
)
"""Objects without an image."""
_SOP_CLASS_CODES: Final = {
    "1.2.840.10008.1.3.10": "DICOMDIR",
    "1.2.840.10008.5.1.4.1.1.1.2": "MG",
    "1.2.840.10008.5.1.4.1.1.1.2.1": "MG",
    "1.2.840.10008.5.1.4.1.1.1.3": "IO",
    "1.2.840.10008.5.1.4.1.1.1.3.1": "IO",
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "CT",
    "1.2.840.10008.5.1.4.1.1.3.1": "US",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "MR",
    "1.2.840.10008.5.1.4.1.1.6.1": "US",
    "1.2.840.10008.5.1.4.1.1.12.1": "XA",
    "1.2.840.10008.5.1.4.1.1.12.2": "RF",
    "1.2.840.10008.5.1.4.1.1.13.1.3": "MG",
    "1.2.840.10008.5.1.4.1.1.20": "NM",
    "1.2.840.10008.5.1.4.1.1.66.4": "SEG",
    "1.2.840.10008.5.1.4.1.1.88.59": "KO",
    "1.2.840.10008.5.1.4.1.1.104.1": "DOC",
    "1.2.840.10008.5.1.4.1.1.128": "PT",
    "1.2.840.10008.5.1.4.1.1.481.1": "RTIMAGE",
    "1.2.840.10008.5.1.4.1.1.481.2": "RTDOSE",
    "1.2.840.10008.5.1.4.1.1.481.3": "RTSTRUCT",
    "1.2.840.10008.5.1.4.1.1.481.5": "RTPLAN",
    "1.2.840.10008.5.1.4.1.1.481.8": "RTPLAN",
}
"""Modality codes of SOP classes that are not chest radiographs, PS3.4 B.5; the class overrides (0008,0060)."""
_SOP_CLASS_PREFIXES: Final = {
    "1.2.840.10008.5.1.4.1.1.9.": "ECG",
    "1.2.840.10008.5.1.4.1.1.11.": "PR",
    "1.2.840.10008.5.1.4.1.1.77.1.": "XC",
    "1.2.840.10008.5.1.4.1.1.88.": "SR",
}
_CHEST_WORDS: Final = frozenset("CHEST THORAX LUNG LUNGS RIB RIBS HEART MEDIASTINUM STERNUM AIRWAY".split())
_OTHER_BODY_PARTS: Final = frozenset(
    "ABDOMEN ABDOMENPELVIS ANKLE ARM BACK BLADDER BRAIN BREAST CALCANEUS CALF CAROTID CERVIX CLAVICLE COCCYX CSPINE"
    " CTSPINE EAR ELBOW EXTREMITY EYE FACE FEMUR FIBULA FINGER FINGERS FOOT FOREARM HAND HEAD HEEL HIP HUMERUS JAW"
    " JOINT KIDNEY KNEE LEG LIVER LSPINE LSSPINE LUMBAR MANDIBLE MAXILLA NASAL NECK NOSE ORBIT ORBITS PANCREAS PATELLA"
    " PELVIS RADIUS RADIUSULNA SACRUM SCAPULA SHOULDER SINUS SINUSES SKULL SPINE SPLEEN SSPINE THIGH THUMB TIBIA"
    " TIBIAFIBULA TLSPINE TOE TOES TOOTH TSPINE ULNA UTERUS WRIST ZYGOMA".split()
)
"""Defined terms of (0018,0015) Body Part Examined other than the chest, PS3.16 annex L, and common words for them."""
_WORD = re.compile(r"[A-Z]+")


def check_eligibility(elements: Dataset, *, any_body_part: bool) -> None:
    """Refuse objects that are not images and, unless `any_body_part`, images that are not chest radiographs.

    Raises:
        UnsupportedImage: With the reason.
    """
    code = _modality_code(elements)
    if code in _DOCUMENT_MODALITIES or code == "DICOMDIR":
        raise UnsupportedImage(f"not an image ({code})")
    if any_body_part:
        return
    if code not in _RADIOGRAPH_MODALITIES:
        raise UnsupportedImage(f"not a radiograph ({code})" if code in _OTHER_IMAGE_MODALITIES else "not a radiograph")
    if _is_other_body_part(elements):
        raise UnsupportedImage("not a chest radiograph (body part)")


def _modality_code(elements: Dataset) -> str:
    sop_class = text(elements, "SOPClassUID") or ""
    family = next((code for start, code in _SOP_CLASS_PREFIXES.items() if sop_class.startswith(start)), None)
    if "DirectoryRecordSequence" in elements:
        return "DICOMDIR"
    return _SOP_CLASS_CODES.get(sop_class) or family or (text(elements, "Modality") or "").upper()


def _is_other_body_part(elements: Dataset) -> bool:
    """Return whether the header names a body part other than the chest; unknown words pass."""
    part = text(elements, "BodyPartExamined")
    region = item(elements, "AnatomicRegionSequence")
    if part is None and region is not None:
        part = text(region, "CodeMeaning")
    words = set(_WORD.findall((part or "").upper()))
    return bool(words & _OTHER_BODY_PARTS) and not words & _CHEST_WORDS
