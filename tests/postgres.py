"""A throw-away PostgreSQL server for the test suite.

The first test that needs it starts it, one for all processes of a run (pytest-xdist), on a free port of
the loopback interface and without fsync. The process that pytest was started as stops it; should that be
killed, a watcher does. Tests that stop a server have one of their own, from a copy of its first files.
"""

from __future__ import annotations

import fcntl
import glob
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

_FOLDER_VARIABLE = "WINDHOVER_TEST_POSTGRES"
_OWNER_VARIABLE = "WINDHOVER_TEST_POSTGRES_OWNER"
_START_TIMEOUT = 60

#: For tests alone: nothing here needs to survive a power cut.
_CONFIGURATION = """
fsync = off
synchronous_commit = on
full_page_writes = off
shared_buffers = 32MB
max_connections = 200
listen_addresses = '127.0.0.1'
logging_collector = off
"""

#: Waits for a process to end, then asks the server to stop at once (SIGQUIT) and removes its folder.
_WATCHER = """
while kill -0 "$1" 2>/dev/null; do sleep 1; done
[ -f "$2/data/postmaster.pid" ] && kill -QUIT "$(head -n 1 "$2/data/postmaster.pid")"
rm -rf "$2"
"""


class PostgresNotInstalled(Exception):
    """There are no server binaries on this machine."""


def binaries() -> Path:
    """The folder of ``initdb`` and ``pg_ctl``: the newest below /usr/lib, pg_config's, or that on the path.

    Raises:
        PostgresNotInstalled: none has them.
    """
    candidates = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=_version, reverse=True)
    if pg_config := shutil.which("pg_config"):
        candidates.append(subprocess.check_output([pg_config, "--bindir"], text=True).strip())
    if initdb := shutil.which("initdb"):
        candidates.append(str(Path(initdb).parent))
    for candidate in candidates:
        if all((Path(candidate) / name).exists() for name in ("initdb", "pg_ctl", "postgres")):
            return Path(candidate)
    raise PostgresNotInstalled("no PostgreSQL server (initdb, pg_ctl, postgres) is installed here")


def _version(folder: str) -> float:
    try:
        return float(Path(folder).parent.name)
    except ValueError:
        return 0.0


class Cluster:
    """A server in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._binaries = binaries()

    @property
    def dsn(self) -> str:
        port = (self.folder / "port").read_text()
        return f"postgresql://windhover@127.0.0.1:{port}/postgres"

    def create(self, template: Path | None = None) -> None:
        """Make the files of the server, or copy those of another one that has not been started yet."""
        if user := _server_user():
            shutil.chown(self.folder, user)
        if template is None:
            self._run(
                "initdb", "--pgdata", str(self.data), "--username", "windhover", "--auth", "trust",
                "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions",
            )  # fmt: skip
            with (self.data / "postgresql.conf").open("a") as file:
                file.write(_CONFIGURATION)
        else:
            _copy(template, self.data)
        (self.folder / "port").write_text(str(_free_port()))

    def start(self) -> None:
        port = (self.folder / "port").read_text()
        options = f"-p {port} -k {self.folder}"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.data), "-l", log, "-o", options, "-w", "-t", "60", "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    async def create_database(self) -> str:
        """Make an empty database, and return its DSN."""
        name = f"test_{secrets.token_hex(8)}"
        await self._execute(f"CREATE DATABASE {name}")
        return f"{self.dsn.rpartition('/')[0]}/{name}"

    async def drop_database(self, dsn: str) -> None:
        """Remove a database, whoever still uses it."""
        await self._execute(f"DROP DATABASE {dsn.rpartition('/')[2]} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        import asyncpg

        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def watch(self, process: int) -> None:
        """Stop the server and remove its files when a process has ended."""
        subprocess.Popen(
            ["sh", "-c", _WATCHER, "watcher", str(process), str(self.folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _run(self, program: str, *arguments: str) -> None:
        # Not captured by a pipe: the server would inherit it and hold it open.
        with tempfile.TemporaryFile() as output:
            result = subprocess.run(
                [self._binaries / program, *arguments],
                user=_server_user(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=_START_TIMEOUT,
                check=False,
            )
            if result.returncode:
                output.seek(0)
                raise RuntimeError(f"{program} failed: {output.read().decode()}")


def shared_cluster() -> Cluster:
    """The server of this test run, started by whoever comes first.

    Raises:
        PostgresNotInstalled: this machine cannot run one.
    """
    folder = Path(os.environ[_FOLDER_VARIABLE])
    cluster = Cluster(folder)
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "started").exists():
            cluster.create()
            _copy(cluster.data, folder / "template")
            cluster.start()
            cluster.watch(int(os.environ[_OWNER_VARIABLE]))
            (folder / "started").touch()
    return cluster


def own_cluster(folder: Path) -> Cluster:
    """Another server of this test run, in a folder of its own: for a test that stops it.

    Raises:
        PostgresNotInstalled: this machine cannot run one.
    """
    template = shared_cluster().folder / "template"
    cluster = Cluster(folder)
    cluster.create(template)
    cluster.start()
    cluster.watch(os.getpid())
    return cluster


def announce_cluster() -> None:
    """Tell the processes of this run where its server will be. Called once, where the run begins."""
    name = f"windhover-postgres-{os.getpid()}-{secrets.token_hex(4)}"
    os.environ[_FOLDER_VARIABLE] = str(Path(tempfile.gettempdir()) / name)
    os.environ[_OWNER_VARIABLE] = str(os.getpid())


def stop_shared_cluster() -> None:
    """Stop the server of this run, if anyone started it, and remove its files."""
    folder = Path(os.environ.pop(_FOLDER_VARIABLE))
    if (folder / "started").exists():
        Cluster(folder).stop()
    shutil.rmtree(folder, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with the owners of its files."""
    subprocess.run(["cp", "-a", source, target], check=True)


def _server_user() -> str | None:
    """Whom to run the server as: it refuses to be run by root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
