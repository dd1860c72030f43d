"""``docfleet evaluate WORKFLOW.yaml --labels DIR``: how good a workflow is."""

from __future__ import annotations

import datetime
from importlib.metadata import version
from pathlib import Path

import click
import msgspec
from rich.console import Console

from docfleet.cli.embedded.data_folder import DEFAULT
from docfleet.cli.embedded.supervisor import Interrupted
from docfleet.cli.evaluation.report import Evaluation
from docfleet.core.errors import DocfleetError, InvalidInput
from docfleet.core.exit_codes import ExitCode

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("evaluate")
@click.argument("workflow", type=_FILE)
@click.option("--labels", "labels_folder", type=_FOLDER, required=True, help="A JSON file for each document.")
@click.option("--source", type=_FOLDER, help="Read this folder instead of the source's path.")
@click.option("--against", type=_FILE, help="Compare with another workflow, or with the --report of an earlier run.")
@click.option("--report", type=_FILE, help="Write the figures here, as JSON.")
@click.option("--html", type=_FILE, help="Write a page here, the worst documents first.")
@click.option("--calibrate", type=_FILE, help="Fit the confidence of fields to the labels, and write the setting here.")
@click.option("--at-least", type=click.FloatRange(0, 1), help="Exit with 3 when F1 is lower.")
@click.option("--data", type=click.Path(path_type=Path), default=DEFAULT, show_default=True, help="The data folder.")
@click.option("--timeout", type=click.FloatRange(min=1), help="Stop after this many seconds.")
@click.option("--json", "json_output", is_flag=True, help="Print the figures as JSON on standard output, nothing else.")
def command(
    workflow: Path,
    labels_folder: Path,
    source: Path | None,
    against: Path | None,
    report: Path | None,
    html: Path | None,
    calibrate: Path | None,
    at_least: float | None,
    data: Path,
    timeout: float | None,
    json_output: bool,
) -> int:
    """Run a workflow on labelled documents and compare its results with the labels.

    The label of x.pdf is x.json or x.pdf.json: an object of the expected fields. Results go nowhere else. Exit code: 0
    done, 3 F1 below --at-least, 1 failure, 2 wrong settings.
    """
    # Imported here: the command line starts faster without what only this command needs.
    from docfleet.cli.evaluation.calibrating import calibrated
    from docfleet.cli.evaluation.labels import Labels
    from docfleet.cli.evaluation.page import page
    from docfleet.cli.evaluation.report import DocumentAnswer, evaluation
    from docfleet.cli.evaluation.running import answers
    from docfleet.cli.show.evaluation import show

    console = Console(stderr=json_output)
    labels = Labels(labels_folder)

    def evaluate(path: Path) -> tuple[Evaluation, list[DocumentAnswer]]:
        found = answers(path, source, data, timeout, console)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return evaluation(path.stem, found, labels, evaluated_at=now, version=version("docfleet")), found

    try:
        before = None if against is None else _earlier(against) or evaluate(against)[0]
        result, found = evaluate(workflow)
    except Interrupted:
        return ExitCode.INTERRUPTED
    encoded = msgspec.json.format(msgspec.json.encode(result))
    if report is not None:
        _write(report, encoded)
    if html is not None:
        _write(html, page(result, before).encode())
    if calibrate is not None:
        _write(calibrate, msgspec.json.encode(calibrated(result.workflow, found, labels)))
    if json_output:
        click.echo(encoded.decode())
    else:
        show(console, result, before)
        if calibrate is not None:
            console.print(f"calibration: {calibrate}; it is the setting calibration of field_extractor", markup=False)
    if at_least is not None and result.total.f1 < at_least:
        click.echo(f"docfleet: F1 is {result.total.f1:.4f}, less than {at_least:g}", err=True)
        return ExitCode.PARTIAL
    return ExitCode.SUCCESS


def _earlier(path: Path) -> Evaluation | None:
    """The report in this file; None when it is not JSON, and so a workflow."""
    if path.suffix != ".json":
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Evaluation)
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidInput(f"{path}: not the --report of an earlier evaluation: {error}") from error


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise DocfleetError(f"{path}: cannot be written: {error.strerror}") from error
