"""A real PACS: Debian's Orthanc with its DICOMweb plugin, on loopback, with a folder and ports of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.support.following import wait_for
from tests.support.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
AE_TITLE, CALLER = "ORTHANC", "MCPCXR"


@dataclass(slots=True)
class Orthanc:
    """A process: a context manager that starts it and ends it.

    Args:
        folder: Where its database, configuration and log go.
        users: Names and passwords; none: no login.
    """

    folder: Path
    users: dict[str, str] = field(default_factory=dict[str, str])
    port: int = 0
    dicom_port: int = 0
    _client: httpx.Client = field(init=False)
    _stack: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        """The address of its REST interface."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def dicomweb(self) -> str:
        """The URL for `mcp-cxr pull`."""
        return f"{self.url}/dicom-web"

    def __enter__(self) -> Self:
        program = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        assert program, "Orthanc is missing: apt-get install orthanc orthanc-dicomweb"
        assert _PLUGIN.exists(), "Orthanc's DICOMweb plugin is missing: apt-get install orthanc-dicomweb"
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.port:
            self.port, self.dicom_port = free_ports(2)
        configuration, log = self.folder / "orthanc.json", self.folder / "log"
        configuration.write_text(json.dumps(self._configuration()))
        log.unlink(missing_ok=True)
        with ExitStack() as stack:
            process = stack.enter_context(subprocess.Popen([program, f"--logfile={log}", configuration]))
            stack.callback(process.terminate)
            wait_for(log, "Orthanc has started")
            login = next(iter(self.users.items()), None)
            self._client = stack.enter_context(httpx.Client(base_url=self.url, auth=login))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, files: Iterable[bytes]) -> None:
        """Store files; one whose SOP Instance UID is there is replaced."""
        for content in files:
            self._client.post("/instances", content=content).raise_for_status()

    def remove_study(self, study_uid: str) -> None:
        """Delete a study."""
        found = self._client.post("/tools/find", json={"Level": "Study", "Query": {"StudyInstanceUID": study_uid}})
        (orthanc_id,) = found.json()
        self._client.delete(f"/studies/{orthanc_id}").raise_for_status()

    def query(self, path: str, **parameters: str | list[str]) -> list[dict[str, Any]]:
        """Return what a QIDO-RS query finds; a list is sent as a parameter for each of its values."""
        reply = self._client.get(f"/dicom-web/{path}", params=parameters, headers={"Accept": "application/dicom+json"})
        return reply.raise_for_status().json()

    def retrieve(self, path: str) -> httpx.Response:
        """Return the answer to a WADO-RS request."""
        accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        return self._client.get(f"/dicom-web/{path}", headers={"Accept": accept}).raise_for_status()

    def _configuration(self) -> dict[str, Any]:
        return {
            "Name": "test",
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "Plugins": [str(_PLUGIN)],
            "RemoteAccessAllowed": False,
            "HttpPort": self.port,
            "AuthenticationEnabled": bool(self.users),
            "RegisteredUsers": self.users,
            "OverwriteInstances": True,
            "DicomAet": AE_TITLE,
            "DicomPort": self.dicom_port,
            "DicomCheckCalledAet": True,
            "DicomCheckModalityHost": True,
            "DicomAlwaysAllowFind": False,
            "DicomAlwaysAllowGet": False,
            "DicomModalities": {"caller": {"AET": CALLER, "Host": "127.0.0.1", "Port": 1}},
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
