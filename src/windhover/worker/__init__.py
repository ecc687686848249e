"""The worker: takes jobs from the queue, runs each attempt of a task, and reports its end.

worker = Worker(queue.jobs, queue.executor, queue.broadcasts, environment)
running = asyncio.create_task(worker.run())
...
await worker.drain(timedelta(minutes=5))
"""

from windhover.worker.environment import LogLimits, OutputLimits, WorkerEnvironment, WorkerSettings
from windhover.worker.orphans import sweep_orphans
from windhover.worker.worker import RunningAttempt, Worker

__all__ = [
    "LogLimits",
    "OutputLimits",
    "RunningAttempt",
    "Worker",
    "WorkerEnvironment",
    "WorkerSettings",
    "sweep_orphans",
]
