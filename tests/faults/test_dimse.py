"""DIMSE against an application entity of pynetdicom that fails as it is told; a real PACS is asked in tests/pacs."""

from __future__ import annotations

import datetime as dt
import logging
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import AE
from pynetdicom.events import EVT_C_FIND, EVT_C_GET

from mcp_cxr.errors import PacsError, PacsRefused, PacsUnavailable
from mcp_cxr.pacs import Dimse, DimseConfig, PacsQuery
from mcp_cxr.pacs._query_and_answers import PacsInstance, PacsStudy
from tests.support.image_files import dicom

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from pynetdicom.events import Event

FIND, GET = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.3"


async def no_wait(_: float) -> None:
    """Retry at once."""


@contextmanager
def entity(
    find: Callable[[Event], Iterator[Any]] | None = None,
    get: Callable[[Event], Iterator[Any]] | None = None,
    *,
    syntaxes: tuple[str, ...] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
    models: tuple[str, ...] = (FIND, GET),
) -> Generator[DimseConfig]:
    """Start an application entity that answers by these functions."""
    server_entity = AE(ae_title="PACS")
    for model in models:
        server_entity.add_supported_context(model)
    server_entity.add_supported_context(
        DigitalXRayImageStorageForPresentation, list(syntaxes), scu_role=True, scp_role=True
    )
    handlers: list[Any] = [(EVT_C_FIND, find)] if find else []
    handlers += [(EVT_C_GET, get)] if get else []
    server = server_entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield DimseConfig("127.0.0.1", server.server_address[1], "PACS")
    finally:
        server.shutdown()
        server_entity.shutdown()


def an_instance(path: Path) -> tuple[PacsInstance, Dataset]:
    found: Any = pydicom.dcmread(path)
    return PacsInstance(str(found.StudyInstanceUID), "2.25.5", str(found.SOPInstanceUID)), found


def sending(*datasets: Dataset) -> Callable[[Event], Iterator[Any]]:
    def answers(_: Event) -> Iterator[Any]:
        yield len(datasets)
        for dataset in datasets:
            yield 0xFF00, dataset

    return answers


def ending(status: int) -> Callable[[Event], Iterator[Any]]:
    def answers(event: Event) -> Iterator[Any]:
        if event.event is EVT_C_GET:
            yield 1
        yield status, None

    return answers


async def studies(config: DimseConfig, **query: Any) -> list[PacsStudy]:
    async with Dimse(config, sleep=no_wait) as source:
        return [one async for page in source.studies(PacsQuery(modalities=("DX",), **query)) for one in page]


async def test_the_instance_that_was_asked_for_is_written_and_no_other(tmp_path: Path):
    instance, right = an_instance(dicom(tmp_path / "1.dcm", 1))
    _, other = an_instance(dicom(tmp_path / "2.dcm", 2))
    with entity(get=sending(other, right)) as config:
        async with Dimse(config, sleep=no_wait) as source:
            size = await source.fetch(instance, tmp_path / "got")
    got: Any = pydicom.dcmread(tmp_path / "got")
    assert (got.SOPInstanceUID, got.PixelData) == (right.SOPInstanceUID, right.PixelData)
    assert size == (tmp_path / "got").stat().st_size


@pytest.mark.parametrize("names", ["nothing", "another"])
async def test_what_is_not_sent_is_not_there(tmp_path: Path, names: str):
    instance, _ = an_instance(dicom(tmp_path / "1.dcm", 1))
    _, other = an_instance(dicom(tmp_path / "2.dcm", 2))
    with entity(get=sending(*[other] * (names == "another"))) as config:
        async with Dimse(config, sleep=no_wait) as source:
            with pytest.raises(PacsError):
                await source.fetch(instance, tmp_path / "got")
    assert not (tmp_path / "got").exists()


@pytest.mark.parametrize(("status", "error"), [(0x0124, PacsRefused), (0xA701, PacsError), (0xC000, PacsError)])
async def test_a_status_of_failure(tmp_path: Path, status: int, error: type[Exception]):
    instance, _ = an_instance(dicom(tmp_path / "1.dcm", 1))
    with entity(find=ending(status), get=ending(status)) as config:
        async with Dimse(config, sleep=no_wait) as source:
            with pytest.raises(error, match=f"0x{status:04X}"):
                await source.has_study("2.25.1")
            with pytest.raises(error, match=f"0x{status:04X}"):
                await source.fetch(instance, tmp_path / "got")


async def test_a_long_range_of_days_is_asked_week_by_week():
    asked: list[str] = []

    def answers(event: Event) -> Iterator[Any]:
        asked.append(event.identifier.StudyDate)
        study = Dataset()
        study.StudyInstanceUID = f"2.25.{len(asked)}"
        yield 0xFF00, study
        study.StudyInstanceUID = "../../etc"
        yield 0xFF00, study

    with entity(find=answers) as config:
        found = await studies(config, since=dt.date(2024, 1, 1), until=dt.date(2024, 1, 16))
    assert asked == ["20240101-20240107", "20240108-20240114", "20240115-20240116"]
    assert [one.study_instance_uid for one in found] == ["2.25.1", "2.25.2", "2.25.3"]


async def test_identifiers_of_patients_are_not_logged(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)

    def answers(_: Event) -> Iterator[Any]:
        study = Dataset()
        study.StudyInstanceUID, study.PatientID, study.AccessionNumber = "2.25.1", "SECRET-1", "SECRET-2"
        yield 0xFF00, study

    with entity(find=answers) as config:
        (one,) = await studies(config, patient_id="SECRET-1")
    assert one.patient_id == "SECRET-1"
    assert "SECRET" not in caplog.text
    assert "SECRET" not in repr(one)


async def test_an_entity_without_c_get_is_refused():
    with entity(find=sending(), models=(FIND,)) as config, pytest.raises(PacsRefused, match="C-GET"):
        await studies(config)


@contextmanager
def raw_peer(answer: bytes) -> Generator[DimseConfig]:
    """Start a peer that answers a connection with these bytes and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def accept() -> None:
            for _ in range(8):
                try:
                    kept.append(server.accept()[0])
                    kept[-1].sendall(answer)
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield DimseConfig("127.0.0.1", server.getsockname()[1], "PACS")
        server.shutdown(socket.SHUT_RDWR)
        for one in kept:
            one.close()


async def test_a_message_of_4_gigabytes_ends_the_connection():
    with raw_peer(b"\x02\x00\xff\xff\xff\xff") as config, pytest.raises(PacsUnavailable):
        await studies(config)


async def test_a_call_that_is_cancelled_ends_at_once(tmp_path: Path):
    is_asked, may_end = threading.Event(), threading.Event()

    def silent(_: Event) -> Iterator[Any]:
        is_asked.set()
        may_end.wait(30)
        yield 0x0000, None

    with entity(find=silent) as config:
        async with Dimse(config, sleep=no_wait) as source:
            with anyio.fail_after(20):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(source.has_study, "2.25.1")
                    await anyio.to_thread.run_sync(is_asked.wait)
                    tasks.cancel_scope.cancel()
            may_end.set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("Requestor")]
