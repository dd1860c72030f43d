"""``docfleet demo``: the main job on generated sample documents."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click

from docfleet.cli.embedded.data_folder import DEFAULT
from docfleet.core.errors import DocfleetError

EXAMPLES = Path(__file__).resolve().parents[4] / "examples"
"""The examples of a source checkout: the command works only there."""


@click.command("demo")
@click.option("--data", type=click.Path(path_type=Path), default=DEFAULT, show_default=True, help="The data folder.")
@click.option("--json", "json_output", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(data: Path, json_output: bool) -> int:
    """Make sample documents (invoices: PDF, scans, DOCX, HTML) and extract their fields into a database."""
    workflow, generator = EXAMPLES / "invoices.yaml", EXAMPLES / "make_samples.py"
    if not (workflow.is_file() and generator.is_file()):
        raise DocfleetError(
            f"the demo needs the examples of a source checkout, and {EXAMPLES} does not hold them: "
            "run it in a checkout, or run `docfleet run` on a workflow file of your own"
        )
    samples = EXAMPLES / "samples"
    made = _make_samples(generator, samples)
    click.echo(f"made {made} sample documents in {samples}", err=json_output)

    from docfleet.cli.commands.run import RunOptions, run

    return run(RunOptions(workflow, None, None, data, json_output, use_file_history=False, timeout=None))


def _make_samples(generator: Path, folder: Path) -> int:
    """Run the generator of the examples; returns the number of documents."""
    spec = importlib.util.spec_from_file_location("docfleet_examples_make_samples", generator)
    if spec is None or spec.loader is None:
        raise DocfleetError(f"{generator} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return len(module.make_samples(folder))
