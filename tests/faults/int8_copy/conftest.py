"""A store of 1,500 images, and its int8 copy."""

# ruff: noqa: ASYNC240  # a test may wait for the disk

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_cxr.records import Study, StudyId, SubjectId
from mcp_cxr.stores import EmbeddedStore
from tests.contract.stores.making import FINGERPRINT
from tests.faults.int8_copy.copies import COUNT, put

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


async def fill(folder: Path) -> None:
    async with EmbeddedStore(folder) as opened:
        await opened.create(FINGERPRINT)
        await put(opened, range(COUNT))
        studies = [
            Study(StudyId(f"s{n}"), SubjectId(f"p{n // 10}"), split="train" if n % 5 else "test")
            for n in range(COUNT // 3)
        ]
        await opened.put_studies(studies)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    anyio.run(fill, folder)
    return folder


@pytest.fixture
async def store(filled: Path, tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    for path in filled.iterdir():
        shutil.copy(path, tmp_path)
    async with EmbeddedStore(tmp_path) as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "archive.int8"
