"""From a request to a webhook to an execution: key, signature, conditions, inputs, and one delivery only.

Documentation page: ``docs/webhooks.md``.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec
from starlette.requests import Request

from windhover.core.trigger.webhook import Webhook
from windhover.engine.conditions import conditions_hold
from windhover.engine.creation import FlowInputRenderer, new_execution
from windhover.engine.firing import FROM_TRIGGER
from windhover.engine.inputs import resolve_inputs
from windhover.engine.live import LiveExecution
from windhover.engine.messages import CreateExecution, EventGathered, ExecutionStored
from windhover.engine.variables import LayeredVariables, execution_variables
from windhover.expression import ExpressionError, Scope, render_value
from windhover.model.execution import Execution, ExecutionTrigger, JsonValue
from windhover.model.flow import Flow
from windhover.model.log import LogEntry, LogLevel
from windhover.model.trigger_state import TriggerKey
from windhover.plugin.condition import ConditionContext, ConditionError
from windhover.plugin.event_batch import EventBatch
from windhover.repository.batched_events import BatchedEvent, BatchedEventRepository, EventContent, Kept
from windhover.repository.errors import RepositoryError, RepositoryUnavailable
from windhover.repository.trigger_logs import TriggerJournal
from windhover.repository.triggers import TriggerBatch, TriggerEvent, TriggerRepository
from windhover.util.ids import new_id
from windhover.webserver.commands import ask
from windhover.webserver.errors import ApiError, conflict, invalid_entity, not_found
from windhover.webserver.execution_access import find_flow
from windhover.webserver.rate_limits import RateLimiter
from windhover.webserver.services import WebServices
from windhover.webserver.webhook_request import WebhookReader, WebhookRequest
from windhover.webserver.webhook_signature import SignatureCheck, SignatureRefused

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

#: Of the requests to a webhook that are refused so many a minute are told in the log of the trigger.
_MOST_TOLD = 10

#: Longer keys of deliveries are told apart by a digest, so that any fits an index.
_LONGEST_KEY = 200


class NotWanted(Exception):
    """The `when` of a webhook does not hold: there is nothing to do, and nothing wrong."""


class Undeliverable(Exception):
    """A request that the webhook is for, and that can start nothing. ``answer`` is for its sender."""

    def __init__(self, reason: str, answer: Callable[[str], ApiError]) -> None:
        super().__init__(reason)
        self.answer = answer(reason)


class Delivery(msgspec.Struct, frozen=True):
    """An execution that a request makes, not started yet. ``event`` names the delivery, if something does."""

    flow: Flow
    trigger: Webhook
    execution: Execution
    logs: list[LogEntry]
    request: WebhookRequest
    event: str | None = None


class Webhooks:
    """Receives requests to webhooks for all flows."""

    def __init__(self, services: WebServices, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._triggers = TriggerRepository(services.database)
        self._batched = BatchedEventRepository(services.database)
        self._limits = RateLimiter(monotonic)
        self._told = RateLimiter(monotonic)
        self._journal = TriggerJournal()

    # ---------------------------------------------------------------- who is called

    async def find(self, tenant: str, namespace: str, flow_id: str, key: str) -> tuple[Flow, Webhook]:
        """The webhook that a key opens.

        Raises:
            ApiError: 404, there is no such flow, or none of its webhooks has this key; 409, it is disabled;
                429, it was called too often.
        """
        flow = await find_flow(self._services, tenant, namespace, flow_id)
        hooks = [trigger for trigger in flow.triggers if isinstance(trigger, Webhook)]
        keys = await self._rendered(lambda: [self._key(flow, hook) for hook in hooks])
        given = key.encode()
        # All are compared, so that the time tells nothing.
        matches = [own is not None and hmac.compare_digest(own.encode(), given) for own in keys]
        found = [hook for hook, is_match in zip(hooks, matches, strict=True) if is_match]
        if not found:
            raise not_found("Webhook not found.")
        trigger = next((hook for hook in found if not hook.disabled), found[0])
        _refuse_disabled(flow, trigger)
        limit = trigger.rate_limit
        if limit is not None:
            name = (tenant, namespace, flow_id, trigger.id)
            wait = self._limits.take(name, limit.requests, limit.interval.total_seconds())
            if wait:
                raise ApiError(429, "Too many requests to this webhook.", headers={"Retry-After": str(wait)})
        return flow, trigger

    def _key(self, flow: Flow, trigger: Webhook) -> str | None:
        """The key of a webhook; None when it cannot be rendered, or is empty, which opens nothing."""
        try:
            key = FlowInputRenderer(self._services.environment, flow, "").render(trigger.key, {})
        except ExpressionError as error:
            logger.warning(
                "The key of webhook %s.%s.%s cannot be rendered: %s",
                flow.namespace,
                flow.id,
                trigger.id,
                error,
            )
            return None
        return str(key) or None

    # ---------------------------------------------------------------- what it brings

    async def receive(self, request: Request, flow: Flow, trigger: Webhook) -> Delivery:
        """Read a request and make the execution that it starts. Files are kept only if all is well.

        Raises:
            NotWanted: `when` does not hold.
            ApiError: 401, the signature is missing or wrong; 409 or 422, conditions do not hold, or inputs
                are wrong; 413, the body is too large.
        """
        execution_id = new_id()
        try:
            signature = await self._signature(request, flow, trigger)
        except (ExpressionError, SignatureRefused) as error:
            raise await self._unsigned(flow, trigger, error) from None
        reader = WebhookReader(self._services, request, flow, trigger, execution_id, signature)
        try:
            read = await reader.read_all()
            if signature is not None:
                signature.verify()
            await self._check_again(flow, trigger)
            return await self._rendered(
                lambda: self._deliver(flow, trigger, execution_id, read, request.headers.get)
            )
        except SignatureRefused as error:
            await reader.read.upload.discard()
            raise await self._unsigned(flow, trigger, error) from None
        except Undeliverable as error:
            await reader.read.upload.discard()
            await self._tell(flow, trigger, str(error))
            raise error.answer from None
        except BaseException:
            await reader.read.upload.discard()
            raise

    async def _check_again(self, flow: Flow, trigger: Webhook) -> None:
        """A body may take long to come: whoever disabled or deleted the webhook meanwhile wins.

        Raises:
            ApiError: 404 or 409.
        """
        latest = await find_flow(self._services, flow.tenant_id or "", flow.namespace, flow.id)
        now = latest.trigger_by_id(trigger.id)
        if not isinstance(now, Webhook):
            raise not_found("Webhook not found.")
        _refuse_disabled(latest, now)

    async def _signature(self, request: Request, flow: Flow, trigger: Webhook) -> SignatureCheck | None:
        """What checks the signature, if the webhook wants one.

        Raises:
            SignatureRefused: it cannot be right.
            ExpressionError: the secret cannot be rendered.
        """
        wanted = trigger.signature
        if wanted is None:
            return None
        renderer = FlowInputRenderer(self._services.environment, flow, "")
        secret = str(await self._rendered(lambda: renderer.render(wanted.secret, {})))
        if not secret:
            raise SignatureRefused("the secret of the webhook is empty")
        return SignatureCheck(wanted, secret, request.headers, self._services.clock())

    async def _tell(self, flow: Flow, trigger: Webhook, reason: str) -> None:
        """Say in the log of the trigger why a request was refused: many senders look at no answer."""
        key = TriggerKey(flow.tenant_id or "", flow.namespace, flow.id, trigger.id)
        if self._told.take(key, _MOST_TOLD, 60.0):
            return
        now = self._services.clock()
        line = self._journal.line(key, LogLevel.ERROR, f"A request is refused: {reason}", now)
        try:
            await self._triggers.commit(TriggerBatch(logs=[line]), now)
        except (RepositoryUnavailable, RepositoryError) as error:
            logger.warning("That a request to %s is refused (%s) cannot be logged: %s", key, reason, error)

    async def _unsigned(self, flow: Flow, trigger: Webhook, error: Exception) -> ApiError:
        # Whoever cannot sign learns no more than that.
        await self._tell(flow, trigger, str(error))
        logger.warning(
            "A request to webhook %s.%s.%s is refused: %s", flow.namespace, flow.id, trigger.id, error
        )
        return ApiError(401, "The signature of the request is missing or wrong.")

    def _deliver(
        self,
        flow: Flow,
        trigger: Webhook,
        execution_id: str,
        read: WebhookRequest,
        header: Callable[[str], str | None],
    ) -> Delivery:
        environment, now = self._services.environment, self._services.clock()
        execution = new_execution(flow, {}, execution_id, now, labels=[FROM_TRIGGER])
        execution.trigger = ExecutionTrigger(trigger.id, trigger.type, read.variables)
        variables = execution_variables(
            LiveExecution(flow, execution), environment, load=environment.load_stored
        )
        scope = environment.scope(variables, execution_id)
        self._check_conditions(flow, trigger, execution, scope)
        logs: list[LogEntry] = []
        # Inputs are those of an execution, which gathered requests get together later.
        if trigger.inputs and trigger.batch is None:
            execution.inputs, warnings = self._inputs(flow, trigger, execution_id, scope)
            logs = [_warning(execution, message) for message in warnings]
        return Delivery(flow, trigger, execution, logs, read, _event(trigger, scope, header))

    def _check_conditions(self, flow: Flow, trigger: Webhook, execution: Execution, scope: Scope) -> None:
        environment = self._services.environment
        context = ConditionContext(
            _ScopeRenderer(scope), flow.namespace, flow.id, execution, country=environment.country
        )
        try:
            holds = conditions_hold(trigger, context)
        except ConditionError as error:
            answer = invalid_entity if error.condition == "when" else conflict
            raise Undeliverable(str(error), answer) from None
        if holds:
            return
        if trigger.conditions:
            raise conflict("The conditions of the webhook are not met.")
        raise NotWanted

    def _inputs(
        self, flow: Flow, trigger: Webhook, execution_id: str, scope: Scope
    ) -> tuple[dict[str, JsonValue], list[str]]:
        refused = invalid_entity if "when" in trigger.model_fields_set else conflict
        given: dict[str, JsonValue] = {}
        for name, template in (trigger.inputs or {}).items():
            try:
                given[name] = render_value(template, scope, typed=True)
            except ExpressionError as error:
                reason = f"Input `{name}` of the webhook cannot be rendered: {error}"
                raise Undeliverable(reason, refused) from None
        resolved = resolve_inputs(
            flow.inputs,
            given,
            FlowInputRenderer(self._services.environment, flow, execution_id),
            workflow=f"{flow.namespace}.{flow.id}",
            encrypt=self._services.encrypt,
        )
        if resolved.problems:
            raise Undeliverable("\n".join(problem.message for problem in resolved.problems), refused)
        return resolved.values, resolved.warnings

    # ---------------------------------------------------------------- what it starts

    async def start(self, delivery: Delivery) -> Execution:
        """Start the execution of a delivery; once this returns it survives a power cut.

        Of several deliveries with one key the first starts an execution, and all are answered with it.

        Raises:
            CommandRefused: it cannot be started.
            QueueClosed: the executor is stopping.
            ApiError: 503, there was no answer in time.
        """
        if delivery.event is not None:
            return await self._start_once(delivery, delivery.event)
        try:
            started = await ask(self._services, CreateExecution(delivery.execution, delivery.logs))
        except ApiError:
            raise  # It may still be carried out, so its files are kept.
        except BaseException:
            await delivery.request.upload.discard()
            raise
        await delivery.request.upload.settle()
        return started

    async def _start_once(self, delivery: Delivery, event: str) -> Execution:
        execution = delivery.execution
        key = _trigger_key(delivery)
        for sequence, line in enumerate(delivery.logs, 1):
            line.sequence = sequence
        batch = TriggerBatch(events=[TriggerEvent(key, event, execution, delivery.logs)])
        if execution.id in await self._triggers.commit(batch, self._services.clock()):
            self._services.queue.executor.send(ExecutionStored(execution.id, execution, len(delivery.logs)))
            await delivery.request.upload.settle()
            return execution
        await delivery.request.upload.discard()
        first = await self._triggers.execution_of(key, event)
        found = await self._services.executions.header(first) if first is not None else None
        if found is None:
            raise conflict("This delivery has started an execution before, which has been deleted since.")
        return found

    # ---------------------------------------------------------------- what it adds to a batch

    async def gather(self, delivery: Delivery, batch: EventBatch) -> Kept:
        """Keep a delivery until it starts an execution with others; from here on it survives a power cut.

        Of several deliveries with one key the first is kept, and all are answered with what became of it.

        Raises:
            RepositoryUnavailable: it may be kept or not, so it has to be sent again.
        """
        now = self._services.clock()
        event = BatchedEvent(
            id=delivery.execution.id,
            key=_trigger_key(delivery),
            content=EventContent(delivery.request.variables, delivery.request.upload.stored),
            size=delivery.request.size,
            received=now,
            due=now + batch.max_duration,
            name=delivery.event,
        )
        try:
            kept = await self._batched.add(event)
        except RepositoryError:
            await delivery.request.upload.discard()
            raise
        if kept.event_id == event.id:
            await delivery.request.upload.settle()
            self._services.queue.broadcasts.publish(EventGathered(event.key))
        else:
            # It came before. Had it become a part of an execution meanwhile, its files would be that one's.
            await delivery.request.upload.discard()
        return kept

    # ---------------------------------------------------------------- what it answers

    async def response_code(self, delivery: Delivery, execution_id: str) -> int | None:
        """The `responseCode` of an execution that has ended; None when the webhook has none.

        Raises:
            ApiError: 500, it cannot be rendered, or is no status.
        """
        template = delivery.trigger.response_code
        stored = await self._services.executions.load(execution_id) if template is not None else None
        if template is None or stored is None:
            return None
        environment = self._services.environment
        live = LiveExecution.restore(delivery.flow, stored[0], stored[1], 0)
        variables = execution_variables(live, environment, load=environment.load_stored)
        scope = environment.scope(LayeredVariables({}, variables), execution_id)
        try:
            code = int(str(await self._rendered(lambda: render_value(template, scope))))
        except (ExpressionError, ValueError) as error:
            raise ApiError(500, f"The responseCode of the webhook cannot be told: {error}") from None
        if not 200 <= code <= 599:
            raise ApiError(500, f"The responseCode of the webhook is {code}, which is no HTTP status.")
        return code

    async def _rendered(self, render: Callable[[], Result]) -> Result:
        """Expressions may take long and ask the server, so they are rendered in a thread."""
        return await asyncio.to_thread(render)


class _ScopeRenderer:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def render(self, template: JsonValue) -> JsonValue:
        return render_value(template, self._scope)

    def evaluate(self, template: JsonValue) -> JsonValue:
        return render_value(template, self._scope, typed=True)


def _refuse_disabled(flow: Flow, trigger: Webhook) -> None:
    if flow.disabled:
        raise conflict("Cannot execute a disabled flow")
    if trigger.disabled:
        raise conflict("Cannot execute a disabled trigger")


def _trigger_key(delivery: Delivery) -> TriggerKey:
    execution = delivery.execution
    return TriggerKey(execution.tenant_id, execution.namespace, execution.flow_id, delivery.trigger.id)


def _event(trigger: Webhook, scope: Scope, header: Callable[[str], str | None]) -> str | None:
    """The name of a delivery; None when nothing names it.

    Raises:
        Undeliverable: the expression cannot be rendered.
    """
    name: str | None = None
    if trigger.idempotency_header is not None:
        name = header(trigger.idempotency_header)
    elif trigger.idempotency_key is not None:
        try:
            name = str(render_value(trigger.idempotency_key, scope))
        except ExpressionError as error:
            reason = f"The idempotencyKey of the webhook cannot be rendered: {error}"
            raise Undeliverable(reason, invalid_entity) from None
    if not name:
        return None
    if len(name) > _LONGEST_KEY:
        name = "sha256:" + hashlib.sha256(name.encode()).hexdigest()
    return name.replace("\0", "")


def _warning(execution: Execution, message: str) -> LogEntry:
    return LogEntry(
        tenant_id=execution.tenant_id,
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        execution_id=execution.id,
        timestamp=execution.state.start_date,
        level=LogLevel.WARN,
        message=message,
        trigger_id=execution.trigger.id if execution.trigger is not None else None,
    )
