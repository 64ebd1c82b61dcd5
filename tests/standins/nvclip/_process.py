"""Starts, configures and stops the simulated server's process."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

_CHECKOUT = Path(__file__).parents[3]
MODELS = {
    "nim": ("nvidia/nvclip-vit-h-14", "nvidia/nvclip"),
    "infinity": ("laion/CLIP-ViT-H-14-laion2B-s32B-b79K",),
    "vllm": ("google/medsiglip-448",),
}
"""Names of the model that the simulated server of each dialect serves; the first is the default."""


class StandIn:
    """A process on an ephemeral port of loopback."""

    def __init__(self, dialect: str = "nim", *, dimension: int = 1024) -> None:
        self.dialect, self.dimension = dialect, dimension
        self.model = MODELS[dialect][0]
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """The value for NVCLIP_BASE_URL."""
        return f"http://127.0.0.1:{self.port}" + ("" if self.dialect == "infinity" else "/v1")

    @property
    def pid(self) -> int:
        """Id of the running process."""
        assert self._process
        return self._process.pid

    def start(self, **settings: Any) -> None:
        """Start a process, on the port of the previous one if there was one, and configure it."""
        options = ["--dialect", self.dialect, "--port", str(self.port), "--dimension", str(self.dimension)]
        names = [argument for model in MODELS[self.dialect] for argument in ("--model", model)]
        command = [sys.executable, "-m", "tests.standins.nvclip", *options, *names]
        self._process = subprocess.Popen(command, cwd=_CHECKOUT, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        if settings:
            self.configure(**settings)

    def stop(self) -> None:
        """End the process, if it runs."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.communicate()
        self._process = None

    def restart(self, **settings: Any) -> None:
        """Start a new process on the same port."""
        self.stop()
        self.start(**settings)

    def configure(self, **settings: Any) -> None:
        """Set fields of `State`, and clear the recorded requests."""
        self._control("POST", settings)

    def fail(self, kind: str, *, times: int = 1, **more: Any) -> None:
        """Let the next `times` requests for vectors fail."""
        self.configure(fault={"kind": kind, "times": times, **more})

    def wait_for_held(self, count: int, *, within_s: float = 60) -> None:
        """Return when `count` more requests are held, as `fail("hold", items=...)` does until `clear_fault`."""
        assert self._process
        assert self._process.stdout
        timer = Timer(within_s, self._process.kill)
        timer.start()
        held = [self._process.stdout.readline() for _ in range(count)]
        timer.cancel()
        assert held == [b"held\n"] * count, f"{held} after {within_s:g} s"

    def clear_fault(self) -> None:
        """Reply without faults from now on."""
        self.configure(fault=None)

    @property
    def requests(self) -> list[tuple[str, str, int]]:
        """Method, path and number of inputs of each request since the last `configure`."""
        return [(method, path, items) for method, path, items in self._control("GET")["requests"]]

    @property
    def most_concurrent(self) -> int:
        """The most concurrent requests since the last `configure`, if `latency` is set."""
        return self._control("GET")["most_concurrent"]

    def _control(self, method: str, settings: dict[str, Any] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, "/_standin", None if settings is None else json.dumps(settings))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()
