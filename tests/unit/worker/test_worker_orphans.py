"""Processes that outlived their server."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from windhover.core.runner.process_tree import (
    descendants,
    is_alive,
    marked_processes,
    process_marker,
    send_signal,
)
from windhover.util.ids import new_id
from windhover.worker import sweep_orphans

GRACE = timedelta(seconds=5)


@pytest.fixture
def home() -> str:
    return new_id()


@pytest.fixture
def sleeper(home: str) -> Iterator[subprocess.Popen[bytes]]:
    """A shell with a child in a session of its own, both with the marks of a task run."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", "setsid sleep 600 & echo started; wait"],
        env={**process_marker(home, "run", 1), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_processes_of_a_former_life_are_ended(sleeper: subprocess.Popen[bytes], home: str) -> None:
    family = marked_processes(process_marker(home, "run", 1))
    assert sleeper.pid in [process.pid for process in family]
    assert len(family) == 2
    assert sweep_orphans(home, grace=GRACE) == 2
    assert sleeper.wait() != 0
    assert not any(is_alive(process) for process in family)
    assert sweep_orphans(home, grace=GRACE) == 0


def test_processes_of_another_installation_are_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    assert sweep_orphans(new_id(), grace=GRACE) == 0
    assert sleeper.poll() is None


def test_a_task_run_is_told_from_one_whose_id_begins_the_same(
    sleeper: subprocess.Popen[bytes], home: str
) -> None:
    assert marked_processes(process_marker(home, "run", 11)) == []
    assert marked_processes(process_marker(home, "ru", 1)) == []


def test_children_are_found_by_their_parents(sleeper: subprocess.Popen[bytes]) -> None:
    assert len(descendants(sleeper.pid)) == 1


def test_a_later_process_of_the_same_number_is_not_signalled(sleeper: subprocess.Popen[bytes]) -> None:
    [child] = descendants(sleeper.pid)
    send_signal([type(child)(child.pid, child.started + 1)], signal.SIGKILL)
    assert is_alive(child)


def test_working_directories_left_behind_are_removed(home: str, tmp_path: Path) -> None:
    (tmp_path / "run-1" / "deep").mkdir(parents=True)
    (tmp_path / "run-1.log").touch()
    sweep_orphans(home, tmp_path, GRACE)
    assert list(tmp_path.iterdir()) == []
