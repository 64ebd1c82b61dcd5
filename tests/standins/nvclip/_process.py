"""The stand-in as tests hold it."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_CHECKOUT = Path(__file__).parents[3]
MODELS = {
    "nim": ("nvidia/nvclip-vit-h-14", "nvidia/nvclip"),
    "infinity": ("laion/CLIP-ViT-H-14-laion2B-s32B-b79K",),
    "vllm": ("google/medsiglip-448",),
}
"""Names each dialect's stand-in answers to; the first is the usual one."""


class StandIn:
    """A process of our own on an ephemeral port of loopback; ended by `stop`, by its id."""

    def __init__(self, dialect: str = "nim", *, dimension: int = 1024) -> None:
        self.dialect, self.dimension = dialect, dimension
        self.model = MODELS[dialect][0]
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """What NVCLIP_BASE_URL would be."""
        return f"http://127.0.0.1:{self.port}" + ("" if self.dialect == "infinity" else "/v1")

    @property
    def pid(self) -> int:
        """The process under way."""
        assert self._process
        return self._process.pid

    def start(self, **orders: Any) -> None:
        """Start a new process, on the port of the last one where there was one, and tell it `orders`."""
        options = ["--dialect", self.dialect, "--port", str(self.port), "--dimension", str(self.dimension)]
        names = [argument for model in MODELS[self.dialect] for argument in ("--model", model)]
        command = [sys.executable, "-m", "tests.standins.nvclip", *options, *names]
        self._process = subprocess.Popen(command, cwd=_CHECKOUT, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        if orders:
            self.tell(**orders)

    def stop(self) -> None:
        """End the process; harmless where it has ended."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.communicate()
        self._process = None

    def restart(self, **orders: Any) -> None:
        """A new process on the same port."""
        self.stop()
        self.start(**orders)

    def tell(self, **orders: Any) -> None:
        """Set fields of `State`, and forget what was seen."""
        self._control("POST", orders)

    def fail(self, kind: str, *, times: int = 1, **more: Any) -> None:
        """Let the next `times` requests for vectors fail."""
        self.tell(fault={"kind": kind, "times": times, **more})

    def heal(self) -> None:
        """No fault from now on."""
        self.tell(fault=None)

    @property
    def requests(self) -> list[tuple[str, str, int]]:
        """Method, path and number of inputs of each request since the last order."""
        return [(method, path, items) for method, path, items in self._control("GET")["requests"]]

    @property
    def most_under_way(self) -> int:
        """The most requests at once since the last order, where `latency` is set."""
        return self._control("GET")["most_under_way"]

    def _control(self, method: str, orders: dict[str, Any] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, "/_standin", None if orders is None else json.dumps(orders))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()
