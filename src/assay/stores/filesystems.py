"""Which kind of file system a path is on: SQLite's locks and shared memory need a local one."""

from __future__ import annotations

import re
from pathlib import Path

from assay.core.errors import StoreError

_NETWORK = """
9p afs beegfs ceph cifs davfs fhgfs fuse.ceph fuse.davfs fuse.gcsfuse fuse.glusterfs fuse.rclone
fuse.s3fs fuse.sshfs glusterfs gpfs lustre ncpfs nfs nfs4 orangefs panfs pvfs2 smb3 smbfs
"""
_MOUNTS = Path("/proc/self/mounts")


def kind(path: Path, *, mounts: Path = _MOUNTS) -> str:
    """The type of the file system that holds `path`, such as "ext4"; "" where none can tell.

    It is read from Linux's table of mounts: the longest mount point above the path, the last one
    mounted there.
    """
    try:
        table = mounts.read_bytes()
    except OSError:
        return ""
    found, depth = "", -1
    place = path.resolve()
    for line in table.decode(errors="surrogateescape").splitlines():
        _, point, name, *_ = line.split(" ")
        root = Path(re.sub(r"\\(\d{3})", _unescaped, point))
        if len(root.parts) >= depth and place.is_relative_to(root):
            found, depth = name, len(root.parts)
    return found


def _unescaped(code: re.Match[str]) -> str:
    return chr(int(code[1], 8))


def refuse_network(path: Path) -> None:
    """Nothing, when `path` is on a file system of this machine.

    Raises:
        StoreError: it is on a network file system.
    """
    name = kind(path)
    if name in _NETWORK.split():
        raise StoreError(
            f"{path} is on a network file system ({name}), where SQLite's locks do not hold and a "
            "study could be damaged. Put it on a local disk, or use PostgreSQL to share a study "
            "between machines."
        )
