"""The table of commands; each command imports what it needs when it runs, so that `omo --help` answers at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final

import typer

from omo_core.cli import channels, databases, documents, policies, reevaluations, repairs, runs
from omo_core.cli.exits import EXPLAINED, OK

app = typer.Typer(
    name="omo",
    help="One stock pool for every channel: run files through it, look into it, check it.",
    epilog=EXPLAINED,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"omo_core {version('omo-core')}")
        raise typer.Exit(OK)


@app.callback()
def omo(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """What every command shares."""


_COMMANDS: Final[Mapping[str, Callable[..., None]]] = {
    "demo": runs.demo,
    "run": runs.run,
    "route": documents.route,
    "normalise": documents.normalise,
    "what-if": policies.what_if,
    "reevaluate": reevaluations.reevaluate,
    "channels": channels.channels,
    "parked": channels.parked,
    "replay": channels.replay,
    "audit": databases.audit,
    "repair": repairs.repair,
    "migrate": databases.migrate,
    "roles": repairs.roles,
    "warmup": databases.warmup,
}

for _name, _command in _COMMANDS.items():
    app.command(_name, epilog=EXPLAINED)(_command)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="omo")
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else OK
    return OK
