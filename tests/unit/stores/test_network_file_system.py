"""A folder on a network file system is detected.

Patches private modules: a test has no network file system to open an archive on.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.stores.embedded import _store
from mcp_cxr.stores.embedded.database import _file_system as _place
from mcp_cxr.stores.embedded.database import network_file_system
from mcp_cxr.upkeep import run_checks
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MOUNTS = r"""22 1 252:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
25 22 0:23 / /{here}/share rw shared:7 master:1 - nfs4 server:/export rw,vers=4.2
26 22 0:24 / /{here}/with\040space rw - cifs //server/share rw
27 25 0:25 / /{here}/share/local rw - xfs /dev/sdb rw
28 22 0:26 / /{here}/twice rw - nfs server:/export rw
29 22 0:27 / /{here}/twice rw - ext4 /dev/sdc rw
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS.replace("/{here}", str(tmp_path)))
    return path


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("share", "nfs4"),
        ("share/archive/not there yet", "nfs4"),
        ("with space/archive", "cifs"),
        ("share/local/archive", None),
        ("shared", None),
        ("twice", None),
        (".", None),
    ],
)
def test_the_nearest_mount_decides(tmp_path: Path, mounts: Path, folder: str, kind: str | None) -> None:
    assert network_file_system(tmp_path / folder, mounts=mounts) == kind


def test_without_a_list_of_mounts_no_network_file_system_is_reported(tmp_path: Path) -> None:
    assert network_file_system(tmp_path, mounts=tmp_path / "none") is None


def test_the_mounts_of_this_machine_are_read() -> None:
    if not _place._MOUNTS.exists():
        pytest.skip("no /proc here")
    lines = _place._MOUNTS.read_text().splitlines()
    assert all(point.is_absolute() and kind for point, kind in map(_place._mount, lines))


async def test_doctor_and_the_log_warn_of_a_network_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_store, "network_file_system", lambda _: "nfs4")
    roots: Sequence[Path] = ()
    with caplog.at_level(logging.WARNING):
        async with EmbeddedStore(tmp_path / "data") as store:
            findings = {finding.name: finding for finding in await run_checks(store, ToyEmbedder(), roots)}
    assert not findings["file system"].ok
    assert "MCP_CXR_DATA_DIR" in (findings["file system"].advice or "")
    assert "network file system (nfs4)" in caplog.text


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
@pytest.mark.parametrize(("mode", "is_told"), [(0o700, False), (0o711, False), (0o755, True), (0o770, True)])
async def test_doctor_and_the_log_warn_of_a_data_folder_that_others_may_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, is_told: bool
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(mode)
    with caplog.at_level(logging.WARNING):
        async with EmbeddedStore(tmp_path / "data") as store:
            advice = [finding.advice for finding in await run_checks(store, ToyEmbedder(), ()) if not finding.ok]
    line = f"Other users of this machine may read the data folder {tmp_path / 'data'}. Run chmod 700"
    assert (line in caplog.text) == is_told
    assert any((one or "").startswith(line) for one in advice) == is_told
