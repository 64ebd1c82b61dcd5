"""Small archives shared by several test packages."""

from __future__ import annotations

import functools
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import numpy as np

from mcp_cxr.archive import open_archive
from mcp_cxr.demo import to_dicom
from mcp_cxr.settings import Settings
from tests.support.archives import drawn_demo, open_memory_archive

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from mcp_cxr.archive import Archive
    from mcp_cxr.demo import DemoDataSet
    from tests.support.archives import StoreName

SIDE = 48


@dataclass(frozen=True, slots=True)
class Ingested:
    """The demo's first studies, drawn and ingested; must not be changed."""

    drawn: DemoDataSet
    data_dir: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment to serve it, with everything shared."""
        return environment(self.data_dir, share="reports,images")

    @property
    def settings(self) -> Settings:
        return settings(self.environment)

    def copied_to(self, data_dir: Path) -> Ingested:
        """Return a copy that may be changed; the image files are not copied."""
        shutil.copytree(self.data_dir, data_dir)
        return Ingested(self.drawn, data_dir)


@functools.cache
def ingested(folder: Path, *, store: StoreName = "embedded") -> Ingested:
    """Return the demo archive, drawn and ingested once per test run.

    Args:
        store: "memory": to be opened with `open_memory_archive` in this process.
    """
    made = Ingested(drawn_demo(folder / "images"), folder / "archive")
    anyio.run(_ingest, made, open_memory_archive if store == "memory" else open_archive)
    return made


async def _ingest(made: Ingested, opener: Callable[[Settings], AbstractAsyncContextManager[Archive]]) -> None:
    async with opener(made.settings) as archive:
        await archive.ingest(made.drawn.folder)


def environment(data_dir: Path, *, roots: Path | None = None, share: str = "") -> dict[str, str]:
    """Return the variables of an archive with the offline embedder."""
    variables = {"MCP_CXR_DATA_DIR": str(data_dir), "MCP_CXR_EMBEDDER": "offline", "MCP_CXR_SHARE": share}
    return {**variables, "MCP_CXR_ROOTS": str(roots)} if roots else variables


def settings(variables: dict[str, str]) -> Settings:
    return Settings.model_validate(variables)


def write_small_images(folder: Path, count: int) -> list[str]:
    """Write tiny DICOM images in MIMIC's layout, each of its own patient; return their image ids in path order."""
    image_ids: list[str] = []
    for number in range(count):
        image_id = "-".join(f"{part:08x}" for part in (number, 1, 2, 3, 4))
        place = folder / "files" / "p10" / f"p{10_000_000 + number}" / f"s{50_000_000 + number}"
        place.mkdir(parents=True)
        (place / f"{image_id}.dcm").write_bytes(small_dicom(number))
        image_ids.append(image_id)
    return image_ids


@functools.cache
def small_dicom(number: int) -> bytes:
    """Return a tiny DICOM file, a different one for each number."""
    coarse = np.random.default_rng(number).integers(0, 4096, (SIDE // 8, SIDE // 8)).astype(np.uint16)
    pixels = np.kron(coarse, np.ones((8, 8), np.uint16))
    return to_dicom(pixels, ViewPosition="PA", PatientID=str(number), SOPInstanceUID=f"2.25.{number + 1}")
