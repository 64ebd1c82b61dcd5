"""From a click to the first frame in the viewer, on a 2544 x 3056 image: `python -m tests.bench.bench_viewer`.

The page runs in headless Chromium as in the browser tests; the server is a process of its own. Time counts from the
click on the thumbnail to the first frame that shows the image, decoding included: the image was not cached.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from mcp import Client, StdioServerParameters
from playwright.async_api import async_playwright

from mcp_cxr.archive import open_archive
from tests.browser.hosting import CHROMIUM, FLAGS, shown
from tests.server.archives import environment, settings
from tests.support import image_files
from tests.unit.images.making import radiograph

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.browser.hosting import OpenViewer

ROUNDS = 5
WITHIN_S = 1.0
OPEN = """() => new Promise((resolve) => {
    const started = performance.now();
    const look = () => {
        const canvas = document.querySelector(".viewport canvas");
        if (canvas && canvas.getAttribute("aria-busy")) resolve(performance.now() - started);
        else requestAnimationFrame(look);
    };
    document.querySelector("button.thumbnail").click();
    look();
})"""


async def opened(shown: OpenViewer) -> tuple[float, int]:
    """Seconds from the click to the first frame, and bytes of the result that it shows."""
    before = len(shown.answers)
    took = await shown.frame.evaluate(OPEN) / 1000
    return took, max(shown.answers[before:])


async def measure(browser: Browser, data: Path) -> list[tuple[float, int]]:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "mcp_cxr", "serve"], env=environment(data, share="reports,images")
    )
    found: list[tuple[float, int]] = []
    async with Client(server) as client:
        for _ in range(ROUNDS):
            async with shown(
                browser, client, question={"view": ["UNKNOWN", "PA", "AP"], "limit": 3}, size=(1400, 900)
            ) as page:
                await page.frame.wait_for_function("() => document.querySelectorAll('.thumbnail.ready').length === 3")
                found.append(await opened(page))
                for place in (1, 2):  # two others replace it in the server's cache
                    await page.button("Back to the results").click()
                    await page.open_image(place)
                    await page.drawn()
    return found


async def run() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        for number in range(3):
            path = image_files.mimic_place(Path(folder) / "in", number)
            path.parent.mkdir(parents=True)
            image_files.write_dicom(
                path, radiograph(seed=number), SOPInstanceUID=f"2.25.{number + 1}", PatientID=str(number)
            )
        data = Path(folder) / "data"
        async with open_archive(settings(environment(data))) as archive:
            await archive.ingest(Path(folder) / "in")
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            found = await measure(browser, data)
            await browser.close()
    return report(found)


def report(found: list[tuple[float, int]]) -> bool:
    """Print the figures; return whether the time is within its limit."""
    times, sizes = [took for took, _ in found], [size for _, size in found]
    median = statistics.median(times)
    print("Opening an image of 2544 x 3056, 12 of 16 bits, uncompressed (15.5 MB), in the viewer")
    print(
        f"  Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}; {ROUNDS} turns"
    )
    print(f"  first result: {max(sizes):,} bytes over the wire")
    print(f"  click to first frame: median {median:.3f} s ({min(times):.3f} to {max(times):.3f})")
    kept = median < WITHIN_S
    print(f"  under {WITHIN_S:.0f} s: {'kept' if kept else 'NOT KEPT'}")
    return kept


def main() -> int:
    return 0 if anyio.run(run) else 1


if __name__ == "__main__":
    sys.exit(main())
