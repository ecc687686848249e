"""The internal storage: files named by `kestra:///` URIs, streamed in and out.

storage = Storage.local(Path("/var/lib/windhover/storage"))
files = storage.for_tenant("main")
stored = await files.put(input_uri("io.acme", "sales", execution_id, "report", "may.csv"), stream)
async for chunk in await files.open(stored.uri): ...
"""

from __future__ import annotations

from windhover.storage.backend import FileStream, ObjectKey, Source, StorageBackend, StoredFile
from windhover.storage.errors import (
    InvalidStorageUriError,
    StorageError,
    StorageFileNotFoundError,
    StorageLimitError,
)
from windhover.storage.storage import DEFAULT_READ_LIMIT, Storage, TenantStorage
from windhover.storage.uri import (
    StoragePath,
    execution_prefix,
    flow_output_uri,
    flow_prefix,
    input_uri,
    is_within,
    namespace_prefix,
    parse_prefix,
    parse_uri,
    storable_name,
    task_run_prefix,
    task_run_uri,
)

__all__ = [
    "DEFAULT_READ_LIMIT",
    "FileStream",
    "InvalidStorageUriError",
    "ObjectKey",
    "Source",
    "Storage",
    "StorageBackend",
    "StorageError",
    "StorageFileNotFoundError",
    "StorageLimitError",
    "StoragePath",
    "StoredFile",
    "TenantStorage",
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
