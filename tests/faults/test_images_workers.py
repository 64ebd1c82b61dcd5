"""A decoder that crashes, hangs, eats memory or prints costs the one file it was at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom.uid import RLELossless

from mcp_cxr.errors import CorruptImage, ImageError, UnreadableFile, UnsupportedImage
from mcp_cxr.images import DisplayOptions, ImageReader, read_image
from mcp_cxr.records import ImageSpec
from tests.unit.images.making import dicom_image, phantom, saved

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

SPEC = ImageSpec(64, "L", jpeg_quality=90)
FAULTY = """
import ctypes, os, signal, sys, time
from mcp_cxr.images.workers import _process_main as _worker

good = _worker.run_message

def faulty(message):
    if "bad" in message["path"]:
        {fault}
    return good(message)

_worker.run_message = faulty
_worker.main()
"""


def faulty(fault: str) -> tuple[str, ...]:
    """The command of a worker whose decoder has this fault for every file called bad."""
    return (sys.executable, "-P", "-c", FAULTY.format(fault=fault))


def children() -> set[int]:
    """Workers of this process, zombies included; other tests' services may run beside them."""
    found: set[int] = set()
    for thread in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread or a process that has just ended
            for child in (thread / "children").read_text().split():
                command = Path(f"/proc/{child}/cmdline").read_bytes()  # a zombie has none
                if not command or b"_process_main" in command:
                    found.add(int(child))
    return found


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    before = children()
    yield
    assert children() == before


@pytest.fixture
def good(tmp_path: Path) -> Path:
    facts = dicom_image(phantom(300, 280))
    facts.compress(RLELossless, generate_instance_uid=False)
    return saved(facts, tmp_path / "good.dcm")


@pytest.fixture
def bad(tmp_path: Path, good: Path) -> Path:
    path = tmp_path / "bad.dcm"
    path.write_bytes(good.read_bytes())
    return path


@pytest.fixture
def cut_off(tmp_path: Path, good: Path) -> Path:
    path = tmp_path / "cut.dcm"
    path.write_bytes(good.read_bytes()[:-4000])
    return path


async def refused(reader: ImageReader, path: Path) -> tuple[type[ImageError], str]:
    with pytest.raises(ImageError) as caught:
        await reader.read_image(path, SPEC)
    return type(caught.value), caught.value.reason


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("ctypes.string_at(0)", (CorruptImage, "decoder crashed")),
        ("os._exit(0)", (CorruptImage, "decoder crashed")),
        ("os.abort()", (CorruptImage, "decoder crashed")),
        ("os.kill(os.getpid(), signal.SIGKILL)", (UnsupportedImage, "decoder ran out of memory")),
        ("return {}, [b'']", (CorruptImage, "decoder crashed")),
        ("return {'header': {}, 'grayscale': {}}, [b'short']", (CorruptImage, "decoder crashed")),
        ("return {'error': 'SystemExit', 'reason': ''}, []", (CorruptImage, "decoder crashed")),
        ("return {}, [bytes(2**27)]", (CorruptImage, "decoder crashed")),
    ],
)
async def test_a_decoder_that_crashes_costs_its_file(
    good: Path, bad: Path, fault: str, expected: tuple[type[ImageError], str]
) -> None:
    async with ImageReader(workers=1, command=faulty(fault)) as reader:
        await reader.read_image(good, SPEC)
        assert await refused(reader, bad) == expected
        assert (await reader.read_image(good, SPEC)).rendering.pixels.shape == (64, 64)


async def test_a_decoder_that_hangs_is_ended_and_costs_its_file(good: Path, bad: Path) -> None:
    async with ImageReader(workers=1, deadline_s=3, command=faulty("while True: pass")) as reader:
        with anyio.fail_after(100):
            assert await refused(reader, bad) == (CorruptImage, "decoding took too long")
            await reader.read_image(good, SPEC)


def test_a_worker_ends_itself_where_nobody_is_left_to_end_it(bad: Path) -> None:
    command = [*faulty("while True: pass"), str(2**31), "1"]
    message = b'{"path": "%s"}\n' % os.fsencode(bad)
    done = subprocess.run(command, input=message, capture_output=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGALRM


async def test_memory_has_a_bound(good: Path, bad: Path) -> None:
    async with ImageReader(workers=1, command=faulty("bytearray(2**32)")) as reader:
        await reader.read_image(good, SPEC)
        assert await refused(reader, bad) == (UnsupportedImage, "decoder ran out of memory")
        await reader.read_image(good, SPEC)


async def test_a_picture_too_large_for_that_bound_says_so(tmp_path: Path, good: Path) -> None:
    Image.new("L", (7900, 8000), 5).save(tmp_path / "large.png", compress_level=1)
    async with ImageReader(workers=1, memory_bytes=300 * 2**20) as reader:
        await reader.read_image(good, SPEC)
        assert await refused(reader, tmp_path / "large.png") == (UnsupportedImage, "decoder ran out of memory")
        await reader.read_image(good, SPEC)


async def test_a_decoder_that_prints_disturbs_nothing(good: Path, bad: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = faulty("os.write(1, b'out'), print('out', flush=True), os.write(2, b'err')")
    async with ImageReader(workers=1, command=command) as reader:
        read = await reader.read_image(bad, SPEC)
    assert np.array_equal(read.rendering.pixels, read_image(good, SPEC).rendering.pixels)
    assert capfd.readouterr() == ("", "")


async def test_a_call_that_is_cancelled_ends_its_process_and_the_next_one_is_served(good: Path, bad: Path) -> None:
    async with ImageReader(workers=1, command=faulty("while True: pass")) as reader:
        await reader.read_image(good, SPEC)
        [busy] = children()
        with anyio.move_on_after(0.5) as scope:
            await reader.read_image(bad, SPEC)
        assert scope.cancelled_caught
        assert busy not in children()
        await reader.read_image(good, SPEC)


async def test_a_worker_that_was_ended_between_two_files_costs_none(good: Path) -> None:
    async with ImageReader(workers=1) as reader:
        await reader.read_image(good, SPEC)
        [idle] = children()
        os.kill(idle, signal.SIGKILL)
        await reader.read_image(good, SPEC)


async def test_ctrl_c_in_the_terminal_does_not_reach_a_worker(good: Path) -> None:
    async with ImageReader(workers=1) as reader:
        await reader.read_image(good, SPEC)
        [worker] = children()
        assert os.getsid(worker) != os.getsid(0)
        os.kill(worker, signal.SIGINT)
        await reader.read_image(good, SPEC)
        assert children() == {worker}


async def test_workers_start_when_first_needed_and_are_used_again(tmp_path: Path, good: Path) -> None:
    plain = saved(dicom_image(), tmp_path / "plain.dcm")
    async with ImageReader() as reader:
        await reader.read_image(plain, SPEC)
        await reader.render_view(plain, DisplayOptions())
        await reader.read_header(good)
        assert children() == set()
        await reader.read_image(good, SPEC)
        first = children()
        await reader.render_view(good, DisplayOptions())
        assert children() == first
        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(reader.read_image, good, SPEC)
        assert len(children()) == 2


async def test_a_decoder_that_cannot_be_started_is_held_against_no_file(good: Path) -> None:
    for command in [("no-such-program",), (sys.executable, "-c", "raise SystemExit(1)")]:
        async with ImageReader(command=command) as reader:
            assert await refused(reader, good) == (UnreadableFile, "decoder cannot be started")


async def test_a_worker_is_given_no_keys(good: Path, bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVIDIA_API_KEY", "secret")
    monkeypatch.setenv("IRIS_PASSWORD", "secret")
    fault = "assert 'secret' not in os.environ.values()"
    async with ImageReader(workers=1, command=faulty(fault)) as reader:
        await reader.read_image(bad, SPEC)


def images(folder: Path) -> list[Path]:
    gray = (phantom(300, 280) >> 4).astype(np.uint8)
    Image.fromarray(gray).save(folder / "a.png")
    Image.fromarray(gray).save(folder / "b.jpg", quality=95)
    facts = dicom_image(
        phantom(300, 280), WindowCenter=2000, WindowWidth=3000, PixelSpacing=[0.14, 0.14], StudyDate="21800506"
    )
    facts.compress(RLELossless, generate_instance_uid=False)
    return [folder / "a.png", folder / "b.jpg", saved(facts, folder / "c\udcff.dcm")]


async def test_a_worker_s_answers_are_those_of_this_process(tmp_path: Path) -> None:
    """A name that is no UTF-8 among them."""
    async with ImageReader() as reader:
        for path in images(tmp_path):
            for spec in (SPEC, ImageSpec(32, "RGB")):
                here, there = read_image(path, spec), await reader.read_image(path, spec)
                assert (there.header, there.grayscale) == (here.header, here.grayscale)
                assert np.array_equal(there.rendering.pixels, here.rendering.pixels)
                assert there.rendering.jpeg == here.rendering.jpeg
            assert await reader.read_header(path) == here.header
            view = await reader.render_view(path, DisplayOptions(max_px=100, region=(0, 0.5, 1, 1), invert=True))
            assert (view.header, view.width, view.mime_type) == (here.header, 100, "image/png")


async def test_reasons_of_the_package_come_back_unchanged(tmp_path: Path, cut_off: Path) -> None:
    async with ImageReader() as reader:
        assert await refused(reader, cut_off) == (CorruptImage, "truncated pixel data")
        assert await refused(reader, tmp_path / "gone.png") == (UnreadableFile, "file not found")
        assert len(children()) == 1


def test_a_worker_starts_without_what_it_never_uses() -> None:
    named = "import sys, mcp_cxr.images.workers; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", named], check=False).returncode == 0


def test_what_a_worker_decodes_with_is_there() -> None:
    """imagecodecs loads its codecs when they are first used: a wheel without one would otherwise be found out late."""
    for codec in ("JPEG8", "JPEGLS", "JPEG2K", "HTJ2K"):
        assert getattr(imagecodecs, codec).available, codec


async def test_readers_do_not_share_their_workers(good: Path) -> None:
    async with ImageReader(workers=1) as one, ImageReader(workers=1) as other:
        results: list[Any] = [await one.read_image(good, SPEC), await other.read_image(good, SPEC)]
        assert len(children()) == len(results)
