"""The simulated server's configuration, and the requests it has recorded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any


@dataclass
class State:
    """Every field but the first two can be set through `POST /_standin`."""

    models: tuple[str, ...]
    dimension: int
    version: str = "2.0.0"
    """A vLLM below 0.29 ignores padding, below 0.18 it has no endpoint for images and no cut on request."""
    tokens: int | None = None
    """Tokens that are read of a text: two special ones, the others of up to 8 letters; None: as the real service."""
    image_size: int | None = None
    """Pixels to which images are reduced or enlarged, and then seen as pixels; None: each file has its own vector."""
    ready: bool = True
    api_key: str | None = None
    vectors: str = "hash"
    """`hash`: drawn from the bytes; `labels`: made from `labels` and noise; `blind`: reads images as cut text."""
    labels: dict[str, list[str]] = field(default_factory=dict)
    """By the SHA-256 of a JPEG. A text has the labels whose name it contains."""
    noise: float = 1.0
    """Length of the noise beside one label's unit length."""
    bad: list[str] = field(default_factory=list)
    """SHA-256 of inputs that are answered with `bad_status`."""
    bad_status: int = 422
    not_finite: list[str] = field(default_factory=list)
    """SHA-256 of inputs whose vectors hold a NaN."""
    max_body: int = 1 << 30
    """Bytes; beyond, 413."""
    latency: tuple[float, float] = (0.0, 0.0)
    """Seconds per request and per item; requests are processed one at a time, as on one GPU."""
    canary: str = ""
    """Added to every text of an answer, its headers too; not to vectors."""
    canary_in_vectors: bool = False
    """Add it to vectors in base64, too."""
    fault: dict[str, Any] | None = None
    """`kind`, `times`, and the kind's own fields."""
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the next `configure`: held requests are then answered."""

    requests: list[list[Any]] = field(default_factory=list)
    """Method, path and number of inputs."""
    concurrent: int = 0
    most_concurrent: int = 0
    """The most requests that waited for the GPU or ran on it at once; counted only if `latency` is set."""
    busy_until: float = 0.0

    def configure(self, settings: dict[str, Any]) -> None:
        """Set fields, answer held requests, and clear the recorded ones."""
        self.released.set()
        self.released = asyncio.Event()
        for name, value in settings.items():
            setattr(self, name, value)
        self.requests = []
        self.most_concurrent = self.concurrent

    def record(self) -> dict[str, Any]:
        return {"requests": self.requests, "most_concurrent": self.most_concurrent, "fault": self.fault}

    def next_fault(self) -> dict[str, Any]:
        """Return the fault of this request; `{"kind": "none"}` if there is none."""
        fault = self.fault
        if fault is None:
            return {"kind": "none"}
        fault["times"] -= 1
        if fault["times"] <= 0:
            self.fault = None
        return fault

    async def work(self, items: int) -> None:
        """Wait as long as one GPU would take, without drift between requests that wait for each other."""
        fixed, per_item = self.latency
        if not fixed and not per_item:
            return
        self.concurrent += 1
        self.most_concurrent = max(self.most_concurrent, self.concurrent)
        now = asyncio.get_running_loop().time()
        self.busy_until = max(now, self.busy_until) + fixed + per_item * items
        await asyncio.sleep(self.busy_until - now)
        self.concurrent -= 1
