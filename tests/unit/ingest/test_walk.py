"""The walk over a folder: it can be ended, and does not open again what is no image."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from mcp_cxr.ingest import NotImages, _not_images, _walk
from mcp_cxr.ingest._walk import candidates

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


def names(folder: Path, not_images: NotImages | None = None) -> list[str]:
    return [file.path.name for file in candidates(folder, not_images)]


def test_a_walk_ends_when_asked_although_it_met_no_candidate(folder: Path, opened: Mock) -> None:
    assert list(candidates(folder, should_stop=lambda: opened.call_count == 5)) == []
    assert opened.call_count == 5


def test_a_file_that_is_no_image_is_opened_once(folder: Path, tmp_path: Path, opened: Mock) -> None:
    with patch.object(_not_images, "_WORTH_SAVING", 1):
        first = NotImages(tmp_path / "cache")
        assert names(folder, first) == names(folder, first) == ["last.dcm"]
        assert opened.call_count == FILES
        first.save()
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o600
    assert names(folder, NotImages(tmp_path / "cache")) == ["last.dcm"]
    assert opened.call_count == FILES


def test_a_file_that_changes_is_opened_again(folder: Path, opened: Mock) -> None:
    remembered = NotImages()
    names(folder, remembered)
    (folder / "0" / "00").write_bytes(b"\x89PNG\r\n\x1a\n")
    os.utime(folder / "0" / "03", ns=(1, 1))
    assert names(folder, remembered) == ["00", "last.dcm"]
    assert opened.call_count == FILES + 2


@pytest.mark.parametrize("content", [b"", b"another file", b"mcp-cxr files that are no images, 1\nodd"])
def test_a_cache_that_is_damaged_is_as_good_as_none(folder: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cache").write_bytes(content)
    assert names(folder, NotImages(tmp_path / "cache")) == ["last.dcm"]


def test_few_files_are_not_worth_a_cache(folder: Path, tmp_path: Path) -> None:
    remembered = NotImages(tmp_path / "data" / "cache")
    names(folder, remembered)
    remembered.save()
    assert not (tmp_path / "data").exists()
