"""The label tables of public data sets, as they lie in torchxrayvision's wheel, which pip downloads."""

from __future__ import annotations

import subprocess
import sys
import time
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.layouts import read_layouts

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.layouts import Layouts

pytestmark = pytest.mark.layouts

WHEEL = "torchxrayvision==1.5.7"
FOLDER = "torchxrayvision/data/"
ROWS_PER_SECOND = 50_000
IMAGES = {  # images, studies, patients; None: the data set does not say
    "nih": ("images", 112_120, 112_120, 30_805),
    "chexpert": ("labels", 223_414, 187_641, 64_540),
    "padchest": ("images", 160_861, 109_931, 67_625),
    "vindr": ("boxes", 15_000, None, None),
    "open-i": ("documents", 7_470, 3_851, None),
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the tables; a download that fails is a failure."""
    folder = tmp_path_factory.mktemp("wheel")
    command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), WHEEL)
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(FOLDER)])
    return folder / FOLDER


@pytest.fixture(scope="module")
def layouts(tables: Path) -> Layouts:
    start = time.process_time()
    with read_layouts((tables,)) as found:
        seconds = time.process_time() - start
    rows = sum(use.rows for use in found.table_uses())
    print(f"\n{rows:,} rows in {seconds:.1f} CPU s: {rows / seconds:,.0f} rows a second")  # noqa: T201 # a measure
    for use in found.table_uses():
        print(f"  {use.file}: {use.rows:,} rows")  # noqa: T201
    assert rows / seconds >= ROWS_PER_SECOND
    return found


def path_of(layout: str, key: str) -> str:
    """Return a path that the data set gives the image of a key."""
    return f"/data/train/{key}.jpg" if layout == "chexpert" else f"/data/{key}.png"


def keys_of(layouts: Layouts, layout: str, kind: str) -> list[str]:
    """Return the keys in all tables of a kind."""
    of_layout = [adapter for adapter in layouts._adapters if adapter.name == layout]
    return [key for adapter in of_layout for by_key in adapter.loaded.get(kind, ()) for key in by_key.keys()]  # noqa: SIM118 # no dictionary


@pytest.mark.parametrize("layout", IMAGES)
def test_images_studies_and_patients_are_as_many_as_published(layouts: Layouts, layout: str) -> None:
    kind, images, studies, patients = IMAGES[layout]
    facts: list[Any] = [layouts.facts_of(path_of(layout, key)) for key in keys_of(layouts, layout, kind)]
    found = (len({one.image for one in facts}), *(len({*map(name, facts)} - {None}) for name in (_study, _subject)))
    print(f"\n{layout}: {found}")  # noqa: T201
    assert found == (images, studies or 0, patients or 0)
    assert not any(one.image is None for one in facts)


def _study(one: Any) -> str | None:
    return one.study


def _subject(one: Any) -> str | None:
    return one.subject
