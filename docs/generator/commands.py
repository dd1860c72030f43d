"""`commands.md` and `exit-codes.md`, from the command line itself."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from importlib.metadata import entry_points

import click

from docs.generator.markdown import cell, code, page, prose, table
from docs.generator.meanings import EXIT_CODES

CONNECTION = ("url", "key", "organization", "data")
"""The options of every command that calls a backend: they are shown once."""
_EXIT = re.compile(r"(?:^|(?<=\s))Exit code.*", re.DOTALL)


def program() -> click.Group:
    """The ``docfleet`` command."""
    (point,) = entry_points(group="console_scripts", name="docfleet")
    group: click.Group = importlib.import_module(point.module).cli
    return group


def leaves(group: click.Group, path: tuple[str, ...] = ("docfleet",)) -> Iterator[tuple[str, click.Command]]:
    """Every command that is no group, with its full name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        elif command is not None:
            yield " ".join((*path, name)), command


def options(command: click.Command, connection: bool = False) -> Iterator[tuple[str, str]]:
    """The spelling and the help of each option: those of the connection, or all others."""
    context = click.Context(command, info_name="docfleet")
    shared = set(CONNECTION) <= {str(parameter.name) for parameter in command.params}
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            continue
        record = parameter.get_help_record(context)
        if record is not None and connection == (shared and parameter.name in CONNECTION):
            yield code(record[0]), cell(record[1])


def _section(written: str, command: click.Command) -> str:
    arguments = " ".join(
        parameter.make_metavar(click.Context(command))
        for parameter in command.params
        if isinstance(parameter, click.Argument)
    )
    parts = [f"## {written}", f"```\n{' '.join(filter(None, (written, arguments, '[OPTIONS]')))}\n```"]
    parts.append(prose((command.help or "").replace("\b", "")))
    shown = list(options(command))
    if shown:
        parts.append(table(("option", "meaning"), shown))
    if any(options(command, connection=True)):
        parts.append("It takes the [options of a connection](#options-of-a-connection).")
    return "\n\n".join(parts)


def render() -> str:
    """The page of commands."""
    commands = list(leaves(program()))
    connected = next(command for _, command in commands if any(options(command, connection=True)))
    return page(
        "Commands",
        prose("`docfleet COMMAND --help` prints the same. [Exit codes](exit-codes.md) have a page of their own."),
        *(_section(written, command) for written, command in commands),
        "## Options of a connection",
        prose("Commands that call a backend take these. They find the `docfleet dev` of this folder by themselves."),
        table(("option", "meaning"), options(connected, connection=True)),
    )


def render_exit_codes() -> str:
    """The page of exit codes."""
    by_command = []
    for written, command in leaves(program()):
        match = _EXIT.search(command.help or "")
        if match:
            by_command.append((code(written), cell(match.group().partition("\n\n")[0])))
    return page(
        "Exit codes",
        table(("code", "meaning"), EXIT_CODES.items()),
        "## Commands with further meanings",
        table(("command", "codes"), by_command),
    )
