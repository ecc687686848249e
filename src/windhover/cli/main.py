"""``windhover``: the commands. What a command needs is imported when it is called, so that all start fast.

Documentation page: ``docs/cli.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from windhover import __version__

app = typer.Typer(
    name="windhover",
    help="A declarative, event-driven orchestrator that runs Kestra flows.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
server_app = typer.Typer(help="Start a server.", no_args_is_help=True)
flow_app = typer.Typer(help="Look at flows.", no_args_is_help=True)
plugins_app = typer.Typer(help="Look at plugins, or begin one.", no_args_is_help=True)
app.add_typer(server_app, name="server")
app.add_typer(flow_app, name="flow")
app.add_typer(plugins_app, name="plugins")


def main() -> None:
    """Entry point of the console script."""
    app()


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"windhover {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Show it."),
    ] = False,
) -> None:
    """A declarative, event-driven orchestrator that runs Kestra flows."""


Port = Annotated[int | None, typer.Option(help="Port of the API; 0 takes a free one. Default 8080.")]
ManagementPort = Annotated[int | None, typer.Option(help="Port of health and metrics. Default 8081.")]
Home = Annotated[Path | None, typer.Option(help="Folder of all data. Default ~/.windhover.")]
Config = Annotated[list[Path] | None, typer.Option("--config", "-c", help="Configuration file; repeatable.")]
Threads = Annotated[
    int | None, typer.Option("--worker-thread", help="Tasks that run at once. Default 8 per processor.")
]
FlowPath = Annotated[
    list[Path] | None, typer.Option("--flow-path", "-f", help="Folder of flows saved at start; repeatable.")
]
LogLevelOption = Annotated[str, typer.Option("--log-level", "-l", help="Least level of the server's log.")]


@server_app.command("standalone")
def standalone(
    port: Port = None,
    management_port: ManagementPort = None,
    home: Home = None,
    config: Config = None,
    worker_thread: Threads = None,
    flow_path: FlowPath = None,
    log_level: LogLevelOption = "INFO",
) -> None:
    """All components in one process, on the configured database (the embedded one by default)."""
    from windhover.cli.server import ServerOptions, serve

    raise typer.Exit(
        serve(ServerOptions(port, management_port, home, config, worker_thread, flow_path or [], log_level))
    )


@server_app.command("local")
def local(
    port: Port = None,
    management_port: ManagementPort = None,
    home: Home = None,
    config: Config = None,
    worker_thread: Threads = None,
    flow_path: FlowPath = None,
    log_level: LogLevelOption = "INFO",
) -> None:
    """As standalone, but always on the embedded database: for trying things out."""
    from windhover.cli.server import ServerOptions, serve

    embedded = ServerOptions(
        port, management_port, home, config, worker_thread, flow_path or [], log_level, embedded=True
    )
    raise typer.Exit(serve(embedded))


@flow_app.command("validate")
def validate(
    files: Annotated[list[Path], typer.Argument(help="Flow files, or folders of them.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a problem.")] = False,
) -> None:
    """Check flows: every problem with its place; exit code 1 if there is one."""
    from windhover.cli.validate import validate_files

    raise typer.Exit(validate_files(files, as_json=as_json))


@app.command("run")
def run(
    file: Annotated[Path, typer.Argument(help="The flow.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", help="name=value, or name=@path; repeatable."),
    ] = None,
    labels: Annotated[
        list[str] | None, typer.Option("--label", help="key:value of a label; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line instead of text.")] = False,
    level: Annotated[str, typer.Option("--log-level", "-l", help="Least level of log lines shown.")] = "INFO",
    save: Annotated[
        Path | None, typer.Option("--save", help="Folder that files among the outputs are copied to.")
    ] = None,
) -> None:
    """Run a flow here and now, without any server; the exit code tells how it ended."""
    from windhover.cli.run import RunOptions, run_flow

    raise typer.Exit(run_flow(RunOptions(file, inputs or [], labels or [], as_json, level.upper(), save)))


@app.command("eval")
def evaluate(
    template: Annotated[str, typer.Argument(help="The template, or - to read it from the standard input.")],
    variables: Annotated[
        Path | None, typer.Option("--vars", help="JSON file with the variables by name.")
    ] = None,
    typed: Annotated[
        bool, typer.Option("--typed", help="Keep the type of a sole expression, and print it as JSON.")
    ] = False,
    recursive: Annotated[
        bool, typer.Option("--recursive", help="Render the result again until nothing changes.")
    ] = False,
) -> None:
    """Render an expression here and now; exit code 1, with the place, if it cannot be rendered."""
    from windhover.cli.eval import EvalOptions, evaluate_template

    raise typer.Exit(evaluate_template(EvalOptions(template, variables, typed, recursive)))


@plugins_app.command("list")
def plugins_list(kind: Annotated[str | None, typer.Option(help="Only types of this kind.")] = None) -> None:
    """All task, trigger and other types that flows can name."""
    from windhover.cli.plugins import list_plugins

    raise typer.Exit(list_plugins(kind))


@plugins_app.command("doc")
def plugins_doc(type_name: Annotated[str, typer.Argument(help="The type, as a flow names it.")]) -> None:
    """The properties and outputs of a type, as JSON Schema."""
    from windhover.cli.plugins import show_plugin

    raise typer.Exit(show_plugin(type_name))


@plugins_app.command("new")
def plugins_new(
    name: Annotated[str, typer.Argument(help="Name of the distribution, such as acme-greetings.")],
    folder: Annotated[Path, typer.Option(help="Where to put its folder.")] = Path(),
) -> None:
    """Begin a plugin: a folder with one task that runs at once."""
    from windhover.cli.plugins import new_plugin

    raise typer.Exit(new_plugin(name, folder))


if __name__ == "__main__":
    main()
