"""The files of the simulated PACS, how it is told to behave, and what it was asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydicom import dcmread
from pydicom.filereader import read_partial

if TYPE_CHECKING:
    from pydicom import Dataset

_CONTENT_SEQUENCE = 0x0040A730


@dataclass
class Behavior:
    """Everything that `POST /_standin` may set; what is left out gets its default."""

    folder: str = ""
    """Of the files to serve."""
    login: list[str] = field(default_factory=list[str])
    """Accepted values of `Authorization`; empty: none is needed."""
    page: int = 1000
    """The most results of one query, whatever limit it names."""
    ignores: list[str] = field(default_factory=list[str])
    """Parameters of queries that are not looked at, such as `limit`, `offset`, `StudyDate`."""
    fault: dict[str, Any] | None = None
    """`kind`, `at` (query, metadata, retrieve), `after` (requests of that kind before it), `times`, and its own."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file as it is served."""

    header: Dataset
    """Up to the content of a report."""
    content: bytes

    def value(self, keyword: str) -> str:
        return str(self.header.get(keyword, ""))

    def metadata(self) -> dict[str, Any]:
        """Return everything but the pixels, as DICOM JSON."""
        return dcmread(BytesIO(self.content), stop_before_pixels=True).to_json_dict()


@dataclass
class State:
    behavior: Behavior = field(default_factory=Behavior)
    files: list[Stored] = field(default_factory=list[Stored])
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """`kind`, `method`, `target`, and the headers `accept`, `accept-encoding`; never a login."""
    faults: int = 0
    _asked: dict[str, int] = field(default_factory=dict[str, int])

    def configure(self, settings: dict[str, Any]) -> None:
        """Behave as told from now on, and clear the recorded requests."""
        self.behavior = replace(Behavior(folder=self.behavior.folder), **settings)
        self.requests, self.faults, self._asked = [], 0, {}
        if settings.get("folder"):
            contents = [path.read_bytes() for path in sorted(Path(self.behavior.folder).glob("*.dcm"))]
            self.files = [Stored(_header(content), content) for content in contents]

    def record(self) -> dict[str, Any]:
        return {"requests": self.requests, "faults": self.faults, "behavior": asdict(self.behavior)}

    def next_fault(self, kind: str) -> dict[str, Any]:
        """Return the fault of this request; `{"kind": "none"}` if there is none."""
        fault = self.behavior.fault
        self._asked[kind] = self._asked.get(kind, 0) + 1
        if fault is None or fault.get("at", kind) != kind or self._asked[kind] <= fault.get("after", 0):
            return {"kind": "none"}
        if self.faults >= fault.get("times", 1 << 30):
            return {"kind": "none"}
        self.faults += 1
        return fault


def _header(content: bytes) -> Dataset:
    """Return what stands before a report's content, which may be too deep to read."""
    return read_partial(BytesIO(content), stop_when=lambda tag, _vr, _length: tag >= _CONTENT_SEQUENCE)
