"""`kestra:///` URIs: reading, writing and comparing them, and the layout of the storage.

A URI names a file below the root of one tenant. The tenant is not part of it. Folders are
laid out by what owns the files:

    kestra:///<namespace, dots as slashes>/<flow>/executions/<execution>/inputs/<input>/<name>
    kestra:///<namespace, dots as slashes>/<flow>/executions/<execution>/tasks/<task>/<task run>/<name>
    kestra:///<namespace, dots as slashes>/<flow>/executions/<execution>/outputs/<name>

In the folders of flows and tasks an underscore is written as a hyphen.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote, unquote_to_bytes

import msgspec

from windhover.storage.errors import InvalidStorageUriError

__all__ = [
    "StoragePath",
    "execution_prefix",
    "flow_output_uri",
    "flow_prefix",
    "input_uri",
    "is_within",
    "namespace_prefix",
    "parse_prefix",
    "parse_uri",
    "storable_name",
    "task_run_prefix",
    "task_run_uri",
]

SCHEME = "kestra"
ROOT = f"{SCHEME}:///"

MAX_NAME_BYTES = 255
"""The longest name that the common file systems store, in bytes of UTF-8."""

MAX_DEPTH = 100
"""The most folders and names a path may have."""

# What RFC 3986 allows in a path segment besides letters and digits.
_SAFE_IN_SEGMENT = "-._~!$&'()*+,;=:@"
_FORBIDDEN = re.compile(r"[/\\\x00-\x1f\x7f]")
_STORABLE_BYTES = 200


class StoragePath(msgspec.Struct, frozen=True):
    """A place below the root of a tenant: the decoded names of its folders, then its own.

    Every name has been checked: it cannot be empty, `.`, `..`, or hold a slash, a backslash
    or a control character, so no path leads out of the tenant.
    """

    segments: tuple[str, ...]

    def __post_init__(self) -> None:
        reason = _path_refusal(self.segments)
        if reason:
            raise InvalidStorageUriError(f"{_printable(ROOT + '/'.join(self.segments))}: {reason}")

    @property
    def uri(self) -> str:
        """The path as a `kestra:///` URI, percent-encoded."""
        return ROOT + "/".join(quote(segment, safe=_SAFE_IN_SEGMENT) for segment in self.segments)

    def child(self, *segments: str) -> StoragePath:
        """The path of something below this one."""
        return StoragePath(self.segments + segments)

    def is_within(self, prefix: StoragePath) -> bool:
        """Whether this path is `prefix` or lies below it, compared name by name."""
        return self.segments[: len(prefix.segments)] == prefix.segments

    def __str__(self) -> str:
        return self.uri


def parse_uri(uri: str | StoragePath) -> StoragePath:
    """Read the URI of a file.

    Percent-encoded and plain characters are both understood; `?` and `#` must be encoded.

    Raises:
        InvalidStorageUriError: another scheme, a host, a way out of the tenant (`..`, encoded or
            not, a backslash, an empty name), or a folder instead of a file.
    """
    path = uri if isinstance(uri, StoragePath) else _parse(uri)
    if not path.segments:
        raise InvalidStorageUriError(f"{uri}: names no file")
    if isinstance(uri, str) and uri.endswith("/"):
        raise InvalidStorageUriError(f"{uri}: names a folder, not a file")
    return path


def parse_prefix(uri: str | StoragePath) -> StoragePath:
    """Read the URI of a folder; a slash at its end and the root `kestra:///` are allowed.

    Raises:
        InvalidStorageUriError: as for `parse_uri`.
    """
    return uri if isinstance(uri, StoragePath) else _parse(uri)


def is_within(uri: str | StoragePath, prefix: str | StoragePath) -> bool:
    """Whether a URI names something in the folder `prefix`; false for what is no storage URI.

    This is the mechanism of access checks ("is this file of this execution?"). Names are
    compared whole and decoded: `kestra:///a/bc` is not within `kestra:///a/b`. As a namespace's
    folder holds its children's, a file of `io.acme.sales` is within the folder of `io.acme`.
    """
    try:
        path = parse_uri(uri)
    except InvalidStorageUriError:
        return False
    return path.is_within(parse_prefix(prefix))


def namespace_prefix(namespace: str) -> str:
    """The folder of everything that a namespace and its children own."""
    return _namespace(namespace).uri


def flow_prefix(namespace: str, flow_id: str) -> str:
    """The folder of a flow's files."""
    return _flow(namespace, flow_id).uri


def execution_prefix(namespace: str, flow_id: str, execution_id: str) -> str:
    """The folder of an execution's files."""
    return _execution(namespace, flow_id, execution_id).uri


def input_uri(namespace: str, flow_id: str, execution_id: str, input_id: str, name: str) -> str:
    """The URI of a file given to an execution as an input; `name` is made storable."""
    execution = _execution(namespace, flow_id, execution_id)
    return execution.child("inputs", input_id, storable_name(name)).uri


def flow_output_uri(namespace: str, flow_id: str, execution_id: str, name: str) -> str:
    """The URI of a file that holds an output of a flow; `name` is made storable."""
    return _execution(namespace, flow_id, execution_id).child("outputs", storable_name(name)).uri


def task_run_prefix(namespace: str, flow_id: str, execution_id: str, task_id: str, task_run_id: str) -> str:
    """The folder of the files that a task run made."""
    return _task_run(namespace, flow_id, execution_id, task_id, task_run_id).uri


def task_run_uri(
    namespace: str, flow_id: str, execution_id: str, task_id: str, task_run_id: str, name: str
) -> str:
    """The URI of a file that a task run made.

    `name` may hold folders (`dist/report.csv`); each of its parts is made storable.
    """
    task_run = _task_run(namespace, flow_id, execution_id, task_id, task_run_id)
    parts = [storable_name(part) for part in name.split("/") if part]
    return task_run.child(*(parts or [storable_name(name)])).uri


def storable_name(name: str) -> str:
    """Turn any file name into one that every storage takes.

    A common name comes back as it is. Otherwise the characters that no storage takes become
    `_`, a long name is cut (its extension stays), and a digest of the original is added, so
    that two names never become one.
    """
    if len(name.encode("utf-8", "replace")) <= _STORABLE_BYTES and _name_refusal(name) is None:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    cleaned = _FORBIDDEN.sub("_", name).encode("utf-8", "replace").decode("utf-8")
    stem, dot, extension = cleaned.rpartition(".")
    if not stem or not extension or len(extension) > 16:
        stem, dot, extension = cleaned, "", ""
    shortened = stem.encode()[: _STORABLE_BYTES - 100].decode("utf-8", "ignore").rstrip(".")
    return f"{shortened}-{digest}{dot}{extension}"


def _parse(uri: str) -> StoragePath:
    if not uri.startswith(ROOT):
        raise InvalidStorageUriError(f"{_printable(uri)}: a URI of the internal storage starts with {ROOT}")
    body = uri[len(ROOT) :]
    if "?" in body or "#" in body:
        raise InvalidStorageUriError(f"{_printable(uri)}: '?' must be written %3F and '#' %23")
    if not body:
        return StoragePath(())
    try:
        segments = tuple(
            unquote_to_bytes(segment).decode("utf-8") for segment in body.removesuffix("/").split("/")
        )
    except UnicodeError:
        raise InvalidStorageUriError(f"{_printable(uri)}: is not valid UTF-8") from None
    reason = _path_refusal(segments)
    if reason:
        # Named as it was written, not as it decodes: that is what the author can look for.
        raise InvalidStorageUriError(f"{_printable(uri)}: {reason}")
    return StoragePath(segments)


def _path_refusal(segments: tuple[str, ...]) -> str | None:
    if len(segments) > MAX_DEPTH:
        return f"is deeper than {MAX_DEPTH} folders"
    return next(filter(None, map(_name_refusal, segments)), None)


def _name_refusal(segment: str) -> str | None:
    """Say why a name cannot be part of a path, or None when it can."""
    if not segment:
        return "holds an empty name"
    if segment in (".", ".."):
        return f"'{segment}' leads out of the folder and is not allowed"
    if _FORBIDDEN.search(segment):
        return "a name holds a slash, a backslash or a control character"
    try:
        encoded = segment.encode()
    except UnicodeEncodeError:
        return "a name is not valid Unicode"
    if len(encoded) > MAX_NAME_BYTES:
        return f"a name is longer than {MAX_NAME_BYTES} bytes"
    return None


def _namespace(namespace: str) -> StoragePath:
    return StoragePath(tuple(namespace.split(".")))


def _flow(namespace: str, flow_id: str) -> StoragePath:
    return _namespace(namespace).child(flow_id.replace("_", "-"))


def _execution(namespace: str, flow_id: str, execution_id: str) -> StoragePath:
    return _flow(namespace, flow_id).child("executions", execution_id)


def _task_run(namespace: str, flow_id: str, execution_id: str, task_id: str, task_run_id: str) -> StoragePath:
    execution = _execution(namespace, flow_id, execution_id)
    return execution.child("tasks", task_id.replace("_", "-"), task_run_id)


def _printable(text: str) -> str:
    """Keep a refused URI on one line of the log and short."""
    shown = text.encode("unicode_escape").decode() if not text.isprintable() else text
    return shown if len(shown) <= 300 else shown[:300] + "…"
