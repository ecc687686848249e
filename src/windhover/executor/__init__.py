"""The executor: owns executions, applies what happens to them, commits, and only then dispatches."""

from windhover.executor.executor import Executor
from windhover.executor.large_values import LargeValues

__all__ = ["Executor", "LargeValues"]
