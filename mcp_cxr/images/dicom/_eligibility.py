"""Decides by the header, before any pixel is read, which DICOM files are chest radiographs.

The SOP class comes before the modality, which equipment fills with codes of its own (`DR`). Of the body part, every
element that may name it is read, in several languages. People write the descriptions of an examination, equipment fills
in the body part, often a default: so if a description names the chest, the file is let in, else if one names another
part, it is kept out, and only if none names any does the body part decide. If nothing names a known part, the file is
let in: a third of Indiana's chest files name no part, and a chest image that is kept out is not found again, while
another image that is let in shows itself in a search.

A reason names a known code at most, never a value from the file.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pydicom.dataset import Dataset

from mcp_cxr.errors import UnsupportedImage
from mcp_cxr.images.dicom._element_values import items, text, values
from mcp_cxr.images.files import silence_libraries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OTHER_BODY_PART: Final = "not a chest radiograph (body part)"
_RADIOGRAPH_MODALITIES: Final = frozenset({"CR", "DX", "RG", "DR", "XR", "SC", "OT", ""})
"""Computed, digital and scanned radiographs, also by two codes that only equipment uses; secondary capture, other and
none do not rule one out."""
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
    "1.2.840.10008.5.1.4.1.1.1": "CR",
    "1.2.840.10008.5.1.4.1.1.1.1": "DX",
    "1.2.840.10008.5.1.4.1.1.1.1.1": "DX",
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
"""Modality codes of SOP classes, PS3.4 B.5; the class overrides (0008,0060) Modality."""
_SOP_CLASS_PREFIXES: Final = {
    "1.2.840.10008.5.1.4.1.1.9.": "ECG",
    "1.2.840.10008.5.1.4.1.1.11.": "PR",
    "1.2.840.10008.5.1.4.1.1.77.1.": "XC",
    "1.2.840.10008.5.1.4.1.1.88.": "SR",
}
_MODALITY_BODY_PARTS: Final = frozenset({"MG", "IO", "PX"})
"""Modalities that name a body part, breast or teeth, though the file's SOP class is that of any radiograph."""
_BODY_PARTS: Final = ("BodyPartExamined",)
_DESCRIPTIONS: Final = (
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "PerformedProcedureStepDescription",
    "RequestedProcedureDescription",
)
_CODES: Final = ("AnatomicRegionSequence", "ProcedureCodeSequence")
_CHEST_WORDS: Final = frozenset(
    "AIRWAY BRUSTKORB COSTELAS COSTILLAS COTES CXR HEART LONGEN LUNG LUNGE LUNGEN LUNGS MEDIASTINUM POLMONE POLMONI"
    " POUMON POUMONS PULMAO PULMON PULMONES RIB RIBS RIPPE RIPPEN STERNUM TORACE".split()
)
"""Ribs and sternum count as the chest: their images show it."""
_CHEST_STARTS: Final = ("CHEST", "THORAX", "TORAX")
"""Also `CHESTPA2V`, `THORAXAUFNAHME`."""
_OTHER_BODY_PARTS: Final = frozenset(
    "ABDOMEN ABDOMENPELVIS ANKLE ARM BACK BLADDER BRAIN BREAST CALCANEUS CALF CAROTID CERVIX CLAVICLE COCCYX CSPINE"
    " CTSPINE EAR ELBOW EXTREMITY EYE FACE FEMUR FIBULA FINGER FINGERS FOOT FOREARM HAND HEAD HEEL HIP HUMERUS JAW"
    " JOINT KIDNEY KNEE LEG LIVER LSPINE LSSPINE LUMBAR MANDIBLE MAXILLA NASAL NECK NOSE ORBIT ORBITS PANCREAS PATELLA"
    " PELVIS RADIUS RADIUSULNA SACRUM SCAPULA SHOULDER SINUS SINUSES SKULL SPINE SPLEEN SSPINE THIGH THUMB TIBIA"
    " TIBIAFIBULA TLSPINE TOE TOES TOOTH TSPINE ULNA UTERUS WRIST ZYGOMA".split()
)
"""Defined terms of (0018,0015) Body Part Examined other than the chest, PS3.16 annex L, and common words for them."""
_OTHER_LANGUAGES: Final = frozenset(
    "BECKEN BWS CLAVICULA DAUMEN FERSE FUSS FUSSE HALS HWS ISG KIEFER KNIE KOPF KREUZBEIN LWS NASENBEIN OSG STEISSBEIN"
    " UNTERKIEFER ZAHN ZAHNE ZEHE ZEHEN"  # German
    " BASSIN CHEVILLE CLAVICULE COUDE CRANE CUISSE DOIGT DOIGTS EPAULE EPAULES GENOU GENOUX HANCHE HANCHES JAMBE ORTEIL"
    " PIED PIEDS POIGNET RACHIS ROTULE"  # French
    " ANTEBRAZO CADERA CADERAS CODO COLUMNA CRANEO DEDO DEDOS HOMBRO HOMBROS MANO MANOS MUNECA MUSLO PIERNA PIES"
    " RODILLA RODILLAS ROTULA TOBILLO"  # Spanish
    " ANTEBRACO BACIA COLUNA COTOVELO COXA CRANIO JOELHO JOELHOS MAO MAOS OMBRO OMBROS PERNA PUNHO QUADRIL TORNOZELO"
    " ANCA BACINO CAVIGLIA COLONNA COSCIA DITO GAMBA GINOCCHIA GINOCCHIO GOMITO PIEDE POLSO RACHIDE SPALLA"  # Italian
    " BEKKEN ELLEBOOG ENKEL HEUP POLS SCHEDEL SCHOUDER VINGER VOET WERVELKOLOM"  # Dutch
    " BARK BIODRO CZASZKA KOLANO MIEDNICA NADGARSTEK STOPA".split()  # Polish
)
"""Words for another body part that are no English ones; without those that mean something else, as `PE` and `MAIN`."""
_OTHER_STARTS: Final = tuple(
    "ELLBOGEN ELLENBOGEN HALSWIRBEL HANDGELENK HANDWURZEL HUEFT HUFT KNIE LENDENWIRBEL MITTELFUSS MITTELHAND OBERARM"
    " OBERSCHENKEL BRUSTWIRBEL SCHADEL SCHAEDEL SCHLUESSELBEIN SCHLUSSELBEIN SCHULTER SPRUNGGELENK UNTERARM"
    " UNTERSCHENKEL VORFUSS WIRBELSAEULE WIRBELSAULE".split()
)
"""German ones, which are also written in one word with others: `KNIEGELENK`."""
_WORDS_OF_DESCRIPTIONS: Final = (_OTHER_BODY_PARTS - {"ARM", "BACK", "EAR", "FACE", "JOINT"}) | frozenset(
    "ABD ABDOMINAL ANKLES CLAVICLES ELBOWS FACIAL FEET FEMORA FOREARMS HANDS HEELS HIPS HUMERI KNEES KUB LEGS"
    " MAMMOGRAM MAMMOGRAPHY SACROILIAC SHOULDERS TEETH THIGHS THUMBS TIB UROGRAM WRISTS".split()
)
"""What a description calls another body part; without words that mean something else there, as in C-arm, back-up."""
_WORD = re.compile(r"[A-Z]+")
_LISTED: Final = frozenset({"SOPClassUID", "Modality", *_BODY_PARTS, *_DESCRIPTIONS})


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
    if _shows_other_body_part(elements):
        raise UnsupportedImage(OTHER_BODY_PART)


def why_ineligible(texts: Mapping[str, str]) -> str | None:
    """Return why `check_eligibility` would refuse a file with these elements; None if nothing speaks against it.

    Args:
        texts: Values by keyword, as a PACS gives them without the file.
    """
    silence_libraries()
    elements = Dataset()
    for keyword, value in texts.items():
        if keyword not in _LISTED:
            continue
        with suppress(ValueError):  # a value that the standard does not allow says nothing
            setattr(elements, keyword, value)
    try:
        check_eligibility(elements, any_body_part=False)
    except UnsupportedImage as exc:
        return exc.reason
    return None


def _modality_code(elements: Dataset) -> str:
    sop_class = text(elements, "SOPClassUID") or ""
    family = next((code for start, code in _SOP_CLASS_PREFIXES.items() if sop_class.startswith(start)), None)
    if "DirectoryRecordSequence" in elements:
        return "DICOMDIR"
    return _SOP_CLASS_CODES.get(sop_class) or family or (text(elements, "Modality") or "").upper()


def _shows_other_body_part(elements: Dataset) -> bool:
    """Return whether the file is of another body part than the chest; see above."""
    codes = (code for keyword in _CODES for code in items(elements, keyword))
    descriptions = _words(elements, _DESCRIPTIONS).union(*(_words(code, ("CodeMeaning",)) for code in codes))
    parts = _words(elements, _BODY_PARTS)
    for words, others in ((descriptions, _WORDS_OF_DESCRIPTIONS), (parts, _OTHER_BODY_PARTS)):
        if _names_chest(words):
            return False
        if words & others or _names_in_other_language(words):
            return True
    return (text(elements, "Modality") or "").upper() in _MODALITY_BODY_PARTS


def describes_other_body_part(tags: Mapping[str, Any]) -> bool:
    """Return whether stored tags name another body part in a way that older rules let in."""
    parts, descriptions = (
        _words_of(str(tags.get(keyword) or "") for keyword in keywords) for keywords in (_BODY_PARTS, _DESCRIPTIONS)
    )
    is_named = bool(descriptions & _WORDS_OF_DESCRIPTIONS) or _names_in_other_language(descriptions | parts)
    return is_named and not parts & _OTHER_BODY_PARTS


def _names_chest(words: set[str]) -> bool:
    return any(word in _CHEST_WORDS or word.startswith(_CHEST_STARTS) for word in words)


def _names_in_other_language(words: set[str]) -> bool:
    return any(word in _OTHER_LANGUAGES or word.startswith(_OTHER_STARTS) for word in words)


def _words(elements: Dataset, keywords: tuple[str, ...]) -> set[str]:
    """Return the words of these elements, all values, in capitals without accents."""
    return _words_of(str(value) for keyword in keywords for value in values(elements, keyword))


def _words_of(texts: Iterable[str]) -> set[str]:
    joined = " ".join(texts).upper()
    bare = "".join(char for char in unicodedata.normalize("NFD", joined) if not unicodedata.combining(char))
    return set(_WORD.findall(bare))
