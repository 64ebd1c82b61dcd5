"""Starts, configures and stops the simulated server's process."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

_CHECKOUT = Path(__file__).parents[3]


@dataclass(slots=True)
class StandIn:
    """A process on an ephemeral port of loopback: a context manager that starts it and ends it.

    Args:
        folder: Where its files go; a new one.
    """

    folder: Path
    port: int = 0
    _process: subprocess.Popen[bytes] = field(init=False)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.standins.dicomweb"], cwd=_CHECKOUT, stdout=subprocess.PIPE
        )
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    @property
    def dicomweb(self) -> str:
        """The URL for `mcp-cxr pull`."""
        return f"http://127.0.0.1:{self.port}/dicom-web"

    def serve(self, files: Iterable[bytes]) -> None:
        """Serve these files and no others, without faults."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob("*.dcm"):
            path.unlink()
        for number, content in enumerate(files):
            (self.folder / f"{number:06}.dcm").write_bytes(content)
        self.configure(folder=str(self.folder))

    def configure(self, **behavior: Any) -> None:
        """Set fields of `Behavior`, the others to their defaults, and clear the recorded requests."""
        self._control("POST", behavior)

    def fail(self, kind: str, **more: Any) -> None:
        """Fail from now on: a kind of `_server.py`, and where, after how many requests and how often."""
        self.configure(fault={"kind": kind, **more})

    def wait_for_held(self, *, within_s: float = 60) -> None:
        """Return when a request hangs, as `fail("hang")` lets it."""
        assert self._process.stdout
        timer = Timer(within_s, self._process.kill)
        timer.start()
        line = self._process.stdout.readline()
        timer.cancel()
        assert line == b"held\n", f"no request came within {within_s:g} s"

    def requests(self, kind: str) -> list[str]:
        """Return the targets of the requests of a kind (query, metadata, retrieve) since the last `configure`."""
        return [one["target"] for one in self.record()["requests"] if one["kind"] == kind]

    def record(self) -> dict[str, Any]:
        """Return what was requested since the last `configure`, and how often it failed."""
        return self._control("GET")

    def _control(self, method: str, settings: dict[str, Any] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, "/_standin", None if settings is None else json.dumps(settings))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()
