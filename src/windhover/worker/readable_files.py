"""Which stored files an execution may read, and where their bytes lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from windhover.model.execution import JsonValue
from windhover.plugin.context import NamespaceFileStore
from windhover.storage import StorageError, StoragePath, execution_prefix, is_within, parse_uri
from windhover.storage.namespace_files import FILES

#: The variables in which a file of somebody else may have been handed to an execution.
_HANDED_OVER = ("inputs", "trigger", "outputs")


class ExecutionPlace(Protocol):
    """Where an execution belongs."""

    @property
    def namespace(self) -> str: ...
    @property
    def flow_id(self) -> str: ...
    @property
    def execution_id(self) -> str: ...


class ReadableFiles:
    """The files of an execution, those of namespaces, and those of other executions that it was given.

    It was given a file when an input, its trigger or an output of a task holds the URI, and all files of the
    execution that started it.
    """

    def __init__(
        self, place: ExecutionPlace, variables: Mapping[str, JsonValue], namespace_files: NamespaceFileStore
    ) -> None:
        self._place = place
        self._variables = variables
        self._namespace_files = namespace_files

    async def locate(self, uri: str) -> str:
        """The URI under which the bytes of a file lie: of a namespace's file, those of a version.

        Raises:
            FileNotFoundError: a namespace has no such file.
            PermissionError: it is a file of another execution that was not given to this one.
            windhover.storage.InvalidStorageUriError: it is no URI of the internal storage.
        """
        path = parse_uri(uri)
        if FILES in path.segments and "executions" not in path.segments[: path.segments.index(FILES)]:
            found = await self._namespace_files.resolve(uri)
            if found.content is None:
                raise StorageError(f"{uri} is a directory, and no file")
            return found.content
        if self._is_own(uri) or self._was_given(path, uri):
            return uri
        if "executions" not in path.segments:
            raise PermissionError(
                f"{uri} names neither a file of an execution (`kestra:///<namespace>/<flow>/executions/…`) "
                "nor one of a namespace (`kestra:///<namespace>/_files/…`)"
            )
        raise PermissionError(
            f"{uri} belongs to another execution, and was not given to this one as an input, by its trigger"
            " or by a task"
        )

    def require_of_trigger(self, uri: str) -> None:
        """Raises PermissionError unless the trigger has brought this URI of another execution's file."""
        trigger = self._variables.get("trigger")
        if "executions" not in parse_uri(uri).segments[:-1] or not _mentions(trigger, uri):
            raise PermissionError(f"{uri} is no value of this flow, and did not come with its trigger")

    def _is_own(self, uri: str) -> bool:
        place = self._place
        return is_within(uri, execution_prefix(place.namespace, place.flow_id, place.execution_id))

    def _was_given(self, path: StoragePath, uri: str) -> bool:
        # Ids of executions cannot be guessed, so naming one is proof of having been given it.
        if "executions" not in path.segments[:-1]:
            return False
        given = [self._variables[name] for name in _HANDED_OVER if name in self._variables]
        task_run = self._variables.get("taskrun")
        if isinstance(task_run, Mapping):
            # A batch of a ForEachItem: after a replay it may lie with the execution that was split.
            given.append(task_run.get("items"))
        if any(_mentions(value, uri) for value in given):
            return True
        trigger = self._variables.get("trigger")
        parent = trigger.get("executionId") if isinstance(trigger, Mapping) else None
        return path.segments[path.segments.index("executions") + 1] == parent


def _mentions(value: JsonValue, uri: str) -> bool:
    if isinstance(value, str):
        return uri in value
    if isinstance(value, Mapping):
        return any(_mentions(item, uri) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_mentions(item, uri) for item in value)
    return False
