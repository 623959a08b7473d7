"""As whom the servers run when the hub is started by root: PostgreSQL refuses to run as root."""

import ctypes
import os
import pwd
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# linux/capability.h and linux/prctl.h
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2
_CAPABILITY_VERSION_3 = 0x20080522
_PR_SET_PDEATHSIG, _PR_SET_SECUREBITS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 28, 47, 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2

_NOBODY = 65534

# Looked up before any fork: a child between fork and exec must not load libraries.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@dataclass(frozen=True, slots=True)
class RunAs:
    """An unprivileged account. `capability` (Linux) is kept where files would be out of its reach."""

    uid: int
    gid: int
    capability: int | None = None

    def enter(self) -> None:
        """Becomes this account, for good. Called in the child, between fork and exec."""
        if self.capability is not None:
            # Lets capabilities outlive setuid, and access(2) respect them: initdb looks for its
            # neighbours by that call, which else asks what the user may without any.
            _prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
        os.setgroups([])
        os.setgid(self.gid)
        os.setuid(self.uid)
        if self.capability is not None:
            _keep(self.capability)


def die_with_parent(signal: int, parent: int) -> None:
    """Has the kernel send `signal` when `parent`'s thread that forked us ends (Linux; elsewhere nothing).

    After any change of user, which would undo it (prctl(2), PR_SET_PDEATHSIG).
    """
    if _LIBC is None:
        return
    _prctl(_PR_SET_PDEATHSIG, signal)
    if os.getppid() != parent:
        # It died before we asked.
        os._exit(1)


def account_for(data: Path, needed: Iterable[Path]) -> RunAs | None:
    """The account for the servers in `data`; None when the hub itself is unprivileged.

    The folder's owner if that is not root, so that the same folder serves both; else `nobody`, also
    where the owner has no name on this machine (initdb asks for one).
    Folders on the way to `data` or to one of `needed` may be closed to others (a home of mode 0700).
    Opening them for everybody is not ours to do, so the server keeps the right to pass them.
    """
    if os.geteuid() != 0:
        return None
    owner = data.stat()
    named = owner.st_uid != 0 and _has_name(owner.st_uid)
    uid, gid = (owner.st_uid, owner.st_gid) if named else _nobody()
    if all(_reachable(path, uid, gid) for path in (data, *needed)):
        return RunAs(uid, gid)
    return RunAs(uid, gid, _capability())


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _nobody() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return _NOBODY, _NOBODY
    # macOS has -2 there.
    return entry.pw_uid % 2**32, entry.pw_gid % 2**32


def _reachable(path: Path, uid: int, gid: int) -> bool:
    ways = {*path.absolute().parents, *path.resolve().parents, path.resolve()}
    return all(_may_read(folder, uid, gid) for folder in ways)


def _may_read(path: Path, uid: int, gid: int) -> bool:
    about = path.stat()
    shift = 6 if about.st_uid == uid else 3 if about.st_gid == gid else 0
    return bool(about.st_mode >> shift & os.X_OK)


def _capability() -> int | None:
    """The weaker one where we have it; containers mostly give only the stronger (Docker's default set)."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith("CapPrm:")), "CapPrm: 0")
    ours = int(line.split()[1], 16)
    return next((one for one in (_DAC_READ_SEARCH, _DAC_OVERRIDE) if ours >> one & 1), None)


def _keep(capability: int) -> None:
    """In the ambient set, so that it outlives the exec of an ordinary program (capabilities(7))."""
    mask = 1 << capability
    sets = (_Sets * 2)(_Sets(mask, mask, mask))
    if _LIBC is None or _LIBC.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), sets):
        raise OSError(ctypes.get_errno(), "capset")
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def _prctl(option: int, *values: int) -> None:
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    if _LIBC is None or _LIBC.prctl(option, *padded):
        raise OSError(ctypes.get_errno(), "prctl")
