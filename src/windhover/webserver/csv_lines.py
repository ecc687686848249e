"""Comma-separated values, a line at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence


def csv_line(values: Sequence[object]) -> str:
    """One line with its end; what needs quotes has them."""
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()
