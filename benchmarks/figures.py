"""What was measured, against its target and what others need, as a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. ``value`` is compared with ``target``; ``shown`` is what is printed.

    ``method`` says how it was measured, in one sentence. ``kestra`` is the same figure of Kestra 1.3.19,
    measured earlier on a machine of the same size with its in-memory database, which keeps nothing.
    """

    name: str
    shown: str
    value: float
    target: float | None
    target_shown: str
    kestra: str
    method: str
    higher_is_better: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None when there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.higher_is_better else self.value <= self.target


def table(title: str, figures: list[Figure]) -> str:
    """A markdown table of figures, and below it how each was measured."""
    lines = [f"## {title}", "", "| figure | measured | target | met | Kestra¹ |", "|---|--:|--:|:-:|--:|"]
    for figure in figures:
        met = {True: "yes", False: "**no**", None: ""}[figure.met]
        lines.append(f"| {figure.name} | {figure.shown} | {figure.target_shown} | {met} | {figure.kestra} |")
    lines += ["", "How:", ""]
    lines += [f"* {figure.name}: {figure.method}" for figure in figures]
    return "\n".join(lines)


PEERS = """\
## Others

Measured earlier, on a machine of the same size, and not again by this run.

¹ Kestra 1.3.19 with its in-memory H2 database, which keeps nothing; Windhover's figures are with a database
on the disk that survives a power cut.

| | one run, idle | 40 light tasks in one run | runs a second | fan-out of 1,000 | idle memory (PSS) |
|---|--:|--:|--:|--:|--:|
| Kestra 1.3.19 | 69 ms | 1.8 s | 171 | 173 s | 416 MB |
| Airflow | 1.6 s | 41 s | 4.5 | | 156 MB - 1 GB² |
| Prefect | 2.6 s | 10.8 s | 0.6 - 6 | 25 s | 156 MB - 1 GB² |
| Dagster | 4.5 s | 4.7 s | | 58 s | 156 MB - 1 GB² |
| DBOS (a library) | 0.6 s | 1.0 s, in-process 0.12 s | 127, in-process 278 | 8.5 s | 156 MB - 1 GB² |

² The range over the four; their cold start takes 1.2 to 17 s."""
