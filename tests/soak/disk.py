"""A small file system for the data folder, so that it can be filled to the last byte and nobody else's is.

It is mounted in a mount namespace of this run: whatever ends the run, the mount is gone with it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_ALONE = "SOAK_HAS_ITS_OWN_MOUNTS"
_GIB = 1024**3


class Disk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte is left meanwhile, also not of what others free."""
        ballast = self.folder / "ballast"
        with ballast.open("wb", buffering=0) as file:
            free = shutil.disk_usage(self.folder).free
            os.posix_fallocate(file.fileno(), 0, max(1, free - 4096 * 16))
            # What is kept back for root and what was freed since.
            _fill(file.fileno())
        try:
            yield
        finally:
            ballast.unlink()


def alone(arguments: Sequence[str]) -> None:
    """Starts this program anew with mounts of its own, where that is allowed; else returns."""
    if os.environ.get(_ALONE) or not _may_mount():
        return
    command = [sys.executable, "-m", "tests.soak", *arguments]
    os.execvpe(
        "unshare",
        ["unshare", "--mount", "--propagation", "private", *command],
        os.environ | {_ALONE: "1"},
    )


@contextmanager
def mounted(folder: Path, size: int) -> Iterator[Disk | None]:
    """`size` GiB of ext4 in a file, on a folder made here; None where `alone` was not possible."""
    if not os.environ.get(_ALONE):
        yield None
        return
    image, place = folder / "disk.img", folder / "disk"
    with image.open("wb") as file:
        file.truncate(size * _GIB)
    place.mkdir()
    # Nothing kept back for root: PostgreSQL runs as somebody else, the ballast does not.
    _run("mkfs.ext4", "-q", "-m", "0", str(image))
    _run("mount", "-o", "loop", str(image), str(place))
    try:
        yield Disk(place)
    finally:
        _run("umount", str(place))


def _may_mount() -> bool:
    needed = ("unshare", "mount", "umount", "mkfs.ext4")
    if sys.platform != "linux" or os.geteuid() != 0 or not all(map(shutil.which, needed)):
        return False
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],
        capture_output=True,
        check=False,
    )
    return tried.returncode == 0 and Path("/dev/loop-control").exists()


def _fill(handle: int) -> None:
    os.lseek(handle, 0, os.SEEK_END)
    for size in (4096, 1):
        try:
            while True:
                os.write(handle, b"\0" * size)
        except OSError:
            continue


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
