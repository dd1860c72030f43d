"""``docfleet apply FILE.yaml``: make a backend hold what the file says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from docfleet.cli.connection import connected
from docfleet.cli.management import Applied, ManagementClient
from docfleet.cli.workflow_file import Workflow, WorkflowFileInvalid, read_workflow
from docfleet.core.errors import ConfigurationError, InvalidInput, ReviewUnavailable, ToolError

KEY_NAME = "docfleet apply"


@click.command("apply")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Say what would change, change nothing.")
@connected
def command(file: Path, dry_run: bool, client: ManagementClient) -> int:
    """Create or change the workflow of FILE, and the API or pipeline it is published as.

    Applying it again changes nothing. The key of a new API or pipeline is shown once.
    """
    workflow = read_workflow(file)
    try:
        applied = client.apply("workflows", workflow.document, dry_run=dry_run)
        _say("workflow", workflow.name, applied, dry_run=dry_run)
        if workflow.api:
            _publish(client, "deployments", _deployment(workflow), workflow.api.name, applied, dry_run=dry_run)
        elif workflow.pipeline:
            _publish(client, "pipelines", _pipeline(workflow), workflow.pipeline.name, applied, dry_run=dry_run)
    except (InvalidInput, ConfigurationError, ToolError, ReviewUnavailable) as error:
        raise WorkflowFileInvalid(workflow.explain(error.message)) from error
    if dry_run:
        click.echo("nothing was changed (--dry-run)")
    return 0


def _publish(
    client: ManagementClient, kind: str, document: dict[str, Any], name: str, workflow: Applied, *, dry_run: bool
) -> None:
    word, scope = ("API", "deployment") if kind == "deployments" else ("pipeline", "pipeline")
    if dry_run and workflow.created:
        known = any(row.get("api_name", row.get("name")) == name for row in client.listing(kind))
        applied = Applied(created=not known, changed=["workflow"] if known else [])
    else:
        applied = client.apply(kind, document, dry_run=dry_run)
    _say(word, name, applied, dry_run=dry_run)
    if dry_run:
        return
    key = str(client.create_key(scope, name, KEY_NAME, None)["key"]) if applied.created else None
    if applied.url:
        click.echo(f"  url  {client.absolute(applied.url)}")
    if key:
        click.echo(f"  key  {key}\n       shown this once; `docfleet keys` makes, lists and revokes keys")
    if applied.url and key:
        click.echo(f"\n{curl(client.absolute(applied.url), key)}")


def _say(word: str, name: str, applied: Applied, *, dry_run: bool) -> None:
    if applied.created:
        mark, what = "+", "would be created" if dry_run else "created"
    elif applied.changed:
        mark, what = "~", f"{'would change' if dry_run else 'changed'}: {', '.join(applied.changed)}"
    else:
        mark, what = "=", "unchanged"
    click.echo(f"{mark} {word} {name}: {what}")


def _deployment(workflow: Workflow) -> dict[str, Any]:
    section = msgspec.to_builtins(workflow.api)
    return {"api_name": section.pop("name"), "workflow": workflow.name, **section}


def _pipeline(workflow: Workflow) -> dict[str, Any]:
    return {**msgspec.to_builtins(workflow.pipeline), "workflow": workflow.name}


def curl(url: str, key: str) -> str:
    """A call that works when it is pasted into a shell."""
    return f"curl -H 'Authorization: Bearer {key}' -F files=@DOCUMENT.pdf -F timeout=300 \\\n  {url}"
