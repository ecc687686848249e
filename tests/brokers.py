"""Message brokers for tests and benchmarks: real servers on free ports of the loopback interface.

Each is used as a context manager and keeps its files in a folder of its own, so that it can be stopped and
started again on the same messages. Should the process that started one be killed, a watcher ends it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

_START_TIMEOUT = 60

#: Kills a process group when a process has ended; ends itself with the group.
_WATCHER = """
while kill -s 0 -- "-$2" 2>/dev/null; do
  kill -s 0 "$1" 2>/dev/null || kill -s KILL -- "-$2"
  sleep 1
done
"""


class BrokerNotInstalled(Exception):
    """This machine has no such server."""


class Broker(ABC):
    """A server in a process group of its own."""

    #: Where Debian's package puts the program, if that is not on the path.
    programs: ClassVar[tuple[str, ...]]

    def __init__(self, folder: Path) -> None:
        """Keep the files in ``folder``, which is made when it is not there.

        Raises:
            BrokerNotInstalled: this machine has no such server.
        """
        self.folder = folder
        self.port = free_port()
        self.program = self._find()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start, and wait until connections are taken."""
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command(),
                env={**os.environ, **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._watch(self._process.pid)
        deadline = time.monotonic() + _START_TIMEOUT
        pause = threading.Event()
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(
                    f"{self.program} did not start:\n{log.read_text(errors='replace')[-4000:]}"
                )
            pause.wait(0.05)

    def stop(self) -> None:
        """SIGTERM, and wait for the end."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def is_ready(self) -> bool:
        """Whether connections are taken."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The program and its arguments."""

    def environment(self) -> Mapping[str, str]:
        """What its environment has besides ours."""
        return {}

    def _find(self) -> Path:
        for name in self.programs:
            if found := shutil.which(name):
                return Path(found)
        raise BrokerNotInstalled(f"{Path(self.programs[0]).name} is not installed here")

    def _watch(self, group: int) -> None:
        subprocess.Popen(
            ["sh", "-c", _WATCHER, "watcher", str(os.getpid()), str(group)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _end(self, how: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        try:
            os.killpg(process.pid, how)
            process.wait(_START_TIMEOUT)
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            process.wait()
        self._process = None


class Mosquitto(Broker):
    """An MQTT broker that keeps sessions and any number of messages for them."""

    programs = ("mosquitto", "/usr/sbin/mosquitto")

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str | Path]:
        configuration = self.folder / "mosquitto.conf"
        configuration.write_text(
            f"listener {self.port} 127.0.0.1\n"
            "allow_anonymous true\n"
            "persistence true\n"
            f"persistence_location {self.folder}/\n"
            "max_queued_messages 0\n"
            f"user {_user()}\n"
            f"{self.more_configuration}\n"
        )
        return [self.program, "-c", configuration]

    #: Lines added to the configuration at the next start.
    more_configuration = ""


class RabbitMq(Broker):
    """An AMQP broker; the user is `guest`."""

    programs = ("/usr/lib/rabbitmq/bin/rabbitmq-server",)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._names = free_port()
        self._distribution = free_port()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def command(self) -> Sequence[str | Path]:
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self.port}\nlog.console.level = warning\n"
        )
        (self.folder / "enabled_plugins").write_text("[].\n")
        # Erlang's server of names is started first, so that it belongs to the process group.
        names = f"epmd -address 127.0.0.1 -port {self._names} & exec {self.program}"
        return ["sh", "-c", names]

    def environment(self) -> Mapping[str, str]:
        return {
            "HOME": str(self.folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names),
            "RABBITMQ_NODENAME": f"windhover-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
        }


class RedisServer(Broker):
    """A Redis server that writes every change to its file."""

    programs = ("redis-server",)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str | Path]:
        return [
            self.program, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", self.folder,
            "--appendonly", "yes", "--save", "", "--daemonize", "no",
        ]  # fmt: skip


class NatsServer(Broker):
    """A NATS server with JetStream."""

    programs = ("nats-server", "/usr/sbin/nats-server")

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str | Path]:
        return [
            self.program, "--addr", "127.0.0.1", "--port", str(self.port),
            "--jetstream", "--store_dir", self.folder / "jetstream",
        ]  # fmt: skip


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _user() -> str:
    """Whom to run a server as that would change its user by itself."""
    import getpass

    return getpass.getuser()
