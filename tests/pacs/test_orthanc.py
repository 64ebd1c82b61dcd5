"""What the PACS of these tests holds and how it answers, which the tests of a pull take for granted."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import BasicTextSRStorage, ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation
from pynetdicom import AE, build_role
from pynetdicom.events import EVT_C_STORE

from tests.pacs.hospital import CHEST, CHEST_IMAGES, CHEST_STUDIES, CT, HAND, PATIENTS, REPORT, image
from tests.pacs.orthanc import AE_TITLE, CALLER, Orthanc
from tests.pacs.tls_relay import tls_relay
from tests.standins.iris import make_authority

if TYPE_CHECKING:
    from pathlib import Path

    from pynetdicom.events import Event

pytestmark = pytest.mark.pacs

STUDY_ROOT_FIND, STUDY_ROOT_GET = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 3))
"""Query/Retrieve Information Models, PS3.4 C.6.2.3."""
BODY_PART, VIEW, CLASS, STUDY_UID, PATIENT_ID = "00180015", "00185101", "00080016", "0020000D", "00100020"


def value(found: dict[str, Any], tag: str) -> str | None:
    """Return the first value of a tag of a query's answer."""
    return found.get(tag, {}).get("Value", [None])[0]


def test_studies_are_found_by_modality_date_and_accession_number(pacs: Orthanc) -> None:
    assert len(pacs.query("studies")) == CHEST_STUDIES + 2
    digital, computed = (pacs.query("studies", ModalitiesInStudy=modality) for modality in ("DX", "CR"))
    assert {value(one, STUDY_UID) for one in digital} == {
        *(study.uid for study in CHEST if study.modality == "DX"),
        HAND.uid,
    }
    assert {value(one, STUDY_UID) for one in computed} == {study.uid for study in CHEST if study.modality == "CR"}
    first_week = pacs.query("studies", StudyDate="20240101-20240107")
    assert {value(one, STUDY_UID) for one in first_week} == {study.uid for study in CHEST[:7]}
    (one,) = pacs.query("studies", AccessionNumber=CHEST[3].accession)
    assert value(one, STUDY_UID) == CHEST[3].uid


def test_pages_of_studies_neither_overlap_nor_leave_one_out(pacs: Orthanc) -> None:
    pages = [pacs.query("studies", limit="5", offset=str(offset)) for offset in (0, 5, 10, 15)]
    assert [len(page) for page in pages] == [5, 5, 2, 0]
    assert len({value(one, STUDY_UID) for page in pages for one in page}) == CHEST_STUDIES + 2


def test_instances_tell_chest_images_from_a_hand_a_ct_and_documents(pacs: Orthanc) -> None:
    found = pacs.query("instances", includefield=[BODY_PART, VIEW, CLASS])
    images = [one for one in found if value(one, BODY_PART) == "CHEST"]
    assert len(found) == CHEST_IMAGES + 5
    assert {value(one, STUDY_UID) for one in images} == {study.uid for study in (*CHEST, CT)}
    assert sorted(str(value(one, VIEW)) for one in images) == ["LL"] * 10 + ["None"] + ["PA"] * 10
    assert len({value(one, PATIENT_ID) for one in pacs.query("studies")}) == PATIENTS


def test_a_misspelled_parameter_finds_everything_and_an_escaped_comma_joins_nothing(pacs: Orthanc) -> None:
    """What other servers may refuse: so a pull counts first, and repeats `includefield`."""
    assert len(pacs.query("studies", StudyDates="20240101")) == CHEST_STUDIES + 2
    found = pacs.query("instances", includefield=f"{BODY_PART},{VIEW}")  # the comma is sent as %2C
    assert not any(value(one, BODY_PART) or value(one, VIEW) for one in found)


def test_an_instance_comes_back_as_the_bytes_that_were_stored(pacs: Orthanc) -> None:
    study = CHEST[0]
    reply = pacs.retrieve(f"studies/{study.uid}/series/{study.uid}.1/instances/{study.uid}.1.1")
    found = re.match(r'multipart/related;.*boundary="?([^";]+)', reply.headers["Content-Type"])
    assert found
    part = reply.content.split(f"--{found[1]}".encode())[1]
    assert part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") == image(study, 1, "PA")


def test_the_text_of_a_structured_report_stands_in_its_metadata(pacs: Orthanc) -> None:
    uid = CHEST[0].uid
    (found,) = pacs.query(f"studies/{uid}/series/{uid}.9/instances/{uid}.9.1/metadata")
    (item,) = found["0040A730"]["Value"]
    assert value(item, "0040A160") == REPORT


def test_a_changed_image_replaces_its_predecessor_and_a_deleted_study_is_gone(tmp_path: Path) -> None:
    with Orthanc(tmp_path) as pacs:
        pacs.add([image(CHEST[0], 1, "PA"), image(CHEST[1], 1, "PA")])
        pacs.add([image(CHEST[0], 1, "PA", seed=999)])
        uid = CHEST[0].uid
        assert image(CHEST[0], 1, "PA", seed=999) in pacs.retrieve(f"studies/{uid}").content
        pacs.remove_study(CHEST[1].uid)
        assert [value(one, STUDY_UID) for one in pacs.query("studies")] == [uid]


def test_login_and_tls_with_an_own_authority_are_demanded(tmp_path: Path) -> None:
    make_authority(tmp_path / "tls")
    trust = ssl.create_default_context(cafile=tmp_path / "tls" / "ca.pem")
    with Orthanc(tmp_path / "pacs", users={"reader": "secret"}) as pacs, tls_relay(tmp_path / "tls", pacs.port) as port:
        studies = f"https://localhost:{port}/dicom-web/studies"
        for login, status in ((None, 401), (("reader", "wrong"), 401), (("reader", "secret"), 200)):
            assert httpx.get(studies, auth=login, verify=trust).status_code == status
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(studies, auth=("reader", "secret"))


def test_c_find_and_c_get_answer_the_known_caller_alone(pacs: Orthanc) -> None:
    assert len(find(pacs, CALLER, ModalitiesInStudy="DX", StudyDate="20240101-20240107")) == 6
    assert find(pacs, "STRANGER", ModalitiesInStudy="DX") == []
    assert get(pacs, CHEST[0].uid) == {f"{CHEST[0].uid}.{rest}" for rest in ("1.1", "1.2", "9.1")}


def find(pacs: Orthanc, caller: str, **keys: str) -> list[Dataset]:
    """Return the studies that a C-FIND finds; none if it is refused."""
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", ""
    for name, wanted in keys.items():
        setattr(query, name, wanted)
    entity = AE(ae_title=caller)
    entity.add_requested_context(STUDY_ROOT_FIND)
    association = entity.associate("127.0.0.1", pacs.dicom_port, ae_title=AE_TITLE)
    found = [study for _, study in association.send_c_find(query, STUDY_ROOT_FIND) if study is not None]
    association.release()
    return found


def get(pacs: Orthanc, study_uid: str) -> set[str]:
    """Return the SOP Instance UIDs that a C-GET of a study brings."""
    query, brought = Dataset(), set[str]()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", study_uid
    entity = AE(ae_title=CALLER)
    entity.add_requested_context(STUDY_ROOT_GET)
    classes = (DigitalXRayImageStorageForPresentation, ComputedRadiographyImageStorage, BasicTextSRStorage)
    for one in classes:
        entity.add_requested_context(one)
    roles = [build_role(one, scp_role=True) for one in classes]

    def store(event: Event) -> int:
        brought.add(str(event.dataset.SOPInstanceUID))
        return 0x0000

    association = entity.associate(
        "127.0.0.1", pacs.dicom_port, ae_title=AE_TITLE, ext_neg=roles, evt_handlers=[(EVT_C_STORE, store)]
    )
    statuses = [status.Status for status, _ in association.send_c_get(query, STUDY_ROOT_GET)]
    association.release()
    assert statuses[-1] == 0x0000
    return brought
