"""What trials leave behind to go on from: a directory for each, sealed by the hash of its content."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

_KEPT = "kept-"
_WORK = "work-"


class Checkpoints:
    """The checkpoints of one study.

    A job works in a directory of its own: a copy of what was sealed when its trial was paused, or
    empty. Only when the job has ended well is that sealed in turn, so what a killed job left half
    written is never taken up.

    Args:
        root: where they lie; it is made when the first is needed. None: in a temporary directory
            that `close` removes.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root, self._temporary = root, root is None
        self._gone: set[int] = set()  # dropped by us and not begun again

    def begin(self, trial: int, job: int, sealed: str | None = None) -> Path:
        """The directory for a job, with what was sealed under this hash, or empty."""
        own = self._of(trial)
        self._gone.discard(trial)
        own.mkdir(parents=True, exist_ok=True)
        work = own / f"{_WORK}{job}"
        shutil.rmtree(work, ignore_errors=True)
        if sealed is None:
            work.mkdir()
        else:
            shutil.copytree(own / f"{_KEPT}{sealed}", work, symlinks=True)
        return work

    def holds(self, trial: int, sealed: str | None) -> bool:
        """Whether the content with this hash is there, whole."""
        if sealed is None:
            return False
        kept = self._of(trial) / f"{_KEPT}{sealed}"
        return kept.is_dir() and content_hash(kept) == sealed

    def seal(self, trial: int, job: int) -> str | None:
        """Keep what a job left, instead of what was kept before; its hash, or None if it left nothing."""
        work = self._of(trial) / f"{_WORK}{job}"
        sealed = content_hash(work) if work.is_dir() else None
        if sealed is None:
            shutil.rmtree(work, ignore_errors=True)
            return None
        kept = work.with_name(f"{_KEPT}{sealed}")
        if kept.exists():
            shutil.rmtree(work)
        else:
            work.rename(kept)
        for other in kept.parent.glob(f"{_KEPT}*"):
            if other != kept:
                shutil.rmtree(other, ignore_errors=True)
        return sealed

    def leave(self, trial: int, job: int) -> None:
        """Remove the directory of a job that is over."""
        own = self._of(trial)
        shutil.rmtree(own / f"{_WORK}{job}", ignore_errors=True)
        if own.is_dir() and not any(own.iterdir()):
            own.rmdir()

    def drop(self, trial: int) -> None:
        """Remove all of a trial that will not go on."""
        if trial not in self._gone:
            shutil.rmtree(self._of(trial), ignore_errors=True)
            self._gone.add(trial)

    def clear(self) -> None:
        """Remove everything."""
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            with suppress(OSError):  # those of other studies are there, or nothing is
                if not self._temporary:
                    self._root.parent.rmdir()

    def close(self) -> None:
        """Remove what nobody could find again."""
        if self._temporary:
            self.clear()
            self._root = None

    def _of(self, trial: int) -> Path:
        if self._root is None:
            self._root = Path(tempfile.mkdtemp(prefix="assay-"))
        return self._root / f"trial-{trial:06d}"


def content_hash(folder: Path) -> str | None:
    """The hash of the names and the content of all files below a directory; None if there are none.

    >>> content_hash(Path("/nowhere")) is None
    True
    """
    files = sorted(_files(folder))
    if not files:
        return None
    found = sha256()
    for name in files:
        with (folder / name).open("rb") as file:
            part = sha256()
            while block := file.read(1 << 20):
                part.update(block)
        found.update(f"{len(name)}:{name}:{part.hexdigest()}".encode())
    return found.hexdigest()


def _files(folder: Path) -> Iterator[str]:
    return (str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
