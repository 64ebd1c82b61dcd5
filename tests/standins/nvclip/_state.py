"""What a test has told the stand-in, and what the stand-in has seen."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass, field
from typing import Any


@dataclass
class State:
    """Every field but the first two can be set through `POST /_standin`."""

    models: tuple[str, ...]
    dimension: int
    version: str = "2.0.0"
    ready: bool = True
    api_key: str | None = None
    vectors: str = "hash"
    """`hash`: drawn from the bytes; `labels`: made from `labels` and noise; `blind`: reads pictures as cut text."""
    labels: dict[str, list[str]] = field(default_factory=dict)
    """By the SHA-256 of a JPEG. A text has the labels whose name stands in it."""
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
    """Seconds a request and an item; one request is worked on at a time, as on one GPU."""
    fault: dict[str, Any] | None = None
    """`kind`, `times`, and what the kind wants."""

    requests: list[list[Any]] = field(default_factory=list)
    """Method, path and number of inputs."""
    under_way: int = 0
    most_under_way: int = 0
    """Requests that waited for the GPU or were on it at once; counted only where `latency` is set."""
    busy_until: float = 0.0

    def tell(self, orders: dict[str, Any]) -> None:
        """Take orders, and forget what was seen."""
        for name, value in orders.items():
            setattr(self, name, value)
        self.requests = []
        self.most_under_way = self.under_way

    def seen(self) -> dict[str, Any]:
        told = dataclasses.asdict(self)
        return {name: told[name] for name in ("requests", "most_under_way", "fault")}

    def next_fault(self) -> dict[str, Any]:
        """The fault of this request; `{"kind": "none"}` where there is none."""
        fault = self.fault
        if fault is None:
            return {"kind": "none"}
        fault["times"] -= 1
        if fault["times"] <= 0:
            self.fault = None
        return fault

    async def work(self, items: int) -> None:
        """Take as long as one GPU would, with no drift between requests that wait for each other."""
        fixed, per_item = self.latency
        if not fixed and not per_item:
            return
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        now = asyncio.get_running_loop().time()
        self.busy_until = max(now, self.busy_until) + fixed + per_item * items
        await asyncio.sleep(self.busy_until - now)
        self.under_way -= 1
