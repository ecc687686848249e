"""The executor: owns executions, applies what happens to them, commits, and only then dispatches."""

from windhover.executor.executor import Executor

__all__ = ["Executor"]
