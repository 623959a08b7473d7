"""A database for a command that needs one for a moment, whether or not the hub is running."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from hub.config import Settings
from hub.embedded.folder import Taken, locked, open_folder
from hub.embedded.servers import Servers, running


@asynccontextmanager
async def database_url(settings: Settings) -> AsyncIterator[str]:
    """The one of the settings, else the embedded one: of the hub that runs on this data, else started here.

    Run it in the main thread. Raises `StartFailed`.
    """
    if given := settings.hub.database_url.get_secret_value():
        yield given
        return
    data = open_folder(settings.data)
    with ExitStack() as lock:
        try:
            lock.enter_context(locked(data))
        except Taken:
            yield (await running(data)).database
            return
        servers = Servers(data, redis=False)
        await servers.start()
        try:
            yield servers.urls.database
        finally:
            await servers.stop()
