"""The ``docfleet`` command: a table of commands, each in a module of its own that is imported when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import cast

import click

from docfleet.cli.show import terminal
from docfleet.core.errors import ConfigurationError, DocfleetError
from docfleet.core.exit_codes import ExitCode

COMMANDS = {
    "run": "Run one workflow file here, through the real workers, and show the result.",
    "demo": "Make sample documents and run the example workflow on them.",
    "dev": "Start everything on this machine and stay.",
    "apply": "Publish a workflow file: create or change its workflow, API or pipeline.",
    "evaluate": "Compare the results of a workflow with labels.",
    "pipelines": "List, preview, pause, resume and run pipelines.",
    "notifications": "List notifications, send dead ones again, send a test.",
    "executions": "List and show executions, print results.",
    "verify": "Compare the destination with what an execution delivered.",
    "connectors": "List connectors, show their settings, test a source or a destination.",
    "keys": "Make, list and revoke keys.",
    "organizations": "Make and list organizations.",
    "backend": "Start the backend (configured by the environment).",
    "runner": "Start the tool runner (configured by the environment).",
    "worker": "Start one worker TYPE (configured by the environment).",
    "config": "Show every effective setting of a process and where it came from.",
    "version": "Show the versions of Docfleet and of what it runs on.",
}


class LazyGroup(click.Group):
    """Imports a command's module only when that command is called: ``--help`` stays fast, workers stay small."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, from ``docfleet.cli.commands.NAME``; None when there is none."""
        if cmd_name not in COMMANDS:
            return None
        return cast("click.Command", importlib.import_module(f"docfleet.cli.commands.{cmd_name}").command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Docfleet carries folders of documents through extraction tools to where the results are needed."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its exit code: 2 for a wrong setting or option, 1 for a failure."""
    terminal.prepare()
    try:
        code = cli.main(args=arguments, prog_name="docfleet", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        code = ExitCode.INTERRUPTED
    except DocfleetError as error:
        click.echo(f"docfleet: {error.message}", err=True)
        code = ExitCode.WRONG_CONFIGURATION if isinstance(error, ConfigurationError) else ExitCode.FAILURE
    terminal.finish()
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
