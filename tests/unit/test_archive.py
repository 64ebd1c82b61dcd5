"""The archive as notebooks use it: opening, roots, showing and viewing images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mcp_cxr import open_archive
from mcp_cxr.archive import AllowedRoots
from mcp_cxr.embeddings import OfflineEmbedder
from mcp_cxr.embeddings.nvclip import NvclipEmbedder
from mcp_cxr.errors import ConfigError, NotFound, PathRefused
from mcp_cxr.images import DisplayOptions
from tests.support.archives import ingested, ingested_in_memory, is_made, opened, opened_in_memory, rows
from tests.support.image_files import dicom, mimic, report

if TYPE_CHECKING:
    from mcp_cxr.demo import DemoDataSet

pytest_plugins = ["tests.support.fixtures"]

FIRST, SECOND = ("-".join([f"{number:08x}"] * 5) for number in (1, 2))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two images of one study with a report, and one image of another study."""
    for number, study in ((1, 1), (2, 1), (3, 3)):
        report(mimic(tmp_path / "images", number, study=study, subject=1), "FINDINGS: Clear.\n\nIMPRESSION: No edema.")
    return tmp_path / "images"


@pytest.mark.parametrize(("named", "kind"), [("nvclip", NvclipEmbedder), ("offline", OfflineEmbedder)])
async def test_the_configured_embedder_is_used(monkeypatch: pytest.MonkeyPatch, named: str, kind: type[object]) -> None:
    monkeypatch.setenv("MCP_CXR_EMBEDDER", named)
    async with open_archive() as archive:
        assert isinstance(archive.embedder, kind)


async def test_a_remote_service_is_refused_unless_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVCLIP_BASE_URL", "https://clip.example.org/v1")
    with pytest.raises(ConfigError, match=r"MCP_CXR_ALLOW_REMOTE=clip\.example\.org:443"):
        async with open_archive():
            pass
    monkeypatch.setenv("MCP_CXR_ALLOW_REMOTE", "clip.example.org:443")
    async with open_archive() as archive:
        assert archive.embedder.name == "nvidia/nvclip-vit-h-14"


async def test_opening_creates_nothing_and_calls_no_service(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_CXR_DATA_DIR", str(data))
    monkeypatch.setenv("NVCLIP_BASE_URL", "http://localhost:1/v1")
    async with open_archive() as archive:
        assert (await archive.overview()).images == 0
        assert (await archive.allowed_roots()).roots == ()
    assert not is_made(data)


async def test_an_image_is_shown_with_its_report_by_section_and_its_siblings(data: Path, images: Path) -> None:
    await ingested_in_memory(data, images)
    async with opened_in_memory(data) as archive:
        shown = await archive.show(f" {FIRST} ")
    assert (shown.image_id, shown.study_id, shown.subject_id) == (FIRST, "s50000001", "p10000001")
    assert shown.report == {"FINDINGS": "Clear.", "IMPRESSION": "No edema."}
    assert shown.other_images == [SECOND]
    assert (shown.tags["Rows"], shown.grayscale["modality"], shown.external) == (48, "identity", False)


async def test_an_unknown_image_is_neither_shown_nor_viewed(data: Path, images: Path) -> None:
    await ingested_in_memory(data, images)
    async with opened_in_memory(data) as archive:
        for ask in (archive.show, archive.view):
            with pytest.raises(NotFound, match="The archive has no image nothing"):
                await ask("nothing")


async def test_the_overview_counts_what_was_ingested(toy_data: Path, demo: DemoDataSet) -> None:
    async with opened_in_memory(toy_data) as archive:
        overview = await archive.overview()
    images = demo.images
    assert (overview.images, overview.external) == (len(images), 0)
    assert overview.studies == len({image.study_id for image in images}) == 12
    assert overview.subjects == len({image.subject_id for image in images})
    assert sum(overview.by_view.values()) == len(images)
    assert overview.embedder["fingerprint"]["model"] == overview.embedder["configured"] == "toy-32"


async def test_ingested_images_can_be_viewed_and_their_folder_is_a_root(data: Path, images: Path) -> None:
    await ingested_in_memory(data, images)
    async with opened_in_memory(data) as archive:
        assert (await archive.allowed_roots()).roots == (images,)
        view = await archive.view(FIRST, DisplayOptions(max_px=20))
    assert view.header.rows == 48


async def test_an_image_outside_the_roots_is_not_viewed_and_its_path_is_not_shown(
    data: Path, images: Path, tmp_path: Path
) -> None:
    await ingested_in_memory(data, images)
    elsewhere = dicom(tmp_path / "elsewhere" / "a.dcm", 9)
    become_link(next(images.rglob(f"{FIRST}.dcm")), elsewhere)  # noqa: ASYNC240  # a test may wait
    async with opened_in_memory(data) as archive:
        with pytest.raises(PathRefused, match="was not found below the roots") as refused:
            await archive.view(FIRST)
    assert str(tmp_path) not in str(refused.value)


async def test_a_folder_that_is_no_longer_a_root_is_not_read(data: Path, images: Path) -> None:
    await ingested(data, images)
    rows(data, "DELETE FROM roots")
    async with opened(data) as archive:
        with pytest.raises(PathRefused):
            await archive.view(FIRST)
    async with opened(data, MCP_CXR_ROOTS=str(images)) as archive:
        await archive.view(FIRST)


def become_link(path: Path, target: Path) -> None:
    path.unlink()
    path.symlink_to(target)


class TestAllowed:
    def test_a_path_below_a_root_is_resolved(self, tmp_path: Path) -> None:
        image = dicom(tmp_path / "images" / "a.dcm", 1)
        (tmp_path / "link").symlink_to(image)
        assert AllowedRoots((tmp_path,)).resolve(tmp_path / "link") == image
        assert AllowedRoots((tmp_path,)).resolve(str(tmp_path / "images" / ".." / "images")) == image.parent

    @pytest.mark.parametrize("asked", ["images/../../secret", "link", "/", "images/../../root2"])
    def test_a_path_outside_the_roots_is_refused(self, tmp_path: Path, asked: str) -> None:
        root = tmp_path / "root"
        for folder in (root / "images", tmp_path / "secret", tmp_path / "root2"):
            folder.mkdir(parents=True)
        (root / "link").symlink_to(tmp_path / "secret")
        with pytest.raises(PathRefused, match="is outside the roots of this archive"):
            AllowedRoots((root,)).resolve(root / asked)

    def test_a_missing_path_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        for name in ("nowhere", "loop"):
            with pytest.raises(PathRefused, match="does not exist"):
                AllowedRoots((tmp_path,)).resolve(tmp_path / name)

    def test_without_roots_nothing_is_read(self, tmp_path: Path) -> None:
        with pytest.raises(PathRefused):
            AllowedRoots(()).resolve(tmp_path)

    def test_a_tilde_is_the_home_folder_of_the_user(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "images").mkdir()
        assert AllowedRoots((tmp_path,)).resolve("~/images") == Path(tmp_path / "images")
