"""Runs a workflow for its results only: they go to a table of the data folder, whatever its destination is."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from docfleet.cli.commands.run import RunOptions, execute
from docfleet.cli.evaluation.report import DocumentAnswer
from docfleet.cli.interrupts import Interrupts
from docfleet.cli.show.progress import ExecutionView
from docfleet.cli.workflow_file import WorkflowFile, WorkflowFileInvalid, read_workflow
from docfleet.connectors.base import table_settings
from docfleet.connectors.registry import open_database
from docfleet.core.errors import DocfleetError
from docfleet.core.evidence import DocumentEvidence
from docfleet.core.status import ExecutionStatus

FOLDER = "evaluations"
_CONNECTOR = "sqlite"
_CONFIGURATION = {"table": "answers", "evidenceColumn": "evidence"}
_MOST_ROWS = 1_000_000


def answers(
    path: Path, source: Path | None, data: Path, timeout: float | None, console: Console
) -> list[DocumentAnswer]:
    """The result of each document. Raises ``WorkflowFileInvalid``, ``DocfleetError`` for a run that did not end."""
    database = data.absolute() / FOLDER / f"{uuid.uuid4().hex}.db"
    workflow = _evaluated(path, source, database)
    options = RunOptions(path, source, None, data, as_json=True, use_file_history=False, timeout=timeout)
    try:
        with Interrupts() as interrupts, ExecutionView(console) as view:
            run = execute(options, workflow, view, interrupts)
        if run.note or run.state.execution.status is ExecutionStatus.STOPPED:
            raise DocfleetError(f"the evaluation of {workflow.name} did not end: {run.note or 'it was stopped'}")
        found = {answer.document: answer for answer in _rows(database, run.state.execution.id)}
        for file in run.files:
            if file.status is not ExecutionStatus.COMPLETED and file.path not in found:
                found[file.path] = DocumentAnswer(document=file.path, error=file.error or file.status.value)
        if not found:
            raise DocfleetError(f"{workflow.name} read no document: {run.state.execution.error_message or 'none'}")
        return list(found.values())
    finally:
        for leftover in database.parent.glob(f"{database.name}*"):
            leftover.unlink(missing_ok=True)


def _evaluated(path: Path, source: Path | None, database: Path) -> WorkflowFile:
    """The workflow under a name of its own, so that the published one stays as it is."""
    workflow = read_workflow(path, source=None if source is None else source.absolute())
    if workflow.api and source is None:
        raise WorkflowFileInvalid(f"{path}: this workflow is an API: give the folder of its documents with --source")
    documents = workflow.document["source"]
    if workflow.api and source is not None:
        documents = {"connector": "local", "settings": {"path": str(source.absolute())}, "processSubDirectories": True}
    document = {
        **workflow.document,
        "name": f"evaluate {workflow.name}"[:200].rstrip(),
        "source": documents,
        "destination": {"connector": _CONNECTOR, "settings": {"path": str(database)}, **_CONFIGURATION},
    }
    return msgspec.structs.replace(workflow, document=document, api=None, pipeline=None)


def _rows(database: Path, execution_id: str) -> Iterator[DocumentAnswer]:
    reader = open_database(_CONNECTOR, {"path": str(database)})
    try:
        for row in reader.read_rows(table_settings(_CONFIGURATION), _MOST_ROWS, execution_id):
            yield _answer(row)
    finally:
        reader.close()


def _answer(row: dict[str, Any]) -> DocumentAnswer:
    result, evidence, metadata = (_decoded(row.get(name)) for name in ("data", "evidence", "metadata"))
    steps = (metadata or {}).get("tool_metadata", [])
    error = str(row.get("error_message") or "")
    if not error and not isinstance(result, dict):
        error = "the result is not an object: only workflows whose result is one can be evaluated"
    return DocumentAnswer(
        document=str(row["file_path"]),
        result=result if isinstance(result, dict) else None,
        error=error,
        evidence=None if evidence is None else msgspec.convert(evidence, DocumentEvidence),
        cpu_seconds=sum(float(step.get("cpu_seconds", 0.0)) for step in steps),
        pages=max((int(step.get("pages", 0)) for step in steps), default=0),
    )


def _decoded(cell: Any) -> Any:
    if isinstance(cell, str):
        try:
            return msgspec.json.decode(cell)
        except msgspec.DecodeError:
            return cell
    return cell
