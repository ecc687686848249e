"""What the routes work with, given to the application once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from fastapi import Request

from windhover.config.settings import Settings
from windhover.engine.encryption import Encrypt, SecretCipher
from windhover.engine.environment import EngineEnvironment
from windhover.engine.messages import JobIdentity, TaskProgressed
from windhover.expression import ServerPort
from windhover.queue.local import LocalQueue
from windhover.repository.database import Database
from windhover.repository.executions import ExecutionRepository
from windhover.repository.flow_definitions import FlowDefinitions
from windhover.repository.flows import FlowRepository
from windhover.repository.logs import LogRepository
from windhover.repository.metrics import MetricRepository
from windhover.repository.settings import SettingRepository
from windhover.storage import Storage
from windhover.webserver.authentication import Authentication
from windhover.webserver.execution_feed import ExecutionFeed
from windhover.webserver.request_metrics import RequestMetrics

if TYPE_CHECKING:
    from windhover.webserver.webhooks import Webhooks

#: The tenant of the open API: paths without a tenant are about it.
DEFAULT_TENANT = "main"


def utc_now() -> datetime:
    return datetime.now(UTC)


def _all_up() -> Mapping[str, bool]:
    return {}


async def _left_to_the_sweep(execution_ids: Sequence[str]) -> None:
    return None


def _no_progress(execution_id: str) -> Mapping[str, TaskProgressed]:
    return {}


@dataclass(frozen=True)
class WebServices:
    """The parts of a server that its API speaks to.

    ``environment`` is the executor's, for expressions in inputs. ``expression_port`` gives what the
    functions of an evaluated expression reach of the server; its methods are called in threads. ``encrypt``
    keeps SECRET inputs; None refuses them. ``components`` tells by name which parts of this server run, and
    ``gauges`` numbers of this process by metric name, without prefix; both are read at every request of the
    management port. ``progress`` tells how far the running tasks of an execution say they are, by task run.
    """

    database: Database
    definitions: FlowDefinitions
    queue: LocalQueue
    storage: Storage
    settings: Settings
    environment: EngineEnvironment = field(default_factory=EngineEnvironment)
    expression_port: Callable[[JobIdentity], ServerPort] | None = None
    encrypt: Encrypt | None = None
    clock: Callable[[], datetime] = utc_now
    #: Encrypts the secrets that are stored; None refuses them.
    cipher: SecretCipher | None = None
    #: The names of the secrets that the environment gives to all namespaces.
    environment_secrets: Callable[[], Collection[str]] = tuple
    components: Callable[[], Mapping[str, bool]] = _all_up
    gauges: Callable[[], Mapping[str, float]] = dict
    progress: Callable[[str], Mapping[str, TaskProgressed]] = _no_progress
    #: Deletes the files of executions that were deleted; those that others need are left.
    remove_files: Callable[[Sequence[str]], Awaitable[None]] = _left_to_the_sweep
    #: The time zone of schedules that name none.
    zone: str = "UTC"
    tenants: frozenset[str] = frozenset({DEFAULT_TENANT})
    #: Seconds that a command may take before the client is told that it may still be carried out.
    command_timeout: float = 30.0
    #: Seconds between two comments that keep a silent event stream open.
    heartbeat: float = 15.0

    @cached_property
    def executions(self) -> ExecutionRepository:
        return ExecutionRepository(self.database)

    @cached_property
    def logs(self) -> LogRepository:
        return LogRepository(self.database)

    @cached_property
    def metrics(self) -> MetricRepository:
        return MetricRepository(self.database)

    @cached_property
    def instance_settings(self) -> SettingRepository:
        return SettingRepository(self.database)

    @cached_property
    def feed(self) -> ExecutionFeed:
        return ExecutionFeed(self.queue.broadcasts)

    @cached_property
    def webhooks(self) -> Webhooks:
        # Its module needs this one.
        from windhover.webserver.webhooks import Webhooks

        return Webhooks(self)

    @cached_property
    def request_metrics(self) -> RequestMetrics:
        return RequestMetrics()

    @cached_property
    def authentication(self) -> Authentication:
        return Authentication(self.settings.server.basic_auth, self.instance_settings, self.clock)

    @property
    def flows(self) -> FlowRepository:
        return self.definitions.repository


async def services_of(request: Request) -> WebServices:
    """The services of the application that a request came to. Asynchronous to be called without a thread."""
    services: WebServices = request.app.state.services
    return services
