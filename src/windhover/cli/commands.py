"""The commands of ``windhover``. What a command needs is imported when it is called, so that all start fast.

Documentation page: ``docs/cli.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from windhover import __version__

FunctionT = TypeVar("FunctionT", bound=Callable[..., None])

_PATH = click.Path(path_type=Path)


@click.group(name="windhover", no_args_is_help=True)
@click.version_option(__version__, "--version", "-V", message="windhover %(version)s", help="Show it.")
def app() -> None:
    """A declarative, event-driven orchestrator that runs Kestra flows."""


@app.group("server", no_args_is_help=True)
def server() -> None:
    """Start a server."""


@app.group("flow", no_args_is_help=True)
def flow() -> None:
    """Look at flows."""


@app.group("plugins", no_args_is_help=True)
def plugins() -> None:
    """Look at plugins, or begin one."""


def _server_options(function: FunctionT) -> FunctionT:
    """The options of every command that starts a server."""
    flow_path = "Folder of flows saved at start; repeatable."
    log_level = "Least level of the server's log."
    options = (
        click.option("--port", type=int, help="Port of the API; 0 takes a free one. Default 8080."),
        click.option("--management-port", type=int, help="Port of health and metrics. Default 8081."),
        click.option("--home", type=_PATH, help="Folder of all data. Default ~/.windhover."),
        click.option("--config", "-c", type=_PATH, multiple=True, help="Configuration file; repeatable."),
        click.option("--worker-thread", type=int, help="Tasks that run at once. Default 8 per processor."),
        click.option("--flow-path", "-f", type=_PATH, multiple=True, help=flow_path),
        click.option("--log-level", "-l", default="INFO", show_default=True, help=log_level),
    )
    for option in reversed(options):
        function = option(function)
    return function


@server.command("standalone")
@_server_options
def standalone(**given: Any) -> None:
    """All components in one process, on the configured database (the embedded one by default)."""
    _serve(given, embedded=False)


@server.command("local")
@_server_options
def local(**given: Any) -> None:
    """As standalone, but always on the embedded database: for trying things out."""
    _serve(given, embedded=True)


@server.command("scheduler")
@click.option("--home", type=_PATH, help="Folder of all data. Default ~/.windhover.")
@click.option("--config", "-c", type=_PATH, multiple=True, help="Configuration file; repeatable.")
@click.option("--log-level", "-l", default="INFO", show_default=True, help="Least level of the server's log.")
def scheduler(home: Path | None, config: tuple[Path, ...], log_level: str) -> None:
    """Only schedules and backfills, beside a standalone server on the same PostgreSQL database."""
    from windhover.cli.server import serve_scheduler

    raise SystemExit(serve_scheduler(home, config or None, log_level))


def _serve(given: dict[str, Any], *, embedded: bool) -> None:
    from windhover.cli.server import ServerOptions, serve

    options = ServerOptions(
        given["port"],
        given["management_port"],
        given["home"],
        given["config"] or None,
        given["worker_thread"],
        given["flow_path"],
        given["log_level"],
        embedded=embedded,
    )
    raise SystemExit(serve(options))


@flow.command("validate")
@click.argument("files", type=_PATH, nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a problem.")
def validate(files: tuple[Path, ...], as_json: bool) -> None:
    """Check flows.

    FILES may be folders of flows as well. Every problem is shown with its place; exit code 1 if there is one.
    """
    from windhover.cli.validate import validate_files

    raise SystemExit(validate_files(list(files), as_json=as_json))


@app.command("run")
@click.argument("file", type=_PATH)
@click.option("--input", "-i", "inputs", multiple=True, help="name=value, or name=@path; repeatable.")
@click.option("--label", "labels", multiple=True, help="key:value of a label; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of text.")
@click.option(
    "--log-level", "-l", "level", default="INFO", show_default=True, help="Least level of log lines shown."
)
@click.option("--save", type=_PATH, help="Folder that files among the outputs are copied to.")
def run(
    file: Path, inputs: tuple[str, ...], labels: tuple[str, ...], as_json: bool, level: str, save: Path | None
) -> None:
    """Run a flow without any server; the exit code tells how it ended."""
    from windhover.cli.run import RunOptions, run_flow

    raise SystemExit(run_flow(RunOptions(file, inputs, labels, as_json, level.upper(), save)))


@app.command("eval")
@click.argument("template")
@click.option("--vars", "variables", type=_PATH, help="JSON file with the variables by name.")
@click.option("--typed", is_flag=True, help="Keep the type of a sole expression, and print it as JSON.")
@click.option("--recursive", is_flag=True, help="Render the result again until nothing changes.")
def evaluate(template: str, variables: Path | None, typed: bool, recursive: bool) -> None:
    """Render an expression here and now.

    TEMPLATE is the text, or - to read it from the standard input. Exit code 1, with the place, if it cannot
    be rendered.
    """
    from windhover.cli.eval import EvalOptions, evaluate_template

    raise SystemExit(evaluate_template(EvalOptions(template, variables, typed, recursive)))


@plugins.command("list")
@click.option("--kind", help="Only types of this kind.")
def plugins_list(kind: str | None) -> None:
    """All task, trigger and other types that flows can name."""
    from windhover.cli.plugins import list_plugins

    raise SystemExit(list_plugins(kind))


@plugins.command("doc")
@click.argument("type_name")
def plugins_doc(type_name: str) -> None:
    """The properties and outputs of a type, as JSON Schema."""
    from windhover.cli.plugins import show_plugin

    raise SystemExit(show_plugin(type_name))


@plugins.command("new")
@click.argument("name")
@click.option("--folder", type=_PATH, default=Path(), help="Where to put its folder.")
def plugins_new(name: str, folder: Path) -> None:
    """Begin a plugin: a folder with one task that runs at once.

    NAME is that of the distribution, such as acme-greetings.
    """
    from windhover.cli.plugins import new_plugin

    raise SystemExit(new_plugin(name, folder))
