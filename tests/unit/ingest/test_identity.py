"""Ids outside MIMIC's layout and the key that hashes them.

Imports a private module: a lost race for the key cannot be timed, and a store keeps its check value unseen.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.errors import ConfigError
from mcp_cxr.ingest import IdKey, _ids
from tests.support.archives import contents, ingested, opened, rows
from tests.support.image_files import dicom, mimic, plain

if TYPE_CHECKING:
    from pathlib import Path


def ids(data: Path) -> set[tuple[str, ...]]:
    return {row[:3] for row in contents(data)["images"]}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def remove(path: Path) -> None:
    path.unlink()


def write_key(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


async def test_mimic_ids_are_kept_and_need_no_key(data: Path, image_dir: Path) -> None:
    mimic(image_dir, 1, study=2, subject=3)
    await ingested(data, image_dir)
    assert ids(data) == {("00000001-00000001-00000001-00000001-00000001", "s50000002", "p10000003")}
    assert not IdKey(data / "id.key", may_create=False).exists()


async def test_hashed_ids_keep_images_of_a_study_and_patient_together(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "a.dcm", 1, StudyInstanceUID="2.25.7", PatientID="A")
    dicom(image_dir / "b.dcm", 2, StudyInstanceUID="2.25.7", PatientID="A")
    dicom(image_dir / "c.dcm", 3, StudyInstanceUID="2.25.8", PatientID="A")
    await ingested(data, image_dir)
    found = ids(data)
    assert [len({row[column] for row in found}) for column in range(3)] == [3, 2, 1]
    assert {(len(image), study[0], subject[0]) for image, study, subject in found} == {(24, "s", "p")}


async def test_key_and_archive_are_readable_by_their_owner_only(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "a.dcm", 1)
    await ingested(data, image_dir)
    assert mode_of(data / "id.key") == 0o600
    assert mode_of(data / "archive.sqlite3") == 0o600
    assert mode_of(data) == 0o700


async def test_ids_depend_on_the_key(data: Path, image_dir: Path, tmp_path: Path) -> None:
    dicom(image_dir / "a.dcm", 1)
    plain(image_dir / "b.png", 2)
    made: list[set[tuple[str, ...]]] = []
    for number, key in enumerate([b"k" * 32, b"k" * 32, b"K" * 32]):
        folder = tmp_path / str(number)
        write_key(folder / "id.key", key)
        await ingested(folder, image_dir)
        made.append(ids(folder))
    assert made[0] == made[1]
    assert not {one for row in made[0] for one in row} & {one for row in made[2] for one in row}


async def test_a_png_is_identified_by_its_content(data: Path, image_dir: Path) -> None:
    plain(image_dir / "a.png", 1)
    plain(image_dir / "b.png", 2)
    await ingested(data, image_dir)
    assert [len({row[column] for row in ids(data)}) for column in range(3)] == [2, 2, 2]


async def test_an_image_without_patient_id_gets_its_own_patient(data: Path, image_dir: Path) -> None:
    for number in (1, 2):
        dicom(image_dir / f"{number}.dcm", number, PatientID=None)
    await ingested(data, image_dir)
    assert len({subject for _, _, subject in ids(data)}) == 2


async def test_keep_uses_the_header_s_ids(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "a.dcm", 1)
    async with opened(data, MCP_CXR_IDS="keep") as archive:
        await archive.ingest(image_dir)
    assert ids(data) == {("2.25.1", "2.25.91", "MRN-1")}


@pytest.mark.parametrize("first", ["Roe^Jane", "MRN-1"])
async def test_a_lost_or_different_key_is_refused_where_ids_are_kept_too(
    data: Path, image_dir: Path, tmp_path: Path, first: str
) -> None:
    dicom(image_dir / "a.dcm", 1, PatientID=first)
    async with opened(data, MCP_CXR_IDS="keep") as archive:
        await archive.ingest(image_dir)
    dicom(image_dir / "b.dcm", 2, PatientID="MRN-2")
    key = (data / "id.key").read_bytes()
    remove(data / "id.key")
    async with opened(data, MCP_CXR_IDS="keep") as archive:
        assert (await archive.ingest(image_dir)).added == 1, "a plain id needs no key"
        dicom(image_dir / "c.dcm", 3, PatientID="Roe^Jane")
        failed = [check for check in await archive.doctor() if check.name == "id key"]
        assert [check.ok for check in failed] == [False]
        with pytest.raises(ConfigError, match="missing; restore it from a backup"):
            await archive.ingest(image_dir)
    assert not (data / "id.key").exists()
    other = write_key(tmp_path / "other.key", b"o" * 32)
    async with opened(data, MCP_CXR_IDS="keep", MCP_CXR_ID_KEY_FILE=str(other)) as archive:
        with pytest.raises(ConfigError, match="not the key that hashed this archive's ids"):
            await archive.ingest(image_dir)
    write_key(data / "id.key", key)
    async with opened(data, MCP_CXR_IDS="keep") as archive:
        assert (await archive.ingest(image_dir)).added == 1


async def test_a_dry_run_creates_no_key_where_ids_are_kept(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "a.dcm", 1, PatientID="Roe^Jane")
    async with opened(data, MCP_CXR_IDS="keep") as archive:
        assert (await archive.ingest(image_dir, dry_run=True)).would_add == 1
    assert not (data / "id.key").exists()


@pytest.mark.parametrize(
    "patient", ["Roe^Jane", "../../evil", "Roe Jane", "=cmd", "a/b", "-1", "Müller", "r\u200boe", "a,b"]
)
async def test_keep_hashes_what_is_no_uid_or_plain_token(data: Path, image_dir: Path, patient: str) -> None:
    for number in (1, 2):
        dicom(image_dir / f"{number}.dcm", number, PatientID=patient, SpecificCharacterSet="ISO_IR 192")
    async with opened(data, MCP_CXR_IDS="keep") as archive:
        await archive.ingest(image_dir)
    ((subject,),) = {(subject,) for _, _, subject in ids(data)}
    assert re.fullmatch(r"[0-9a-f]{24}", subject)
    assert {image for image, _, _ in ids(data)} == {"2.25.1", "2.25.2"}


async def test_a_different_key_is_refused(data: Path, image_dir: Path, tmp_path: Path) -> None:
    dicom(image_dir / "a.dcm", 1)
    await ingested(data, image_dir)
    before = contents(data)
    dicom(image_dir / "b.dcm", 2)
    other = write_key(tmp_path / "other.key", b"o" * 32)
    async with opened(data, MCP_CXR_ID_KEY_FILE=str(other)) as archive:
        with pytest.raises(ConfigError, match="not the key that hashed this archive's ids"):
            await archive.ingest(image_dir)
    assert contents(data) == before


@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_missing_key_is_never_created_again(data: Path, image_dir: Path, dry_run: bool) -> None:
    dicom(image_dir / "a.dcm", 1)
    await ingested(data, image_dir)
    remove(data / "id.key")
    dicom(image_dir / "b.dcm", 2)
    with pytest.raises(ConfigError, match="missing; restore it from a backup"):
        await ingested(data, image_dir, dry_run=dry_run)
    assert not IdKey(data / "id.key", may_create=False).exists()


async def test_stored_images_need_no_key(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "a.dcm", 1)
    await ingested(data, image_dir)
    remove(data / "id.key")
    assert (await ingested(data, image_dir)).skipped == 1


async def test_a_key_file_of_the_wrong_size_is_refused(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "a.dcm", 1)
    write_key(data / "id.key", b"short")
    with pytest.raises(ConfigError, match="which has 32 bytes"):
        await ingested(data, image_dir)
    assert contents(data)["files"] == []


async def test_a_key_that_cannot_be_created_counts_as_no_file_s_error(
    data: Path, image_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dicom(image_dir / "a.dcm", 1)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(ConfigError, match=r"Cannot create the id key .*MCP_CXR_ID_KEY_FILE"):
        await ingested(data, image_dir)
    assert rows(data, "SELECT count(*) FROM files") == [(0,)]
    assert not IdKey(data / "id.key", may_create=False).exists()


async def test_a_key_that_cannot_be_read_counts_as_no_file_s_error(data: Path, image_dir: Path, tmp_path: Path) -> None:
    dicom(image_dir / "a.dcm", 1)
    no_folder = write_key(tmp_path / "a file", b"")
    async with opened(data, MCP_CXR_ID_KEY_FILE=str(no_folder / "id.key")) as archive:
        with pytest.raises(ConfigError, match="Cannot read the id key"):
            await archive.ingest(image_dir)
    assert rows(data, "SELECT count(*) FROM files") == [(0,)]


def test_of_two_processes_creating_the_key_the_first_one_wins(tmp_path: Path) -> None:
    place = tmp_path / "id.key"
    first = IdKey(place, may_create=True).read(key_check=None)
    assert _ids.create_key(place) == first
    assert [path.name for path in tmp_path.iterdir()] == ["id.key"]


def test_the_check_value_recognizes_the_key_and_does_not_reveal_it(tmp_path: Path) -> None:
    key = IdKey(write_key(tmp_path / "id.key", b"k" * 32), may_create=False)
    secret = key.read(key_check=None)
    check = _ids.check_value(secret)
    assert secret.hex() not in check
    assert IdKey(tmp_path / "id.key", may_create=False).read(key_check=check) == secret
