"""The walk over a folder: what is passed over, what is not opened again, and how it is ended."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from mcp_cxr.ingest import NonImageCache, _non_image_cache, _walk
from mcp_cxr.ingest._walk import candidates
from tests.support.archives import counts, ingested
from tests.support.image_files import dicom

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from unittest.mock import Mock

FILES = 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    for number in range(FILES):
        (folder / f"{number % 3}").mkdir(parents=True, exist_ok=True)
        (folder / f"{number % 3}" / f"{number:02}").write_bytes(b"no image")
    (folder / "2" / "last.dcm").write_bytes(b"")
    return folder


@pytest.fixture
def opened() -> Iterator[Mock]:
    with patch.object(_walk, "is_image_candidate", wraps=_walk.is_image_candidate) as opened:
        yield opened


def names(folder: Path, non_image_cache: NonImageCache | None = None) -> list[str]:
    return [file.path.name for file in candidates(folder, non_image_cache)]


def test_a_walk_ends_when_asked_although_it_met_no_candidate(folder: Path, opened: Mock) -> None:
    assert list(candidates(folder, should_stop=lambda: opened.call_count == 5)) == []
    assert opened.call_count == 5


def test_a_file_that_is_no_image_is_opened_once(folder: Path, tmp_path: Path, opened: Mock) -> None:
    with patch.object(_non_image_cache, "_WORTH_SAVING", 1):
        first = NonImageCache(tmp_path / "cache")
        assert names(folder, first) == names(folder, first) == ["last.dcm"]
        assert opened.call_count == FILES
        first.save()
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o600
    assert names(folder, NonImageCache(tmp_path / "cache")) == ["last.dcm"]
    assert opened.call_count == FILES


def test_a_file_that_changes_is_opened_again(folder: Path, opened: Mock) -> None:
    remembered = NonImageCache()
    names(folder, remembered)
    (folder / "0" / "00").write_bytes(b"\x89PNG\r\n\x1a\n")
    os.utime(folder / "0" / "03", ns=(1, 1))
    assert names(folder, remembered) == ["00", "last.dcm"]
    assert opened.call_count == FILES + 2


@pytest.mark.parametrize("content", [b"", b"another file", b"mcp-cxr files that are no images, 1\nodd"])
def test_a_cache_that_is_damaged_is_as_good_as_none(folder: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cache").write_bytes(content)
    assert names(folder, NonImageCache(tmp_path / "cache")) == ["last.dcm"]


def test_few_files_are_not_worth_a_cache(folder: Path, tmp_path: Path) -> None:
    remembered = NonImageCache(tmp_path / "data" / "cache")
    names(folder, remembered)
    remembered.save()
    assert not (tmp_path / "data").exists()


async def test_a_file_with_two_hard_links_is_found_once(data: Path, image_dir: Path) -> None:
    (image_dir / "b.dcm").hardlink_to(dicom(image_dir / "a.dcm", 1))
    assert counts(await ingested(data, image_dir)) == {"found": 1, "added": 1, "total_in_store": 1}


async def test_links_fifos_and_hidden_names_are_skipped(data: Path, image_dir: Path, tmp_path: Path) -> None:
    dicom(image_dir / "a.dcm", 1)
    elsewhere = dicom(tmp_path / "elsewhere" / "b.dcm", 2)
    (image_dir / "b.dcm").symlink_to(elsewhere)
    (image_dir / "folder").symlink_to(elsewhere.parent)
    (image_dir / "loop").symlink_to(image_dir)
    os.mkfifo(image_dir / "c.dcm")
    dicom(image_dir / ".snapshot" / "d.dcm", 4)
    dicom(image_dir / ".e.dcm", 5)
    assert counts(await ingested(data, image_dir)) == {"found": 1, "added": 1, "total_in_store": 1}


async def test_a_file_name_that_is_not_unicode_is_accepted(data: Path, image_dir: Path) -> None:
    dicom(image_dir / os.fsdecode(b"r\xf6ntgen.dcm"), 1)
    assert (await ingested(data, image_dir)).added == 1
    assert (await ingested(data, image_dir)).skipped == 1


async def test_a_folder_that_cannot_be_listed_is_an_error_and_is_tried_again(
    data: Path, image_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dicom(image_dir / "a.dcm", 1)
    closed = dicom(image_dir / "closed" / "b.dcm", 2).parent
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if path == str(closed):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", refuse)
        assert counts(await ingested(data, image_dir)) == {"found": 2, "added": 1, "errors": 1, "total_in_store": 1}
    assert counts(await ingested(data, image_dir)) == {"found": 2, "added": 1, "skipped": 1, "total_in_store": 2}
