"""The destination of a run, without its secrets, and a few of the rows that were written."""

from __future__ import annotations

from typing import Any

from docfleet.cli.workflow_file import WorkflowFile
from docfleet.connectors.base import ConnectorMode, table_settings
from docfleet.connectors.registry import connector_info, open_database
from docfleet.core.errors import DocfleetError

_READ_ROWS = 50


def describe_destination(workflow: WorkflowFile) -> dict[str, Any]:
    """Connector and settings, secrets left out; ``table`` for a database, ``outputFolder`` for a file system."""
    given = workflow.destination
    info = connector_info(given["connector"])
    description: dict[str, Any] = {"connector": given["connector"]}
    description |= {key: value for key, value in given["settings"].items() if key not in info.secrets}
    if info.mode is ConnectorMode.DATABASE:
        description["table"] = table_settings(_configuration(given)).table
    elif given.get("outputFolder"):
        description["outputFolder"] = given["outputFolder"]
    return description


def example_rows(workflow: WorkflowFile, execution_id: str, limit: int) -> list[dict[str, Any]]:
    """Up to ``limit`` rows that this execution wrote; none for a file system, or when they cannot be read."""
    given = workflow.destination
    try:
        if connector_info(given["connector"]).mode is not ConnectorMode.DATABASE:
            return []
        database = open_database(given["connector"], given["settings"])
        try:
            rows = database.read_rows(table_settings(_configuration(given)), _READ_ROWS, execution_id)
        finally:
            database.close()
    except DocfleetError:
        return []  # the summary is worth showing without them
    return [row for row in rows if row.get("status") != "ERROR"][:limit]


def _configuration(destination: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in destination.items() if key not in ("connector", "settings")}
