"""The hub's secret and those before it: of the settings, else kept in the data folder."""

import secrets
from pathlib import Path

from pydantic import SecretStr

from hub.config import Settings
from hub.embedded.folder import StartFailed, load_or_make_secret, open_folder, write_private

_PREVIOUS = "previous_secrets"


def complete(settings: Settings) -> Settings:
    """With a secret in `settings.hub`: where the settings name none, the data folder's, made at its first use,
    and whatever was in force there before. Raises `StartFailed`."""
    if settings.hub.secret.get_secret_value():
        return settings
    own = SecretStr(load_or_make_secret(settings.data))
    previous = [*settings.hub.previous_secrets, *map(SecretStr, kept_previous(settings.data))]
    update = {"secret": own, "previous_secrets": tuple(previous)}
    return settings.model_copy(update={"hub": settings.hub.model_copy(update=update)})


def kept_previous(data: Path) -> list[str]:
    """The earlier secrets of this folder, the latest first. Raises `StartFailed`."""
    path = data / _PREVIOUS
    try:
        return path.read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StartFailed(f"{path}: cannot be read: {error.strerror}") from None


def rotate(data: Path) -> None:
    """A new secret for the next start; the one in force till then is kept as a previous one."""
    before = load_or_make_secret(open_folder(data))
    # In this order: cut short in between, nothing has changed.
    write_private(data / _PREVIOUS, "\n".join(dict.fromkeys([before, *kept_previous(data)])) + "\n")
    write_private(data / "secret", secrets.token_urlsafe(32) + "\n")


def is_newer_than_run(data: Path) -> bool:
    """Whether the hub that runs on this folder was started before its present secret was made."""
    try:
        started = (data / "servers.json").stat().st_mtime_ns
        return (data / "secret").stat().st_mtime_ns > started
    except FileNotFoundError:
        # No run, or none that has left a trace; a killed one's servers.json is put right by the next start.
        return False


def forget(data: Path) -> int:
    """Drops the earlier ones; how many there were."""
    count = len(kept_previous(data))
    (data / _PREVIOUS).unlink(missing_ok=True)
    return count
