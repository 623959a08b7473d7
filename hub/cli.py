"""The command `vestnik`: what it takes, and which module does it. Nothing else is imported before it is needed."""

import argparse
import errno
import os
import select
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import asyncpg

from hub import garbage, logs
from hub.config import Settings, SettingsError
from hub.db.budget import TooFewConnections
from hub.db.migrate import CannotMigrate
from hub.db.pool import UNREACHABLE
from hub.embedded import secret
from hub.embedded.folder import StartFailed
from hub.errors import HubError
from hub.settings_file import load

# Beside what these say on the screen nobody wants to read which steps the schema took.
_QUIET = ("keys", "operators", "demo", "backup", "restore", "held", "secrets", "scrub", "import")
KINDS = {"customers": "customer", "products": "product", "orders": "order"}
LANES = ("security", "transactional", "bulk")
ROLES = ("owner", "operator", "warehouse", "reader")
SCOPES = ("send", "contacts", "orders", "read", "admin")

# What the system says of a disk that takes nothing more.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

# What PostgreSQL says of a user, a database or a right that is not there; no password is in it.
_REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 done, 1 could not be done, 2 wrongly asked or set."""
    if argv is None:
        garbage.begin()
    arguments = parser().parse_args(argv)
    try:
        settings = load(arguments.config, data=arguments.data)
        level = "warning" if arguments.command in _QUIET else settings.hub.log_level
        logs.configure(level, role=arguments.command)
        code = int(arguments.run(settings, arguments) or 0)
        sys.stdout.flush()
        return code
    except SettingsError as error:
        return _failed(str(error), 2)
    except (StartFailed, HubError, CannotMigrate, TooFewConnections) as error:
        return _failed(str(error), 1)
    except asyncpg.ClientConfigurationError:
        return _failed("hub.database_url = [hidden]: is not a URL that PostgreSQL understands", 2)
    except _REFUSALS as error:
        return _failed(f"PostgreSQL refuses: {error}", 1)
    except asyncpg.DiskFullError:
        return _failed("PostgreSQL has no room left on its disk", 1)
    except UNREACHABLE as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            where = error.filename or settings.data
            return _failed(f"{where}: cannot be written: {error.strerror}", 1)
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return 1
        # Its text may hold an address with a password.
        return _failed(f"PostgreSQL or Redis cannot be reached ({type(error).__name__})", 1)
    except KeyboardInterrupt:
        return 130


def _nobody_reads() -> bool:
    """Whether the other end of stdout is closed, as that of `vestnik keys list | head -1`. Nothing goes there any more
    then, at the end of the process neither."""
    end = select.poll()
    end.register(sys.stdout.fileno(), 0)
    if not end.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def _failed(line: str, code: int) -> int:
    sys.stderr.write(f"{line}\n")
    return code


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vestnik",
        description="Self-hosted notification hub for online marketplaces.",
        epilog="`vestnik up` is all it takes on one machine; `vestnik COMMAND --help` tells more.",
        parents=[_common(default=None)],
    )
    parser.add_argument("--version", action="version", version=f"vestnik {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    # Said after the command they count as well, and unsaid there they must not undo what came before.
    common = [_common(default=argparse.SUPPRESS)]

    def add(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, parents=common)
        added.set_defaults(run=run)
        return added

    add(
        "up", _up, "everything: own PostgreSQL and Redis where no URLs are given, API, worker, bots"
    )
    add("api", _api, "the HTTP API alone, for a fleet; needs database and Redis URLs")
    worker = add("worker", _worker, "a worker alone, for a fleet; needs database and Redis URLs")
    worker.add_argument("--lane", choices=LANES, help="only this lane (all if left out)")
    add("bots", _bots, "the messenger bots alone, for a fleet; needs database and Redis URLs")
    add("migrate", _migrate, "bring the database schema to the newest version")
    add("check", _check, "read the settings and try every account against its provider")
    add(
        "scrub", _scrub, "take what was erased off the disk, too: tables are written anew meanwhile"
    )
    _add_backup(add)
    _add_demo(add("demo", _demo, "play an order's whole way through a running hub, in the sandbox"))
    _add_import(add("import", None, "take a shop's history over, quietly"), common)
    _add_keys(add("keys", None, "create, list and revoke API keys"), common)
    _add_operators(add("operators", None, "who signs in to the console: link, list, reset"), common)
    _add_secrets(add("secrets", None, "exchange the hub's secret for a new one"), common)
    return parser


def _version() -> str:
    try:
        return version("vestnik")
    except PackageNotFoundError:
        # Run from the source tree, by `python -m hub`.
        return "(not installed)"


def _add_keys(parser: argparse.ArgumentParser, common: list[argparse.ArgumentParser]) -> None:
    commands = parser.add_subparsers(dest="keys_command", metavar="COMMAND", required=True)

    def add(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, parents=common)
        added.add_argument("--shop", default="main", help="whose key (default: main)")
        added.set_defaults(run=run)
        return added

    create = add("create", _create_key, "make a key and print it; it is not shown again")
    create.add_argument(
        "--scope", action="append", required=True, choices=SCOPES, help="may be given several times"
    )
    create.add_argument("--name", default="", help="what the key is for")
    add("list", _list_keys, "show the keys of a shop, newest first, without their secrets")
    revoke = add("revoke", _revoke_key, "take a key out of use")
    revoke.add_argument("key", help="its id, its beginning as `list` shows it, or the whole key")


def _add_operators(parser: argparse.ArgumentParser, common: list[argparse.ArgumentParser]) -> None:
    commands = parser.add_subparsers(dest="operators_command", metavar="COMMAND", required=True)

    def add(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, parents=common)
        added.set_defaults(run=run)
        return added

    link = add("link", _link_operator, "print a link by which somebody comes in; it opens once")
    link.add_argument("--shop", help="into which shop (default: all of them)")
    link.add_argument("--role", choices=ROLES, default="owner", help="as what (default: owner)")
    add("list", _list_operators, "show who may sign in, to which shops and as what")
    reset = add("reset", _reset_operator, "print a link that sets somebody's password anew")
    reset.add_argument("login", help="the e-mail address")


def _add_backup(add: Callable[[str, Any, str], argparse.ArgumentParser]) -> None:
    backup = add("backup", _backup, "keep everything in one file, while the hub runs and sends")
    backup.add_argument(
        "target", metavar="FILE|DIR", help="a folder: the file is named by the time"
    )
    backup.add_argument("--force", action="store_true", help="replace the file if it is there")
    restore = add("restore", _restore, "make a hub of such a file, in a new data folder (--data)")
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.add_argument(
        "--send",
        default="hold",
        metavar="WHAT",
        help="of what was due by now: hold (until `vestnik held` is told), all, none,"
        " or what was due from a time on, like 2026-12-01T14:00:00+03:00",
    )
    held = add("held", _held, "what waits for a decision after a restoration, and the decision")
    held.add_argument("--send", metavar="WHAT", help="all, none, a time as for `restore`, or hold")


def _add_import(parser: argparse.ArgumentParser, common: list[argparse.ArgumentParser]) -> None:
    commands = parser.add_subparsers(dest="import_command", metavar="WHAT", required=True)

    def add(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, parents=common)
        added.add_argument("--url", help="where the hub listens (default: as the settings say)")
        added.add_argument("--key", help="of scope admin (default: one made for this run)")
        added.add_argument("--shop", default="main", help="whose history (default: main)")
        added.set_defaults(run=run)
        return added

    source = add("source", _import_source, "from the shop's platform; the hub reads it")
    source.add_argument("name", metavar="NAME", help="of the source")
    source.add_argument(
        "--months", type=int, choices=(1, 3, 6, 12), default=3, help="how far back (default: 3)"
    )
    source.add_argument("--kinds", nargs="+", choices=sorted(KINDS), default=(), help="only these")
    _add_import_file(add("file", _import_file, "from a CSV or NDJSON file"))
    add("list", _list_imports, "the imports of a shop, newest first")
    for act, text in (
        ("show", "one of them, and what is wrong with its rows"),
        ("pause", "stop it for a while"),
        ("resume", "go on with one that was paused or has failed"),
        ("cancel", "give it up; what it took over stays"),
    ):
        add(act, _show_import, text).add_argument("id", metavar="ID", help="as `list` shows it")


def _add_import_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--kind", required=True, choices=sorted(KINDS), help="what each row is")
    parser.add_argument("--source", metavar="NAME", help="whose ids they are (default: api)")
    parser.add_argument("--format", choices=("csv", "ndjson"), help="default: by the file's name")
    parser.add_argument("--delimiter", default="", help="of a CSV file (default: by its header)")
    parser.add_argument("--encoding", default="utf-8-sig", help="of a CSV file (default: UTF-8)")
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="FIELD=HEADER",
        help="a column that has a name of its own, like number='№ заказа'; may be given several times",
    )
    parser.add_argument("--check", action="store_true", help="only read it; no hub is needed")


def _add_secrets(parser: argparse.ArgumentParser, common: list[argparse.ArgumentParser]) -> None:
    commands = parser.add_subparsers(dest="secrets_command", metavar="COMMAND", required=True)

    def add(name: str, run: str, text: str) -> None:
        added = commands.add_parser(name, help=text, description=text, parents=common)
        added.set_defaults(
            run=lambda settings, _: getattr(_module("hub.secrets_commands"), run)(settings)
        )

    add("status", "status", "which secrets are in use, and what is sealed with which")
    add("rotate", "rotate", "a new one in the data folder; the old one is still accepted")
    add("reseal", "seal_anew", "seal stored credentials with the present one (`up` does it itself)")
    add("forget", "forget", "accept the previous ones no more: links made with them end")


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", help="where the hub listens (default: as the settings say)")
    parser.add_argument("--key", help="a key with every right (default: one made for this run)")
    parser.add_argument("--shop", default="main", help="whose shop is played (default: main)")
    parser.add_argument("--locale", choices=("ru", "en"), help="default: the shop's")
    parser.add_argument(
        "--patience",
        type=float,
        default=20.0,
        metavar="SECONDS",
        help="how long each step may take (default: 20)",
    )


def _common(*, default: Any) -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=default,
        help="settings file (else VESTNIK_CONFIG, else ./vestnik.toml if there)",
    )
    common.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=default,
        help="where the embedded servers keep their files (else VESTNIK_DATA, else ./.vestnik)",
    )
    return common


def _up(settings: Settings, arguments: argparse.Namespace) -> Any:
    return _module("hub.up").run(settings, arguments.config)


def _api(settings: Settings, _arguments: argparse.Namespace) -> Any:
    complete = _complete(settings, "api")
    return _module("hub.api.main").run(complete)


def _worker(settings: Settings, arguments: argparse.Namespace) -> Any:
    complete = _complete(settings, "worker")
    return _module("hub.worker.main").run(complete, arguments.lane)


def _bots(settings: Settings, _arguments: argparse.Namespace) -> Any:
    complete = _complete(settings, "bots")
    return _module("bots.main").run(complete)


def _migrate(settings: Settings, _arguments: argparse.Namespace) -> Any:
    return _module("hub.commands").bring_up_to_date(settings)


def _scrub(settings: Settings, _arguments: argparse.Namespace) -> Any:
    return _module("hub.commands").scrub(settings)


def _check(settings: Settings, _arguments: argparse.Namespace) -> Any:
    return _module("hub.accounts.check").run(settings)


def _backup(settings: Settings, given: argparse.Namespace) -> Any:
    return _module("hub.backup.make").run(settings, given.target, force=given.force)


def _restore(settings: Settings, given: argparse.Namespace) -> Any:
    return _module("hub.backup.restore").run(settings, given.file, given.send)


def _held(settings: Settings, given: argparse.Namespace) -> Any:
    return _module("hub.backup.held").run(settings, given.send)


def _demo(settings: Settings, given: argparse.Namespace) -> Any:
    return _module("hub.demo.main").run(
        settings,
        shop=given.shop,
        url=given.url,
        key=given.key,
        locale=given.locale,
        patience=timedelta(seconds=given.patience),
    )


def _where(given: argparse.Namespace) -> Any:
    return _module("hub.import_command").Where(given.shop, given.url, given.key)


def _import_source(settings: Settings, given: argparse.Namespace) -> Any:
    kinds = [KINDS[kind] for kind in given.kinds]
    return _module("hub.import_command").from_source(
        settings, _where(given), given.name, given.months, kinds
    )


def _import_file(settings: Settings, given: argparse.Namespace) -> Any:
    command = _module("hub.import_command")
    layout = command.layout_of(
        settings,
        given.file,
        KINDS[given.kind],
        shop=given.shop,
        format_=given.format,
        delimiter=given.delimiter,
        encoding=given.encoding,
        columns=given.column,
    )
    if given.check:
        return command.check_file(given.file, layout)
    return command.from_file(settings, _where(given), given.file, layout, given.source)


def _list_imports(settings: Settings, given: argparse.Namespace) -> Any:
    return _module("hub.import_command").listed(settings, _where(given))


def _show_import(settings: Settings, given: argparse.Namespace) -> Any:
    act = "" if given.import_command == "show" else given.import_command
    return _module("hub.import_command").shown(settings, _where(given), given.id, act)


def _create_key(settings: Settings, given: argparse.Namespace) -> Any:
    return _module("hub.commands").create_key(settings, given.shop, given.scope, given.name)


def _list_keys(settings: Settings, given: argparse.Namespace) -> Any:
    return _module("hub.commands").list_keys(settings, given.shop)


def _revoke_key(settings: Settings, given: argparse.Namespace) -> Any:
    return _module("hub.commands").revoke_key(settings, given.shop, given.key)


def _link_operator(settings: Settings, given: argparse.Namespace) -> Any:
    return _module("hub.operator_commands").link(settings, given.shop, given.role)


def _list_operators(settings: Settings, _given: argparse.Namespace) -> Any:
    return _module("hub.operator_commands").listed(settings)


def _reset_operator(settings: Settings, given: argparse.Namespace) -> Any:
    return _module("hub.operator_commands").reset(settings, given.login)


def _module(name: str) -> Any:
    """By name, so that `keys` does not pay for what the API and the bots import."""
    return import_module(name)


def _complete(settings: Settings, role: str) -> Settings:
    """For a role by itself: both URLs must be there; a secret is kept in the data folder as under `up`."""
    for name in ("database_url", "redis_url"):
        if not getattr(settings.hub, name).get_secret_value():
            raise SettingsError(
                f"hub.{name} is empty: `vestnik {role}` needs the one that the other roles use;"
                f" set VESTNIK_{name.upper()}, or start everything with `vestnik up`"
            )
    return secret.complete(settings)
