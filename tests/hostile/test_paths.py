"""Nothing outside the roots is read: neither through hostile paths nor through links created at any time."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr import safe_files
from mcp_cxr.archive import AllowedRoots
from mcp_cxr.errors import NotFound, PathRefused, UnreadableFile, UnsupportedImage
from mcp_cxr.images import DisplayOptions, ImageReader
from mcp_cxr.safe_files import create_private_file, open_without_links
from tests.support import companions
from tests.support.archives import ingested, opened, rows
from tests.support.image_files import dicom, mimic, report

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = b"not below the root"
ROUNDS = 300


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a file two folders deep, beside a folder with another file of the same name."""
    for folder, content in (("root/a/b", b"inside"), ("outside/b", SECRET)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "image").write_bytes(content)
    return tmp_path / "root"


def swap_for_link(path: Path, target: Path) -> None:
    path.rename(path.with_name("was"))
    path.symlink_to(target)


@pytest.mark.parametrize("part", ["a", "a/b", "a/b/image"])
def test_a_link_put_on_a_checked_path_is_not_followed(root: Path, part: str):
    path = AllowedRoots((root,)).resolve(root / "a" / "b" / "image")
    below = {"a": "", "a/b": "b", "a/b/image": "b/image"}[part]
    swap_for_link(root / part, root.parent / "outside" / below)
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        open_without_links(path)


@pytest.mark.parametrize("system", ["Linux", "any other"])
def test_a_link_put_there_while_the_file_is_opened_is_not_followed(
    root: Path, monkeypatch: pytest.MonkeyPatch, system: str
):
    """The link is created after the last check of the path and before it is opened: the worst moment."""
    path = root / "a" / "b" / "image"
    look = safe_files._require_file

    def look_and_lose(status: os.stat_result) -> None:
        look(status)
        swap_for_link(path, root.parent / "outside" / "b" / "image")

    monkeypatch.setattr(safe_files, "_require_file", look_and_lose)
    if system != "Linux":
        monkeypatch.setattr(safe_files, "_O_PATH", None)
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        open_without_links(path)


def test_a_folder_swapped_for_a_link_at_any_time_leads_to_no_file_outside(root: Path):
    path, folder, done = root / "a" / "b" / "image", root / "a", threading.Event()

    def swap() -> None:
        while not done.is_set():
            swap_for_link(folder, root.parent / "outside")
            folder.unlink()
            folder.with_name("was").rename(folder)

    swapper = threading.Thread(target=swap)
    swapper.start()
    read: set[bytes] = set()
    try:
        for _ in range(ROUNDS):
            try:
                with open_without_links(path) as file:
                    read.add(file.read())
            except OSError:
                continue
    finally:
        done.set()
        swapper.join()
    assert read <= {b"inside"}


def device(path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root makes devices")
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero: a read of it never ends


def socket_file(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, socket_file, device], ids=["fifo", "folder", "socket", "device"])
async def test_pipes_devices_and_sockets_are_not_read_and_block_nothing(tmp_path: Path, make: Callable[[Path], None]):
    make(tmp_path / "image.dcm")
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        open_without_links(tmp_path / "image.dcm")
    async with ImageReader() as reader:
        with pytest.raises(UnsupportedImage, match="not a regular file"):
            await reader.read_header(tmp_path / "image.dcm")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change to another user")
def test_a_folder_that_may_be_entered_but_not_listed_is_entered(root: Path):
    (root / "a").chmod(0o711)
    child = os.fork()
    if child == 0:
        for folder in (root, *root.parents):
            folder.chmod(0o711)  # pytest's folders are closed to other users
        os.setuid(65534)
        try:
            os._exit(0 if open_without_links(root / "a" / "b" / "image").read() == b"inside" else 1)
        except OSError:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize(
    "asked",
    [
        "../outside/b/image",
        "a/../../outside/b/image",
        "/etc/passwd",
        "/etc/no-such-file",
        "//etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
        "~/.ssh/id_rsa",
        "../ROOT/a/b/image",
        "../Root",
        "../root/../outside",
        "../root2",
        "../root\u200b/a",
        "\u2024\u2024/outside",
        "a/b/image/../../../../outside/b/image",
    ],
)
def test_paths_outside_the_roots_are_refused_alike_whether_they_exist_or_not(root: Path, asked: str):
    """Case and look-alike characters give another name; on systems that fold them, the resolved name differs."""
    (root.parent / "root2").mkdir()
    with pytest.raises(PathRefused) as refused:
        AllowedRoots((root,)).resolve(root / asked if not asked.startswith("~") else asked)
    there = "does not exist" if asked.startswith("\u2024") else "is outside the roots of this archive"
    assert there in str(refused.value)


def test_what_cannot_be_resolved_outside_the_roots_is_refused_as_anything_else_there(root: Path):
    """Users of the machine, loops of links, and what lies in folders that may not be entered."""
    loop = root.parent / "loop"
    loop.symlink_to(loop)
    told = set[str]()
    for asked in ("~nobodyhere/x", "~root/x", str(loop / "x"), "/etc/x", "/root/x"):
        with pytest.raises(PathRefused) as refused:
            AllowedRoots((root,)).resolve(asked)
        told.add(str(refused.value).replace(asked, "x"))
    assert len(told) == 1


@pytest.mark.parametrize("asked", ["a\0b", "x" * 5000, "~nobodyhere/x", "a/" * 3000, "\udcff"])
def test_invalid_paths_are_refused_in_one_short_line(root: Path, asked: str):
    with pytest.raises(PathRefused) as refused:
        AllowedRoots((root,)).resolve(asked)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("image_path", "../outside/b/image"),
        ("image_path", "/etc/passwd"),
        ("root", "/"),
        ("root", "/etc"),
        ("root", ""),
    ],
)
async def test_a_path_tampered_with_in_the_store_is_not_followed(root: Path, tmp_path: Path, column: str, value: str):
    dicom(root / "image.dcm", 1)
    await ingested(tmp_path / "data", root)
    rows(tmp_path / "data", f"UPDATE images SET {column} = ?", value)  # noqa: S608 - of the list above
    async with opened(tmp_path / "data") as archive:
        image_id = rows(tmp_path / "data", "SELECT image_id FROM images")[0][0]
        with pytest.raises((PathRefused, NotFound)):
            await archive.view(image_id, DisplayOptions())


async def test_an_image_swapped_for_a_link_after_it_was_checked_is_not_read(root: Path):
    image = dicom(root / "image.dcm", 1)
    dicom(root.parent / "outside" / "image.dcm", 2)
    swap_for_link(image, root.parent / "outside" / "image.dcm")
    async with ImageReader() as reader:
        for read in (reader.read_header(image), reader.render_view(image, DisplayOptions())):
            with pytest.raises(UnreadableFile):
                await read


@pytest.mark.parametrize("swapped", ["report", "subject"])
async def test_a_report_behind_a_link_is_not_read(tmp_path: Path, swapped: str):
    images, data = tmp_path / "images", tmp_path / "data"
    reports = tmp_path / "reports" / "files" / "p10" / "p10000001"
    text = report(mimic(images, 1), "IMPRESSION: Not of this archive.")
    reports.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    text.rename(tmp_path / "elsewhere" / text.name)
    if swapped == "report":
        (reports / text.name).symlink_to(tmp_path / "elsewhere" / text.name)
    else:
        reports.rmdir()
        reports.symlink_to(tmp_path / "elsewhere")
    await ingested(data, images, companions=(tmp_path / "reports",))
    assert rows(data, "SELECT report FROM studies") == [(None,)]


async def test_a_companion_file_that_is_a_link_is_reported(tmp_path: Path):
    mimic(tmp_path / "images", 1)
    table = companions.split(tmp_path / "elsewhere")
    (tmp_path / "images" / table.name).symlink_to(table)
    summary = await ingested(tmp_path / "data", tmp_path / "images")
    assert f"{table.name} is a symbolic link; give the folder of the file itself" in summary.notes[0]


def test_a_secret_file_is_created_atomically_and_never_replaced(tmp_path: Path):
    place = tmp_path / "new" / "secret"
    create_private_file(place, b"first")
    create_private_file(place, b"second")
    assert place.read_bytes() == b"first"
    assert (stat.S_IMODE(place.stat().st_mode), stat.S_IMODE(place.parent.stat().st_mode)) == (0o600, 0o700)
    assert [file.name for file in place.parent.iterdir()] == ["secret"]


def test_a_secret_is_not_written_through_a_link(tmp_path: Path):
    (tmp_path / "secret").symlink_to(tmp_path / "elsewhere")
    create_private_file(tmp_path / "secret", b"first")
    assert not (tmp_path / "elsewhere").exists()


def test_descriptors_are_closed_on_every_path(root: Path):
    def held() -> list[Any]:
        return sorted(Path("/proc/self/fd").iterdir())

    before = len(held())
    (root / "link").symlink_to(root / "a")
    for path in ("a/b/image", "a/b/none", "none/image", "a/b", "link/b/image", "a/b/image/x"):
        try:
            open_without_links(root / path).close()
        except OSError:
            continue
    assert len(held()) == before
