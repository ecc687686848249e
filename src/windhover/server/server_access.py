"""What tasks may ask of the server; see :class:`windhover.plugin.context.ServerAccess`."""

from __future__ import annotations

import msgspec

from windhover.repository.tenant_kv import TenantKv
from windhover.server.execution_access import ExecutorAccess
from windhover.server.flow_access import RepositoryFlowStore
from windhover.server.log_access import RepositoryLogSearch
from windhover.server.metric_access import RepositoryMetricStore
from windhover.server.subflow_outputs import RepositorySubflowOutputs
from windhover.server.trigger_access import RepositoryTriggerStore
from windhover.storage.namespace_files import TenantNamespaceFiles


class RepositoryAccess(msgspec.Struct, frozen=True):
    """Logs, stored values, files of namespaces and other executions, where a server has them."""

    logs: RepositoryLogSearch
    kv: TenantKv
    namespace_files: TenantNamespaceFiles
    subflow_outputs: RepositorySubflowOutputs
    executions: ExecutorAccess
    metrics: RepositoryMetricStore
    flows: RepositoryFlowStore
    triggers: RepositoryTriggerStore
