"""Detects network file systems: SQLite's write-ahead log and shared memory need a local disk.

SQLite documentation, wal.html: "All processes using a database must be on the same host computer; WAL does not work
over a network filesystem."
"""

from __future__ import annotations

from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")  # proc(5); Linux alone has it
_REMOTE = frozenset(
    "9p afs afp beegfs ceph cifs coda davfs fuse.ceph fuse.glusterfs fuse.rclone fuse.s3fs fuse.sshfs glusterfs gpfs"
    " lustre ncpfs nfs nfs4 orangefs panfs smb3 smbfs virtiofs vboxsf".split()
)


def network_file_system(folder: Path, *, mounts: Path = _MOUNTS) -> str | None:
    """Return the type of the network file system that the folder is on, or would be created on.

    None if it is local, or if the system does not say.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        real = folder.resolve()
    except OSError:
        return None
    found = [(point, kind) for point, kind in map(_mount, lines) if real.is_relative_to(point)]
    if not found:
        return None
    longest = max(len(point.parts) for point, _ in found)
    kind = [kind for point, kind in found if len(point.parts) == longest][-1]  # the last mount hides the others
    return kind if kind in _REMOTE else None


def _mount(line: str) -> tuple[Path, str]:
    """Return mount point and file system: the fifth field, and the first one behind the dash."""
    before, _, after = line.partition(" - ")
    point = before.split()[4].encode("utf-8", "surrogateescape").decode("unicode_escape")  # a space is written \\040
    return Path(point.encode("latin-1").decode("utf-8", "surrogateescape")), after.split()[0]
