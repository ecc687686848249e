"""``windhover server``: read the configuration, start, say what is served where, and stop when asked."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from windhover import __version__
from windhover.config import ConfigurationError, Settings, load
from windhover.server.standalone import Addresses, StandaloneServer

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What was given on the command line; it wins over everything configured elsewhere."""

    port: int | None
    management_port: int | None
    home: Path | None
    config: Sequence[Path] | None
    threads: int | None
    flow_folders: Sequence[Path]
    log_level: str
    embedded: bool = False


def serve(options: ServerOptions) -> int:
    """Serve until SIGTERM or SIGINT. 0: all tasks had ended; 1: it could not start; 2: some were cut off."""
    settings = _prepare(options.log_level, options.config, _overrides(options))
    return 1 if settings is None else _serve(settings, options)


def serve_scheduler(home: Path | None, config: Sequence[Path] | None, log_level: str) -> int:
    """As :func:`serve`, for a process that is a scheduler alone."""
    overrides: dict[str, object] = {} if home is None else {"windhover.home": str(home)}
    settings = _prepare(log_level, config, overrides)
    if settings is None:
        return 1
    import uvloop

    from windhover.repository.errors import RepositoryError, RepositoryUnavailable
    from windhover.server.scheduler_server import SchedulerServer

    server = SchedulerServer(settings)
    try:
        uvloop.run(server.serve(lambda: print(f"Windhover {__version__}: scheduler", flush=True)))
    except (RepositoryError, RepositoryUnavailable, OSError) as error:
        return _refuse(str(error))
    return 0


def _prepare(log_level: str, config: Sequence[Path] | None, overrides: dict[str, object]) -> Settings | None:
    """Set up the log and read the configuration; None, with the reason printed, when that cannot be done."""
    level = logging.getLevelNamesMapping().get(log_level.upper())
    if level is None:
        _refuse(f"--log-level: `{log_level}` is no level; use DEBUG, INFO, WARNING or ERROR.")
        return None
    logging.basicConfig(level=level, format=FORMAT, stream=sys.stderr)
    # Every request of every task would be a line of the server's log.
    logging.getLogger("httpx").setLevel(max(level, logging.WARNING))
    try:
        settings = load(config, overrides=overrides)
    except ConfigurationError as error:
        _refuse("The configuration is wrong:\n" + "\n".join(f"  {p}" for p in error.problems))
        return None
    for warning in settings.warnings:
        print(f"configuration: {warning}", file=sys.stderr)
    return settings


def _serve(settings: Settings, options: ServerOptions) -> int:
    import uvloop

    from windhover.repository.errors import RepositoryError, RepositoryUnavailable
    from windhover.server.http import PortTaken
    from windhover.server.service import AnotherServerRuns

    server = StandaloneServer(settings, flow_folders=options.flow_folders)
    try:
        graceful = uvloop.run(server.serve(lambda addresses: print(banner(settings, addresses), flush=True)))
    except (AnotherServerRuns, PortTaken, RepositoryError, RepositoryUnavailable) as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"The server cannot start: {error}")
    return 0 if graceful else 2


def banner(settings: Settings, addresses: Addresses) -> str:
    """What a person wants to know once the server answers."""
    host = "localhost" if addresses.host in ("0.0.0.0", "::", "") else addresses.host
    database = settings.database
    where = str(database.path) if database.path is not None else database.backend
    return (
        f"Windhover {__version__}\n"
        f"  API         http://{host}:{addresses.port}/api/v1/main\n"
        f"  Health      http://{host}:{addresses.management_port}/health\n"
        f"  Database    {where}\n"
        f"  Storage     {settings.storage_path}"
    )


def _overrides(options: ServerOptions) -> dict[str, object]:
    given = {
        "micronaut.server.port": options.port,
        "endpoints.all.port": options.management_port,
        "windhover.home": None if options.home is None else str(options.home),
        "windhover.worker.threads": options.threads,
        "kestra.repository.type": "sqlite" if options.embedded else None,
        "kestra.queue.type": "sqlite" if options.embedded else None,
    }
    return {key: value for key, value in given.items() if value is not None}


def _refuse(message: str) -> int:
    print(message, file=sys.stderr)
    return 1
