"""Runs `mcp-cxr pull` as its user does, and reads what came of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.pacs.hospital import PATIENTS
from tests.server.archives import environment
from tests.support.archives import rows

if TYPE_CHECKING:
    from pathlib import Path

WITHIN_S = 120
NAMES = [f"Invented{patient}" for patient in range(PATIENTS)]

_IMAGES = """
    SELECT image_id, study_id, subject_id, view_position,
        (SELECT hex(vector) FROM vectors WHERE vectors.slot = images.slot)
    FROM images ORDER BY image_id"""
_STUDIES = "SELECT study_id, study_date, report FROM studies ORDER BY study_id"


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive in a data folder that pulls go to.

    Args:
        variables: Besides those of an archive with the offline embedder.
    """

    data: Path
    variables: dict[str, str]

    def start(self, url: str, *flags: str, most_bytes: int | None = None) -> subprocess.Popen[str]:
        """Start a pull that can write no file of more than `most_bytes`."""
        command = [sys.executable, "-m", "mcp_cxr", "pull", url, *flags]
        pipe, env = subprocess.PIPE, environment(self.data) | self.variables
        if most_bytes:
            command = ["prlimit", f"--fsize={most_bytes}", *command]
        return subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe, text=True)

    def pull(self, url: str, *flags: str, most_bytes: int | None = None) -> Pulled:
        """Run a pull to its end."""
        with self.start(url, *flags, most_bytes=most_bytes) as process:
            try:
                out, err = process.communicate(timeout=WITHIN_S)
            finally:
                process.kill()
        shown = Pulled(process.returncode, out, err)
        assert not any(name in out + err for name in (*NAMES, "Traceback", "a patient's name")), shown
        return shown

    def share_key_of(self, other: Archive) -> None:
        """Give the ids that another archive gives."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        shutil.copy(other.data / "id.key", self.data)

    def images(self) -> list[tuple[Any, ...]]:
        """Return the id, study, subject, view and vector of each image."""
        is_made = rows(self.data, "SELECT name FROM sqlite_master WHERE name = 'images'") if self.data.exists() else []
        return rows(self.data, _IMAGES) if is_made else []

    def studies(self) -> list[tuple[Any, ...]]:
        """Return the id, date and report of each study."""
        return rows(self.data, _STUDIES)


@dataclass(frozen=True, slots=True)
class Pulled:
    """How a pull ended."""

    code: int
    out: str
    err: str
