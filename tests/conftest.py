"""What every test may lean on."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

os.environ["OPENBLAS_NUM_THREADS"] = "1"
"""Before numpy is loaded: its threads would wait for cores that other tests use."""

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # in the background of a shell; what a test starts inherits it
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.support.fixtures"]

REAL_IMAGES = os.environ.get("CXR_TEST_DATA")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without garbage collection, and spare it the thousands of tests, which stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No setting of the person who runs the tests reaches them; what is written by default goes to a new folder."""
    for name in list(os.environ):
        if name.startswith(("MCP_CXR_", "IRIS_", "NVCLIP_", "NVIDIA_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MCP_CXR_DATA_DIR", str(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="session")
def real_images() -> Path:
    """The folder of real images that CXR_TEST_DATA names."""
    if not REAL_IMAGES:
        pytest.skip("CXR_TEST_DATA names no folder of real images")
    return Path(REAL_IMAGES).resolve()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly when nothing real was read."""
    if not REAL_IMAGES:
        terminalreporter.section("REAL IMAGES WERE NOT READ", sep="!", red=True)
        terminalreporter.write_line(
            "Set CXR_TEST_DATA to the folder of real chest X-rays to run the tests marked `real`."
        )
