"""Every example runs and does what it says, through ``windhover run``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from windhover.cli.run import RunOptions, run_flow

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DATA = EXAMPLES / "data"
ORDERS = f"orders=@{DATA / 'orders.csv'}"


@dataclass(frozen=True)
class Expected:
    """How an example is run and how that ends; ``logs`` are messages that must be there."""

    name: str
    inputs: Sequence[str] = ()
    state: str = "SUCCESS"
    tasks: Mapping[str, int] = field(default_factory=dict)
    logs: Sequence[str] = ()
    exit_code: int = 0

    def __str__(self) -> str:
        return f"{self.name} {' '.join(self.inputs)}".replace(str(EXAMPLES), "examples")


RUNS = [
    Expected("hello.yaml", logs=["Hello, World!"]),
    Expected(
        "retry-new-execution.yaml",
        tasks={"token": 1, "load": 1, "tell": 1},
        logs=["A token for the first try is refused.", "A token for another try is accepted."],
    ),
    Expected(
        "retry-new-execution.yaml",
        ["broken=true"],
        state="FAILED",
        tasks={"tell": 0},
        logs=["A token for the first try is refused.", "A token for another try is refused."],
        exit_code=1,
    ),
    Expected("hello.yaml", ["name=Ada"], logs=["Hello, Ada!"]),
    Expected(
        "server-tasks.yaml",
        logs=['1 executions within a day, flows ["server_tasks"], namespaces ["company.team"]'],
    ),
    Expected("stored-files.yaml", logs=["1 double, 1 too small", "81 bytes, in parts: 2"]),
    Expected("stored-files.yaml", ["least=60"], logs=["1 double, 3 too small", "27 bytes, in parts: 1"]),
    Expected(
        "key-values.yaml",
        logs=["import.cursor and import.settings: row 42 in the west, 42 found"],
        tasks={"forget": 1, "forget_what_was_found": 1},
    ),
    Expected(
        "namespace-files.yaml",
        logs=["A euro is 1.1 dollars.", "Copied /rates/today.json.", "purged 1 files"],
    ),
    Expected("logs.yaml", logs=["1 warning: Two rows were left out."]),
    Expected("scripts.yaml", logs=["The sum of the squares is 55; from ten on there are 2."]),
    Expected("tasks.yaml", logs=["3 rows of TASKS, 1000 at most"]),
    Expected(
        "legacy.yaml",
        tasks={"plan": 2, "look": 1},
        logs=["Planning Monday.", "Done after 2 rounds."],
    ),
    Expected(
        "input-types.yaml",
        logs=[
            "ada: 3 of M, ratio 0.5, strict true",
            "csv for north, 2 numbers",
            "2025-12-31T23:00:00.000000Z, 2026-05-31, 08:30:00, 300.0 seconds",
            "10 rows, quiet, https://example.com",
            "to nowhere for nobody",
        ],
    ),
    Expected(
        "input-types.yaml",
        [
            "format=xml",
            'regions=["north","west"]',
            "delivery.street=Main Street",
            f"rules=@{DATA}/rules.json",
            "password=correct horse",
        ],
        logs=["xml for north and west, 2 numbers", "to Main Street for nobody"],
    ),
    Expected("long-run.yaml", ["rounds=2", "wait=PT0S"], logs=["Round 2 of 2 is over."]),
    Expected(
        "orders.yaml",
        [ORDERS],
        tasks={"split": 1, "refuse": 1, "regions": 1, "add_up": 4, "report": 1, "tell": 1},
        logs=["57 orders, 3 rejected, revenue 12511.00"],
    ),
    Expected(
        "orders.yaml",
        [ORDERS, "split_by=product"],
        logs=["57 orders, 3 rejected, revenue 12511.00"],
    ),
    Expected(
        "orders.yaml",
        [ORDERS, "split_by=colour"],
        state="FAILED",
        logs=["The file of orders has no column colour."],
        exit_code=1,
    ),
    Expected(
        "orders.yaml",
        [ORDERS, "strict=true"],
        state="FAILED",
        tasks={"split": 1, "refuse": 1, "alert": 1},
        logs=["3 rows are wrong."],
        exit_code=1,
    ),
    Expected("flow-control/sequential.yaml", tasks={"undo": 0, "unlock": 1, "after": 1}),
    Expected(
        "flow-control/sequential.yaml",
        ["broken=true"],
        state="FAILED",
        tasks={"undo": 1, "unlock": 1, "after": 0},
        exit_code=1,
    ),
    Expected("flow-control/parallel.yaml", logs=["Fetched three orders."]),
    Expected("flow-control/if.yaml", tasks={"pay": 1, "ask": 0}, logs=["Paid 250."]),
    Expected(
        "flow-control/if.yaml",
        ["amount=5000"],
        tasks={"pay": 0, "ask": 1},
        logs=["Large amounts are audited."],
    ),
    Expected("flow-control/switch.yaml", tasks={"read_csv": 1, "read_json": 0, "unknown": 0}),
    Expected("flow-control/switch.yaml", ["format=JSON"], logs=["Reading documents."]),
    Expected("flow-control/switch.yaml", ["format=xml"], logs=["Nobody can read xml."]),
    Expected(
        "flow-control/for-each.yaml", tasks={"measure": 3, "tell": 3}, logs=["The first one has 5 letters."]
    ),
    Expected("flow-control/for-each.yaml", ['cities=["Rome"]'], logs=["0: Rome has 4 letters."]),
    Expected("flow-control/dag.yaml", logs=["Joined customers and orders."]),
    Expected(
        "flow-control/allow-failure.yaml",
        state="WARNING",
        tasks={"never": 0},
        logs=["The flow goes on."],
    ),
    Expected("by-index.yaml", logs=["The last cell is 60.", "10 20 / 20 40 / 30 60 / "]),
    Expected("flow-control/each-sequential.yaml", logs=["Planning Monday.", "Planning Tuesday."]),
    Expected("flow-control/each-parallel.yaml", tasks={"index": 3}),
    Expected("working-directory.yaml", logs=["First is Ada.", "Stored: Ada, Edsger, Grace"]),
    Expected(
        "inputs.yaml",
        logs=["dev, fast, 3 tries, 2 days", "approved by nobody, 1000 rows at most"],
    ),
    Expected(
        "inputs.yaml",
        ["environment=prod", "approver=ada@example.com", "retries.count=0"],
        logs=["prod, careful, 0 tries, 2 days", "approved by ada@example.com, 1000 rows at most"],
    ),
    Expected("retry-flow.yaml", tasks={"fetch": 1, "load": 1}, logs=["Try 1 to load failed."]),
    Expected(
        "retry-flow.yaml",
        ["failures=9"],
        state="FAILED",
        tasks={"load": 0},
        logs=["Try 3 to fetch failed."],
        exit_code=1,
    ),
    Expected("retry.yaml", state="WARNING", tasks={"alarm": 0}, logs=["It worked in the end."]),
    Expected(
        "retry.yaml",
        ["failures=9"],
        state="FAILED",
        tasks={"use": 0},
        logs=["Try 4 failed.", "All tries are used up."],
        exit_code=1,
    ),
    Expected(
        "errors.yaml",
        state="WARNING",
        tasks={"never": 0, "alarm": 0},
        logs=["Cleaning up, the execution is RUNNING.", "The execution ended as WARNING."],
    ),
    Expected("errors.yaml", ["broken=nothing"], logs=["Everything went well."]),
    Expected(
        "errors.yaml",
        ["broken=main"],
        state="FAILED",
        tasks={"celebrate": 0},
        logs=["main failed.", "The execution ended as FAILED."],
        exit_code=1,
    ),
    Expected("plugin-defaults.yaml", logs=["This is what all of them say."]),
    Expected("listeners.yaml", tasks={"alarm": 0}),
    Expected(
        "listeners.yaml",
        ["broken=true"],
        state="FAILED",
        logs=["The execution is FAILED."],
        exit_code=1,
    ),
    Expected(
        "maintenance.yaml",
        logs=["0 executions, 0 lines, 0 metrics, 0 revisions, 0 values; 1 running"],
    ),
    Expected("execution-tasks.yaml", logs=["Rows: 12 (large)"], tasks={"measure": 1}),
    Expected("execution-tasks.yaml", ["rows=0"], state="WARNING", tasks={"remember": 0}),
    Expected(
        "execution-tasks.yaml",
        ["rows=-1"],
        state="FAILED",
        tasks={"label": 0},
        logs=["1 assertion failed!\nThe count of rows makes no sense."],
        exit_code=1,
    ),
    Expected("pause.yaml", ["wait=PT0S"], tasks={"note": 1}, logs=["Went on by the clock."]),
    Expected("approval.yaml", logs=["Paid 50.", "The decision was APPROVED."]),
    Expected(
        "approval.yaml",
        ["amount=500", "wait=PT0.1S"],
        state="WARNING",
        tasks={"notify": 1, "pay": 0, "tell": 0},
        logs=["The decision was EXPIRED."],
    ),
    Expected(
        "loop.yaml",
        tasks={"describe": 3},
        logs=["north asks 3, south asks 8, west asks 1", "3 rounds"],
    ),
    Expected("loop.yaml", ["most=5"], tasks={"describe": 2}, logs=["2 rounds"]),
    Expected(
        "limits/sla.yaml",
        state="CANCELLED",
        tasks={"count": 0, "clean": 1},
        logs=["Cleaned up.", "Ended as CANCELLED."],
        exit_code=3,
    ),
    Expected("limits/sla.yaml", ["work=PT0S"], logs=["Cleaned up.", "Ended as SUCCESS."]),
    Expected(
        "limits/timeout.yaml",
        state="WARNING",
        tasks={"too_long": 1},
        logs=["Timeout after 00:00:01.000", "It took too long.", "The flow goes on."],
    ),
    Expected("limits/timeout.yaml", ["work=PT0S"], tasks={"too_long": 0}),
    Expected("limits/checks.yaml", logs=["Ordered 10."]),
    Expected(
        "limits/checks.yaml", ["amount=500"], logs=["Check failed: 500 is a large order.", "Ordered 500."]
    ),
    Expected(
        "limits/checks.yaml",
        ["amount=5000"],
        state="FAILED",
        tasks={"order": 0},
        logs=["Check failed: 5000 is more than anybody may order."],
        exit_code=1,
    ),
    Expected(
        "limits/task-cache.yaml",
        tasks={"price": 3},
        logs=["Skipping task execution: its outputs are in the task cache."],
    ),
    Expected("limits/one-at-a-time.yaml", logs=["Importing."]),
    Expected("loop-until.yaml", tasks={"ask": 1}, logs=["It took 3 rounds."]),
    Expected(
        "loop-until.yaml",
        ["rounds=9", "limit=2"],
        state="FAILED",
        tasks={"ask": 1, "tell": 0},
        logs=["Nothing came in 2 rounds."],
        exit_code=1,
    ),
]

#: These need each other, a server or a message broker; they are run elsewhere.
TOGETHER = {
    "actions/report.yaml",
    "amqp.yaml",
    *(f"conditions/{name}.yaml" for name in ("dates", "import", "review")),
    "for-each-item/process_orders.yaml",
    "for-each-item/split_orders.yaml",
    "http-events.yaml",
    "http.yaml",
    "namespace/price_list.yaml",
    "mqtt.yaml",
    "nats.yaml",
    "other-executions/late_payments.yaml",
    "other-executions/pay_day.yaml",
    "other-executions/payment.yaml",
    "redis.yaml",
    "schedules/dates.yaml",
    *(f"schedules/{name}.yaml" for name in ("http-trigger", "last-working-day", "schedule")),
    "schedules/while-open.yaml",
    "secrets.yaml",
    "subflow/clean_orders.yaml",
    "subflow/report_orders.yaml",
    "template/greeting.yaml",
    "template/welcome.yaml",
    "triggers/dependencies.yaml",
    *(f"triggers/{name}-messages.yaml" for name in ("amqp", "gather", "mqtt", "nats")),
    *(f"triggers/{name}.yaml" for name in ("alert", "extract", "gather", "load", "report", "webhook")),
}


@pytest.mark.parametrize("expected", RUNS, ids=str)
def test_example(expected: Expected, capsys: pytest.CaptureFixture[str]) -> None:
    options = RunOptions(EXAMPLES / expected.name, expected.inputs, [], True, "TRACE", None)

    exit_code = run_flow(options)

    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ended = events[-1]
    logs = [event["message"] for event in events if event["event"] == "log"]
    assert (ended["state"], exit_code) == (expected.state, expected.exit_code), logs
    ran = [run["taskId"] for run in ended["taskRuns"]]
    assert {task: ran.count(task) for task in expected.tasks} == expected.tasks
    assert not set(expected.logs) - set(logs), logs


def test_every_example_is_run() -> None:
    files = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.yaml")}
    assert files == {expected.name for expected in RUNS} | TOGETHER


def test_every_input_is_explained_at_the_top() -> None:
    import yaml

    for path in EXAMPLES.rglob("*.yaml"):
        source = path.read_text()
        comment = [line for line in source.splitlines() if line.startswith("#")]
        for declared in yaml.safe_load(source).get("inputs", []):
            name = declared.get("id") or declared["name"]  # as older flows call it
            assert any(line.split()[1:2] == [name] for line in comment), (path, name)


def test_the_report_of_orders_is_saved(tmp_path: Path) -> None:
    run_flow(RunOptions(EXAMPLES / "orders.yaml", [ORDERS], [], True, "ERROR", tmp_path))

    report = (tmp_path / "report.md").read_text().splitlines()
    assert report[2] == "| west | 4758.80 | desk |"
    assert report[-1] == "| all | 12511.00 | |"
