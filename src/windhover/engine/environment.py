"""What the engine is told about the world, so that it need not look: ids, settings, and how to render."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import msgspec

from windhover.engine.encryption import Encrypt
from windhover.engine.spill import StoredValue
from windhover.expression import Scope
from windhover.model.execution import JsonValue
from windhover.util.ids import new_id


class EngineEnvironment(msgspec.Struct, frozen=True):
    """Fixed for the life of an executor.

    ``scope`` makes the scope in which an expression is rendered, with the server access that the
    executor grants; ``load_stored`` reads an output that is kept in the storage;
    ``namespace_variables`` is what flows of a namespace read as ``namespace``.
    ``encrypt`` and ``decrypt`` are for SECRET values. ``max_flow_outputs`` is how many
    bytes of JSON the outputs of a flow, or of one round of a loop, may come to, ``max_loop_outputs`` those of
    all rounds of a loop, and ``max_log_lines`` how many lines of tasks the log of an
    execution keeps. ``kill_grace`` is how long a killed task run may take to end before its result is no
    longer waited for, ``finally_limit`` how long ``finally`` branches may take after a kill, and
    ``queue_limit`` how long an execution may wait for its turn where its flow does not say.
    ``country`` is the server's, by two letters, for conditions on public holidays that name none, and
    ``zone`` the time zone of windows that name none. ``flow_trigger_repeats`` is how often one Flow trigger
    may fire in a chain of executions that started one another: flows that trigger each other without end are
    stopped there. ``longest_chain`` is how many executions may start one another in quick succession, and
    ``most_recursive`` how many may come of flows that start themselves.
    ``recursive_rendering`` says that results are rendered again, so that no template tells all
    that it reads.
    """

    new_id: Callable[[], str] = new_id
    scope: Callable[[Mapping[str, object], str], Scope] = lambda variables, execution_id: Scope(variables)
    encrypt: Encrypt | None = None
    decrypt: Callable[[Mapping[str, JsonValue]], str] | None = None
    load_stored: Callable[[StoredValue], JsonValue] | None = None
    globals: Mapping[str, JsonValue] = msgspec.field(default_factory=dict)
    envs: Mapping[str, str] = msgspec.field(default_factory=dict)
    server: Mapping[str, JsonValue] = msgspec.field(default_factory=dict)
    namespace_variables: Callable[[str], Mapping[str, JsonValue]] = lambda namespace: {}
    kill_grace: timedelta = timedelta(seconds=30)
    max_flow_outputs: int = 4 * 1024 * 1024
    max_loop_outputs: int = 64 * 1024 * 1024
    max_log_lines: int = 2_000_000
    finally_limit: timedelta = timedelta(hours=1)
    queue_limit: timedelta | None = None
    country: str | None = None
    zone: str = "UTC"
    flow_trigger_repeats: int = 10
    longest_chain: int = 1000
    most_recursive: int = 10_000
    recursive_rendering: bool = False
