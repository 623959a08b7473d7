"""The file of a backup: a tar of the database's dump, the hub's secrets, and last a manifest with checksums.

An ordinary tar, so that whoever has lost everything else can open it. The manifest is its end: a file without one
was cut short.
"""

import fcntl
import hashlib
import io
import json
import os
import re
import secrets
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from hub.embedded.folder import StartFailed

FORMAT = 1
DUMP = "database.dump"
SECRETS = ("secret", "previous_secrets")
_MANIFEST = "manifest.json"
_BLOCK = 1 << 20

OWN_NAME = "vestnik-%Y%m%dT%H%M%SZ.tar"
"""Of a file for which a folder was named, by the time in UTC."""

_NAMED_BY_US = re.compile(r"vestnik-\d{8}T\d{6}Z\.tar")
_PART = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part")
_LEFT = timedelta(hours=1)
"""Nothing was written for so long."""


class BadBackup(StartFailed):
    """The file is none, is damaged, or is too new. One line for a person."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """`taken_at`: everything that was accepted by then is in it. `schema`: the last step of the schema.
    `mark`: known to whoever has the hub's secret, by which it is told from another one. `files`: size and SHA-256
    of each."""

    taken_at: datetime
    schema: int
    made_by: str
    postgres: str
    mark: str
    notifications: int
    unsent: int
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    format: int = FORMAT


class Writer:
    """Writes one file after the other; nothing of it is seen under `path` before `finish`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._files: dict[str, dict[str, Any]] = {}

    def add(self, name: str, content: bytes) -> None:
        self.add_stream(name, io.BytesIO(content))

    def add_stream(self, name: str, stream: IO[bytes]) -> None:
        """To its end, which nobody knows beforehand: the header is put right afterwards."""
        begin = self._file.tell()
        self._file.write(bytes(tarfile.BLOCKSIZE))
        digest, size = hashlib.sha256(), 0
        while chunk := stream.read(_BLOCK):
            digest.update(chunk)
            size += len(chunk)
            self._file.write(chunk)
        self._file.write(bytes(-size % tarfile.BLOCKSIZE))
        end = self._file.tell()
        self._file.seek(begin)
        self._file.write(_header(name, size))
        self._file.seek(end)
        self._files[name] = {"size": size, "sha256": digest.hexdigest()}

    def finish(self, manifest: Manifest) -> Manifest:
        """The manifest as it was written."""
        whole = Manifest(**{**_fields(manifest), "files": dict(self._files)})
        text = json.dumps(asdict(whole), default=datetime.isoformat, indent=1)
        self.add(_MANIFEST, text.encode())
        self._file.write(bytes(2 * tarfile.BLOCKSIZE))
        return whole


def _fields(manifest: Manifest) -> dict[str, Any]:
    return {name: getattr(manifest, name) for name in Manifest.__slots__}


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    # GNU: the one that keeps a size over 8 GiB in a header of one block.
    return info.tobuf(tarfile.GNU_FORMAT)


@contextmanager
def new_file(path: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """A private file beside `path` that takes its place when all went well; else nothing stays. What a run left that was
    killed goes.

    Raises `StartFailed`.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        _drop_leftovers(path)
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise StartFailed(f"{path}: cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "w+b") as file:
            _in_use(handle)
            yield file
            file.flush()
            os.fsync(file.fileno())
        _take_place(part, path, force=force)
    except OSError as error:
        raise StartFailed(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def _drop_leftovers(path: Path) -> None:
    """Parts of backups beside `path` that nobody writes any more: each is as large as a backup, and hidden."""
    is_left = time.time() - _LEFT.total_seconds()
    for part in path.parent.glob(".*.part"):
        named = _PART.fullmatch(part.name)
        if not named or (named[1] != path.name and not _NAMED_BY_US.fullmatch(named[1])):
            continue
        with suppress(FileNotFoundError), part.open("rb") as file:
            if os.fstat(file.fileno()).st_mtime < is_left and _in_use(file.fileno()):
                part.unlink()


def _in_use(handle: int) -> bool:
    """Marks the file as ours until it is closed, however we end. False: it is somebody else's, or nobody can tell."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _take_place(part: Path, path: Path, *, force: bool) -> None:
    if force:
        part.replace(path)
    else:
        try:
            # Unlike a rename, this never takes the place of what another one put there meanwhile.
            os.link(part, path)
        except FileExistsError:
            raise StartFailed(exists(path)) from None
    sync_folder(path.parent)


def exists(path: Path) -> str:
    return f"{path}: is there already; name another file, or give --force to replace it"


def sync_folder(folder: Path) -> None:
    """So that a name which was just put there survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_manifest(path: Path) -> Manifest:
    """Raises `BadBackup`."""
    with _opened(path) as archive:
        try:
            member = archive.extractfile(_MANIFEST)
        except KeyError:
            member = None
        if member is None:
            raise BadBackup(f"{path}: has no {_MANIFEST}: it was cut short, or is no backup")
        try:
            found = json.loads(member.read())
        except ValueError:
            raise BadBackup(f"{path}: its {_MANIFEST} is damaged") from None
    if not isinstance(found, dict) or not isinstance(found.get("format"), int):
        raise BadBackup(f"{path}: its {_MANIFEST} is none of Vestnik")
    if found["format"] > FORMAT:
        raise BadBackup(
            f"{path}: was made by {found.get('made_by')}, whose format this version does not know:"
            " use that version, or a newer one"
        )
    try:
        known = {name: found[name] for name in Manifest.__slots__}
        return Manifest(**{**known, "taken_at": datetime.fromisoformat(known["taken_at"])})
    except (KeyError, TypeError, ValueError):
        raise BadBackup(f"{path}: its {_MANIFEST} is damaged") from None


def extract(path: Path, manifest: Manifest, into: Path) -> None:
    """Every file that the manifest names, private, and checked. Raises `BadBackup`."""
    if DUMP not in manifest.files or set(manifest.files) - {DUMP, *SECRETS}:
        raise BadBackup(f"{path}: its {_MANIFEST} is damaged")
    with _opened(path) as archive:
        for name, about in manifest.files.items():
            try:
                member = archive.extractfile(name)
            except KeyError:
                member = None
            if member is None:
                raise BadBackup(f"{path}: {name} is missing in it")
            if _copied(member, into / name) != (about.get("size"), about.get("sha256")):
                raise BadBackup(f"{path}: is damaged: the checksum of {name} does not match")


def _copied(source: IO[bytes], target: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while chunk := source.read(_BLOCK):
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return size, digest.hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r:") as archive:
            yield archive
    except tarfile.TarError:
        raise BadBackup(f"{path}: is no backup, or was cut short") from None
    except OSError as error:
        raise BadBackup(f"{path}: {error.strerror or 'cannot be read'}") from None
