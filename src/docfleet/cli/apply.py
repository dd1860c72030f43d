"""``docfleet apply FILE.yaml``: make a backend hold what the file says."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import click
import msgspec
import yaml

from docfleet.cli.connection import connected
from docfleet.cli.management import Applied, ManagementClient
from docfleet.cli.workflow_file import API_CONNECTOR, Workflow, WorkflowFileInvalid, read_workflow
from docfleet.connectors.registry import connector_info
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
        created = _apply(client, "workflows", "workflow", workflow.document, dry_run=dry_run).created
        if workflow.api:
            _publish(client, "deployments", _deployment(workflow), dry_run=dry_run, new_workflow=created)
        elif workflow.pipeline:
            _publish(client, "pipelines", _pipeline(workflow), dry_run=dry_run, new_workflow=created)
    except (InvalidInput, ConfigurationError, ToolError, ReviewUnavailable) as error:
        raise WorkflowFileInvalid(workflow.explain(error.message)) from error
    if dry_run:
        click.echo("nothing was changed (--dry-run)")
    return 0


def _apply(
    client: ManagementClient, kind: str, word: str, document: dict[str, Any], *, dry_run: bool, sure: bool = True
) -> Applied:
    """Say what changes, then do it. Without ``sure`` the backend cannot say yet what a change would be."""
    name = _name(document)
    known = next((row for row in client.listing(kind) if _name(row) == name), None)
    plan = Applied(created=known is None, changed=["workflow"])
    if sure:
        plan = client.apply(kind, document, dry_run=True)
    fields = plan.changed if isinstance(plan.changed, list) else []
    if plan.created:
        click.echo(f"+ {word} {name}: {'would be created' if dry_run else 'created'}")
    elif fields:
        click.echo(f"~ {word} {name}: {'would change' if dry_run else 'changed'}: {', '.join(fields)}")
        if kind == "workflows" and known:
            known = client.workflow(str(known["workflow_id"]))
        for line in difference(known or {}, document, fields):
            click.echo(f"    {line}")
    else:
        click.echo(f"= {word} {name}: unchanged")
    return plan if dry_run or not (plan.created or fields) else client.apply(kind, document, dry_run=False)


def _publish(
    client: ManagementClient, kind: str, document: dict[str, Any], *, dry_run: bool, new_workflow: bool
) -> None:
    word, scope = ("API", "deployment") if kind == "deployments" else ("pipeline", "pipeline")
    applied = _apply(client, kind, word, document, dry_run=dry_run, sure=not (dry_run and new_workflow))
    if dry_run:
        return
    name = _name(document)
    key = str(client.create_key(scope, name, KEY_NAME, None)["key"]) if applied.created else None
    if key and applied.url:
        url = client.absolute(applied.url)
        click.echo(f"  url  {url}\n  key  {key}\n       shown this once; `docfleet keys` makes, lists and revokes keys")
        click.echo(f"\n{curl(url, key) if scope == 'deployment' else trigger(url, key)}")


def difference(old: dict[str, Any], new: dict[str, Any], fields: list[str]) -> list[str]:
    """Lines ``- old`` and ``+ new`` of these fields as YAML. What ``new`` leaves to its default, and secrets, are
    not shown."""
    lines: list[str] = []
    for field in fields:
        before, after = _public(old.get(field)), _public(new.get(field))
        if isinstance(before, dict) and isinstance(after, dict):
            before = {key: value for key, value in before.items() if key in after}
        lines += [
            line for line in difflib.ndiff(_lines(field, before), _lines(field, after)) if line[:2] in ("- ", "+ ")
        ]
    return lines


def _lines(field: str, value: Any) -> list[str]:
    return [] if value is None else yaml.safe_dump({field: value}, allow_unicode=True).splitlines()


def _public(value: Any) -> Any:
    """An endpoint without its secrets; anything else as it is."""
    if not isinstance(value, dict) or "connector" not in value:
        return value
    secrets = connector_info(value["connector"]).secrets if value["connector"] != API_CONNECTOR else frozenset()
    settings = {key: "(secret)" if key in secrets else part for key, part in (value.get("settings") or {}).items()}
    return {**value, "settings": settings}


def _name(document: dict[str, Any]) -> str:
    return str(document.get("api_name") or document["name"])


def _deployment(workflow: Workflow) -> dict[str, Any]:
    section = msgspec.to_builtins(workflow.api)
    return {"api_name": section.pop("name"), "workflow": workflow.name, **section}


def _pipeline(workflow: Workflow) -> dict[str, Any]:
    return {**msgspec.to_builtins(workflow.pipeline), "workflow": workflow.name}


def curl(url: str, key: str) -> str:
    """A call that works when it is pasted into a shell."""
    return f"curl -H 'Authorization: Bearer {key}' -F files=@DOCUMENT.pdf -F timeout=300 \\\n  {url}"


def trigger(url: str, key: str) -> str:
    """Starts a pipeline."""
    return f"curl -X POST -H 'Authorization: Bearer {key}' {url}"
