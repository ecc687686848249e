"""A flow as a picture: its tasks and triggers as nodes, what follows what as edges, nesting as clusters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from windhover.model.execution import JsonValue
from windhover.model.flow import TASK_LISTS, Flow
from windhover.model.task import Task
from windhover.plugin.flowable import Branch, BranchKind, FlowableTask
from windhover.webserver.wire.executions import TaskRunJson

_TYPES = "io.kestra.core.models.hierarchies."
_ROOT = "root"


class GraphNodeJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """A task, a trigger, or the begin or the end of a cluster, as ``type`` says.

    ``branch_type`` says that it is in a branch of errors, finally or afterExecution. ``task_run`` is the last
    run of a task in the execution that is shown.
    """

    uid: str
    type: str
    branch_type: str | None = None
    task: JsonValue = None
    trigger: JsonValue = None
    task_run: TaskRunJson | None = None


class RelationJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """What leads from one node to another; ``value`` is that of a choice."""

    relation_type: str | None = None
    value: str | None = None


class GraphEdgeJson(msgspec.Struct):
    """One node comes after another."""

    source: str
    target: str
    relation: RelationJson


class GraphClusterJson(msgspec.Struct):
    """A flow-control task with what is in it. ``parents`` are the clusters around it, the outermost first."""

    cluster: GraphNodeJson
    nodes: list[str]
    parents: list[str]
    start: str
    end: str


class FlowGraphJson(msgspec.Struct):
    """All of it; ``flowables`` are the uids of flow-control tasks."""

    nodes: list[GraphNodeJson]
    edges: list[GraphEdgeJson]
    clusters: list[GraphClusterJson]
    flowables: list[str]


def flow_graph(flow: Flow, task_runs: Iterable[TaskRunJson] = ()) -> FlowGraphJson:
    """The picture of a flow; with the task runs of an execution, these beside their tasks."""
    return _Drawing(flow, {run.task_id: run for run in task_runs}).finished()


class _Place(msgspec.Struct, frozen=True):
    """Where something is drawn: below which uid, in which clusters, in what kind of branch."""

    uid: str
    clusters: tuple[GraphClusterJson, ...] = ()
    branch: str | None = None


class _Drawing:
    def __init__(self, flow: Flow, runs: Mapping[str, TaskRunJson]) -> None:
        self._flow = flow
        self._runs = runs
        shown = flow.to_json()
        self._written = _tasks_by_id([shown.get(name) for name in TASK_LISTS])
        self._graph = FlowGraphJson([], [], [], [])

    def finished(self) -> FlowGraphJson:
        flow, place = self._flow, _Place(_ROOT)
        start, end = self._ends(place)
        self._triggers(start)
        branches = [Branch(flow.tasks)]
        last = self._inside(place, start, branches, flow.errors, flow.finally_)
        if flow.after_execution:
            last = self._after_execution(place, last, flow.after_execution)
        self._edge(last, end)
        return self._graph

    def _triggers(self, start: str) -> None:
        if not self._flow.triggers:
            return
        uid = f"{_ROOT}.Triggers"
        place = self._cluster(_Place(uid), GraphNodeJson(f"cluster_{uid}", _TYPES + "GraphCluster"))
        first, last = self._ends(place)
        self._close(place, first, last)
        for trigger in self._flow.to_json()["triggers"]:
            node = GraphNodeJson(f"{uid}.{trigger['id']}", _TYPES + "GraphTrigger", trigger=trigger)
            self._node(place, node)
            self._edge(first, node.uid)
            self._edge(node.uid, last)
        self._edge(last, start)

    def _inside(
        self,
        place: _Place,
        start: str,
        branches: Sequence[Branch],
        errors: Sequence[Task],
        finally_: Sequence[Task],
    ) -> str:
        """Draw what is between the begin and the end of a list of tasks; the node that leads to the end."""
        tails = self._branches(place, start, branches)
        if errors:
            tails.append(
                self._row(
                    msgspec.structs.replace(place, branch="ERROR"), start, errors, RelationJson("ERROR")
                )
            )
        if not finally_:
            if len(tails) == 1:
                return tails[0]
            join = GraphNodeJson(f"{place.uid}.join", _TYPES + "GraphClusterEnd")
        else:
            join = GraphNodeJson(f"{place.uid}.finally", _TYPES + "GraphClusterFinally")
        self._node(place, join)
        for tail in tails:
            self._edge(tail, join.uid)
        if not finally_:
            return join.uid
        inside = msgspec.structs.replace(place, branch="FINALLY")
        return self._row(inside, join.uid, finally_, RelationJson("FINALLY"))

    def _branches(self, place: _Place, start: str, branches: Sequence[Branch]) -> list[str]:
        """Draw branches side by side; the nodes they end with."""
        exits: dict[str, str] = {}
        waited_for: set[str] = set()
        for branch in _in_order(branches):
            relation = RelationJson(branch.kind.value, branch.value)
            name = branch.tasks[-1].id if branch.tasks else str(branch.value)
            before = [exits[other] for other in branch.after if other in exits] or [start]
            waited_for.update(branch.after)
            exits[name] = self._row(place, before[0], branch.tasks, relation, before[1:])
        return [exit for name, exit in exits.items() if name not in waited_for] or [start]

    def _row(
        self,
        place: _Place,
        before: str,
        tasks: Sequence[Task],
        relation: RelationJson,
        also_before: Sequence[str] = (),
    ) -> str:
        for number, task in enumerate(tasks):
            entry, exit = self._task(place, task)
            self._edge(before, entry, relation if number == 0 else RelationJson(BranchKind.SEQUENTIAL.value))
            for other in also_before if number == 0 else ():
                self._edge(other, entry, relation)
            before = exit
        return before

    def _task(self, place: _Place, task: Task) -> tuple[str, str]:
        """Draw a task; the nodes by which it is entered and left."""
        uid = f"{place.uid}.{task.id}"
        node = GraphNodeJson(
            uid,
            _TYPES + "GraphTask",
            place.branch,
            task=self._written.get(task.id, {"id": task.id, "type": task.type}),
            task_run=self._runs.get(task.id),
        )
        if not isinstance(task, FlowableTask):
            self._node(place, node)
            return uid, uid
        self._graph.flowables.append(uid)
        cluster = GraphNodeJson(f"cluster_{uid}", _TYPES + "GraphCluster", place.branch)
        inside = self._cluster(msgspec.structs.replace(place, uid=uid), cluster)
        start, end = self._ends(inside)
        self._close(inside, start, end)
        self._node(inside, node)
        self._edge(start, uid)
        last = self._inside(inside, uid, list(task.branches()), task.errors, task.finally_)
        self._edge(last, end)
        return start, end

    def _after_execution(self, place: _Place, last: str, tasks: Sequence[Task]) -> str:
        node = GraphNodeJson(f"{place.uid}.afterExecution", _TYPES + "GraphClusterAfterExecution")
        self._node(place, node)
        self._edge(last, node.uid)
        inside = msgspec.structs.replace(place, branch="AFTER_EXECUTION")
        return self._row(inside, node.uid, tasks, RelationJson("AFTER_EXECUTION"))

    def _cluster(self, place: _Place, node: GraphNodeJson) -> _Place:
        parents = [outer.cluster.uid for outer in place.clusters]
        cluster = GraphClusterJson(node, [], parents, "", "")
        self._graph.clusters.append(cluster)
        return msgspec.structs.replace(place, clusters=(*place.clusters, cluster))

    def _close(self, place: _Place, start: str, end: str) -> None:
        place.clusters[-1].start, place.clusters[-1].end = start, end

    def _ends(self, place: _Place) -> tuple[str, str]:
        start = GraphNodeJson(f"{place.uid}.root", _TYPES + "GraphClusterRoot", place.branch)
        end = GraphNodeJson(f"{place.uid}.end", _TYPES + "GraphClusterEnd", place.branch)
        self._node(place, start)
        self._node(place, end)
        return start.uid, end.uid

    def _node(self, place: _Place, node: GraphNodeJson) -> None:
        self._graph.nodes.append(node)
        if place.clusters:
            place.clusters[-1].nodes.append(node.uid)

    def _edge(self, source: str, target: str, relation: RelationJson | None = None) -> None:
        self._graph.edges.append(GraphEdgeJson(source, target, relation or RelationJson()))


def _in_order(branches: Sequence[Branch]) -> list[Branch]:
    """Each branch behind those it waits for; a flow with a cycle is not saved."""
    by_task = {branch.tasks[-1].id: branch for branch in branches if branch.tasks}
    ordered: dict[int, Branch] = {}
    pending = list(reversed(branches))
    while pending:
        branch = pending.pop()
        missing = [by_task[id_] for id_ in branch.after if id(by_task[id_]) not in ordered]
        if missing:
            pending += [branch, *missing]
        else:
            ordered[id(branch)] = branch
    return list(ordered.values())


def _tasks_by_id(places: JsonValue) -> dict[str, JsonValue]:
    """All tasks as they are written, at every depth, by their ids."""
    found: dict[str, JsonValue] = {}
    pending = [places]
    while pending:
        place = pending.pop()
        if isinstance(place, dict):
            if isinstance(place.get("id"), str) and "type" in place:
                found.setdefault(place["id"], place)
            pending += place.values()
        elif isinstance(place, list):
            pending += place
    return found
