"""Write the settings tables of docs/configuration.md from the classes:

``python -m windhover.config.documentation docs/configuration.md``
"""

import sys
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import get_args

from pydantic.fields import FieldInfo

from windhover.config.binding import type_name
from windhover.config.known_keys import documented_keys
from windhover.config.loading import setting_keys
from windhover.config.sections import Section, keys_of, nested_section
from windhover.config.settings import Settings

BEGIN = "<!-- settings: made by python -m windhover.config.documentation -->"
END = "<!-- end of settings -->"

_TITLES = {
    "server": "Server",
    "management": "Management endpoints",
    "worker": "Worker",
    "web": "User interface",
    "repository": "Database and queue",
    "storage": "Internal storage",
    "variables": "Variables and expressions",
    "execution": "Flows and security",
    "plugins": "Plugins",
    "local_files": "Local files",
    "retries": "Retries of storage and secret calls",
    "expired_kv": "Expired key-value pairs",
    "file_watch": "Flow files",
    "limits": "Limits",
    "telemetry": "Logs, metrics and traces",
    "ai": "AI copilot",
    "usage_report": "Usage report",
}


def render_page(page: str) -> str:
    """``page`` with the text between its markers replaced by the current tables.

    Raises:
        ValueError: the page lacks a marker.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the markers {BEGIN!r} and {END!r}")
    return f"{head}{BEGIN}\n\n{render_tables()}\n{END}{tail}"


def render_tables() -> str:
    """Every typed setting by group, then the keys that are accepted without one, as Markdown."""
    blocks: list[str] = []
    title, rows = "Instance", list[str]()
    for name, field in Settings.model_fields.items():
        if name in _TITLES:
            blocks.append(_table(title, rows))
            title, rows = _TITLES[name], []
        rows.extend(_rows(field))
    blocks.append(_table(title, rows))
    blocks.append(_accepted_keys())
    return "\n".join(blocks)


def _table(title: str, rows: list[str]) -> str:
    head = "| Key | Type | Default | Meaning |\n| --- | --- | --- | --- |"
    return f"### {title}\n\n{head}\n" + "\n".join(rows) + "\n"


def _rows(field: FieldInfo) -> Iterator[str]:
    keys = keys_of(field)
    group = nested_section(field)
    if keys and keys[0].endswith(".*"):
        group = get_args(field.annotation)[1]
    if group is not None:
        yield from _section_rows(group)
        return
    meaning = (field.description or "").replace("|", "\\|")
    if len(keys) > 1:
        meaning += " Also read from " + ", ".join(f"`{key}`" for key in keys[1:]) + "."
    yield f"| `{keys[0]}` | {type_name(field)} | {_default(field)} | {meaning} |"


def _section_rows(kind: type[Section]) -> Iterator[str]:
    for field in kind.model_fields.values():
        yield from _rows(field)


def _default(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and extra.get("default_text"):
        return str(extra["default_text"])
    text = _plain_default(field.default, is_size=type_name(field) == "size")
    return f"`{text}`" if text else ""


def _plain_default(value: object, *, is_size: bool) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return _short_duration(value)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple | dict):
        return ", ".join(map(str, value))
    if is_size and isinstance(value, int):
        return _short_size(value)
    return str(value)


def _short_duration(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _short_size(value: int) -> str:
    for shift, unit in ((30, "GB"), (20, "MB"), (10, "KB")):
        if value and value % (1 << shift) == 0:
            return f"{value >> shift}{unit}"
    return str(value)


def _accepted_keys() -> str:
    typed = set(setting_keys(Settings))
    lines = [f"- `{key}`" for key in sorted(documented_keys()) if key not in typed]
    return (
        "### Keys accepted besides\n\n"
        "Known, and not reported: read by the storage or secret plugin they belong to, or without a meaning "
        "in Windhover. `*` stands for a name of your choice, `**` for everything below.\n\n"
        + "\n".join(lines)
        + "\n"
    )


def main(arguments: list[str]) -> int:
    """Rewrite the page named by the only argument."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m windhover.config.documentation PAGE\n")
        return 2
    page = Path(arguments[0])
    page.write_text(render_page(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
