"""The data folder: who may use it, what is kept in it, and the files that only its owner may read."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


class StartFailed(Exception):
    """One line for a person: what could not be started and what to do about it. Holds no secret."""


class Taken(StartFailed):
    """Another process runs the servers of this data folder."""


def open_folder(data: Path) -> Path:
    """Makes the folder where it is missing; gives its absolute path. Raises `StartFailed`."""
    data = data.absolute()
    try:
        # Root's servers run as another user, who must come through; every file in it is private.
        data.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartFailed(
            f"{data}: the data folder cannot be made: {error.strerror}; name another with --data"
        ) from None
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        raise StartFailed(
            f"{data}: no right to use the data folder; start as its owner, or name another with --data"
        )
    return data


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """One user of the servers at a time. Raises `Taken` at once.

    The kernel lets go of the lock when the holder dies, however it dies: a lock left behind cannot be.
    """
    try:
        handle = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartFailed(f"{data / 'lock'}: cannot be opened: {error.strerror}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip()
            raise Taken(
                f"{data}: already in use by another vestnik"
                + (f" (process {holder})" if holder.isdigit() else "")
                + "; stop it first, or name another folder with --data"
            ) from None
        give_to_owner(data / "lock")
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def give_to_owner(path: Path) -> None:
    """To the owner of the folder that it lies in: started once with sudo, the data must still be his."""
    folder = path.parent.stat()
    if os.geteuid() == 0 and folder.st_uid != 0:
        os.chown(path, folder.st_uid, folder.st_gid)


@contextmanager
def fresh_log(path: Path) -> Iterator[IO[bytes]]:
    """An empty file for what a server says at its start."""
    try:
        with path.open("wb") as file:
            give_to_owner(path)
            yield file
    except OSError as error:
        raise StartFailed(f"{path}: cannot be written: {error.strerror}") from None


def write_private(path: Path, text: str) -> None:
    """The whole text or the old file, never half of it; readable by the folder's owner only."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        give_to_owner(fresh)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """What is in the file; nothing where there is none or it cannot be understood."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def kept_secret(data: Path) -> str:
    """The one that `load_or_make_secret` made; empty where none was made yet, or it may not be read."""
    try:
        return (data / "secret").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def load_or_make_secret(data: Path) -> str:
    """The hub's secret, made at the first call and kept in `data`/secret.

    Two processes that call it at once get the same one.
    """
    path = open_folder(data) / "secret"
    for _ in range(2):
        try:
            if secret := path.read_text(encoding="utf-8").strip():
                return secret
            raise StartFailed(f"{path}: is empty; put the old secret back, or delete the file")
        except FileNotFoundError:
            fresh = path.with_name(f"secret.{secrets.token_hex(4)}")
            write_private(fresh, secrets.token_urlsafe(32) + "\n")
            try:
                os.link(fresh, path)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        except OSError as error:
            raise StartFailed(f"{path}: cannot be read: {error.strerror}") from None
    raise StartFailed(f"{path}: cannot be kept")
