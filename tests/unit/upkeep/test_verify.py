"""`verify` counts the problems of every row; `repair` removes those it can."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from mcp_cxr.errors import EmbeddingUnavailable
from mcp_cxr.records import Filter, ImageId, Study, StudyId, SubjectId
from mcp_cxr.upkeep import PROBLEMS
from tests.support.archives import DATABASE, contents, ingested, opened, rows
from tests.support.image_files import dicom, mimic
from tests.support.toy import DIMENSION, ToyEmbedder

SET_VECTOR = "UPDATE vectors SET vector = ? WHERE slot = (SELECT slot FROM images WHERE image_id = ?)"


def cell(*numbers: float) -> bytes:
    return np.resize(np.array(numbers, "<f4"), DIMENSION).tobytes()


async def ingest_twelve(data: Path, folder: Path) -> list[Path]:
    """Write twelve files and ingest them."""
    images = [mimic(folder, number) for number in range(12)]
    await ingested(data, folder)
    return images


def damage(data: Path, images: list[Path]) -> None:
    """Give each of the first nine images another problem."""
    (vector,) = rows(data, "SELECT vector FROM vectors v JOIN images USING (slot) WHERE image_id = ?", images[11].stem)[
        0
    ]
    cells = [cell(0), cell(0.25), cell(1, np.nan), cell(1, np.inf), cell(1, 2)[:-4], b"odd", vector]
    for image, cell_ in zip(images, cells, strict=False):
        rows(data, SET_VECTOR, cell_, image.stem)
    os.utime(images[7], ns=(0, 0))
    rows(data, "UPDATE images SET made_by = NULL WHERE image_id = ?", images[8].stem)
    with (
        closing(sqlite3.connect(data / DATABASE)) as connection,
        connection,
    ):  # foreign keys are off, as in other programs
        connection.execute("INSERT INTO vectors (slot, vector) VALUES (9999, zeroblob(128))")


DAMAGE = {
    "zero": 1,
    "constant": 1,
    "not finite": 2,
    "wrong dimension": 2,
    "duplicate vector": 1,
    "orphaned": 1,
    "study without images": 0,
    "file changed": 1,
    "file gone": 0,
    "refused by newer rules": 0,
    "read differently by newer rules": 0,
    "root gone": 0,
    "external": 1,
    "reports read by an older version": 0,
}


async def test_verify_counts_each_kind_of_problem(tmp_path: Path) -> None:
    images = await ingest_twelve(tmp_path / "data", tmp_path / "images")
    damage(tmp_path / "data", images)
    images[8].unlink()  # its row is external, and is not checked further
    async with opened(tmp_path / "data") as archive:
        found = await archive.verify()
    assert found.images == 12
    assert found.problems == DAMAGE
    assert tuple(found.problems) == PROBLEMS


async def test_verify_counts_a_missing_file(tmp_path: Path) -> None:
    image = mimic(tmp_path / "images", 1)
    await ingested(tmp_path / "data", tmp_path / "images")
    image.unlink()  # a test may wait
    async with opened(tmp_path / "data") as archive:
        assert (await archive.verify()).problems["file gone"] == 1


async def test_a_study_whose_images_were_never_written_is_found_and_removed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await ingest_twelve(data, tmp_path / "images")
    before = contents(data)
    async with opened(data) as archive:
        await archive.store.put_studies([Study(StudyId("s1"), SubjectId("p1"), report="MRN 4711", labels={"Edema": 1})])
        assert (await archive.verify()).problems["study without images"] == 1
        found = await archive.repair()
        assert (found.problems["study without images"], found.repaired["study without images"]) == (0, 1)
    assert contents(data) == before
    assert not any(b"MRN 4711" in path.read_bytes() for path in data.iterdir())


async def test_repair_removes_a_missing_root_once_no_image_comes_from_it(tmp_path: Path) -> None:
    data, old, new = tmp_path / "data", tmp_path / "old", tmp_path / "new"
    mimic(old, 1)
    await ingested(data, old)
    old.rename(new)
    async with opened(data) as archive:
        assert (await archive.repair()).problems["root gone"] == 0, "its images may come back with it"
        assert (await archive.store.info()).roots == (str(old),)
        await archive.ingest(new)
        assert (await archive.verify()).problems["root gone"] == 1
        found = await archive.repair()
        assert (found.problems["root gone"], found.repaired["root gone"]) == (0, 1)
        assert (await archive.store.info()).roots == (str(new),)


async def test_repair_removes_a_missing_root_whose_name_is_not_unicode(tmp_path: Path) -> None:
    data, old = tmp_path / "data", tmp_path / os.fsdecode(b"arch\xff")
    image = mimic(tmp_path / "images", 1)
    await ingested(data, tmp_path / "images")
    async with opened(data) as archive:
        await archive.store.create(root=str(old))
        assert (await archive.repair()).repaired["root gone"] == 1
    assert image.exists()


async def test_repair_keeps_a_missing_root_of_external_images(tmp_path: Path) -> None:
    data, images = tmp_path / "data", tmp_path / "images"
    image = mimic(images, 1)
    await ingested(data, images)
    rows(data, "UPDATE images SET made_by = NULL, root = '', image_path = ?", str(image))
    images.rename(tmp_path / "away")
    async with opened(data) as archive:
        assert (await archive.repair()).repaired["root gone"] == 0
        (tmp_path / "away").rename(images)
        assert (await archive.repair()).repaired["external"] == 1


@pytest.mark.parametrize("code", [errno.EACCES, errno.ENOTCONN, errno.ESTALE, errno.EIO])
async def test_repair_keeps_a_root_that_cannot_be_reached(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = tmp_path / "images"
    mimic(images, 1)
    await ingested(tmp_path / "data", images)
    real_stat = Path.stat

    def fail(path: Path, **how: bool) -> os.stat_result:
        if path == tmp_path / "mount":
            raise OSError(code, os.strerror(code), str(path))
        return real_stat(path, **how)

    monkeypatch.setattr(Path, "stat", fail)
    async with opened(tmp_path / "data") as archive:
        await archive.store.create(root=str(tmp_path / "mount"))
        assert (await archive.repair()).repaired["root gone"] == 0
        assert str(tmp_path / "mount") in (await archive.store.info()).roots


async def test_repair_keeps_an_existing_root_without_images(tmp_path: Path) -> None:
    data, images = tmp_path / "data", tmp_path / "images"
    mimic(images, 1)
    await ingested(data, images)
    async with opened(data) as archive:
        await archive.store.create(root=str(tmp_path))
        assert (await archive.repair()).repaired == dict.fromkeys(PROBLEMS, 0)
        assert (await archive.store.info()).roots == (str(images), str(tmp_path))


async def test_repair_restores_the_archive(tmp_path: Path) -> None:
    data = tmp_path / "data"
    images = await ingest_twelve(data, tmp_path / "images")
    was = contents(data)["images"]
    damage(data, images)
    dicom(tmp_path / "images" / "new.dcm", 99)
    async with opened(data) as archive:
        found = await archive.repair()
        assert found.problems == dict.fromkeys(PROBLEMS, 0)
        assert found.repaired == DAMAGE
        assert (await archive.repair()).repaired == dict.fromkeys(PROBLEMS, 0)
    assert contents(data)["images"] == was, "new files were not ingested"


async def test_repair_keeps_and_counts_images_without_a_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    images = await ingest_twelve(data, tmp_path / "images")
    damage(data, images)
    images[0].unlink()  # a test may wait
    images[8].unlink()
    async with opened(data) as archive:
        found = await archive.repair()
        assert {name: count for name, count in found.problems.items() if count} == {
            "zero": 1,
            "file gone": 1,
            "external": 1,
        }
        assert (await archive.overview()).images == 12


async def test_repair_follows_a_file_that_became_another_image(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "images"
    image = dicom(folder / "a.dcm", 1)
    await ingested(data, folder)
    dicom(image, 2)
    async with opened(data) as archive:
        found = await archive.repair()
        assert (found.images, found.repaired["file changed"], any(found.problems.values())) == (1, 1, False)


async def test_repair_keeps_counting_two_equal_images(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "images"
    first = mimic(folder, 1)
    mimic(folder, 2).write_bytes(first.read_bytes())  # a test may wait
    await ingested(data, folder)
    async with opened(data) as archive:
        assert (await archive.repair()).problems["duplicate vector"] == 1


async def test_a_repair_that_failed_without_the_service_can_be_completed_by_an_ingest(tmp_path: Path) -> None:
    data = tmp_path / "data"
    images = await ingest_twelve(data, tmp_path / "images")
    was = contents(data)["images"]
    damage(data, images)
    async with opened(data, ToyEmbedder(down=True)) as archive:
        with pytest.raises(EmbeddingUnavailable):
            await archive.repair()
        assert (await archive.overview()).images == 12
    await ingested(data, tmp_path / "images")  # an ordinary ingest completes the repair
    async with opened(data) as archive:
        assert not any((await archive.verify()).problems.values())
    assert contents(data)["images"] == was


async def test_forget_preview_counts_what_forget_removes(tmp_path: Path) -> None:
    data = tmp_path / "data"
    images = await ingest_twelve(data, tmp_path / "images")
    rows(data, "UPDATE images SET made_by = NULL WHERE image_id = ?", images[8].stem)
    async with opened(data) as archive:
        found = await archive.forget_preview(Filter(image_id=ImageId(images[0].stem)))
        assert (found.images, found.studies, found.external_in_archive) == (1, 1, 1)
        assert await archive.forget(found.where) == 1
        assert (await archive.forget_preview(found.where)).images == 0
