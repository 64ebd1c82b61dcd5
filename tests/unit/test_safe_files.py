"""Files and folders that only their owner may read."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.safe_files import create_private_file, create_private_folder

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")


def modes(folder: Path) -> list[int]:
    return [path.stat().st_mode & 0o777 for path in sorted(folder.rglob("*"))]


def test_missing_folders_above_a_private_one_are_private_too(tmp_path: Path):
    create_private_folder(tmp_path / "data" / "pacs")
    create_private_file(tmp_path / "data" / "keys" / "of" / "id.key", b"x")
    assert modes(tmp_path) == [0o700, 0o700, 0o700, 0o600, 0o700]


def test_a_file_where_the_folder_should_be_is_an_error(tmp_path: Path):
    (tmp_path / "data").touch()
    with pytest.raises(FileExistsError):
        create_private_folder(tmp_path / "data")
    with pytest.raises(NotADirectoryError):
        create_private_folder(tmp_path / "data" / "pacs")
