"""`connectors.md`: from the descriptions of the installed connectors."""

from __future__ import annotations

from typing import Any

from docfleet.connectors.catalogue import descriptions
from docfleet.core.management.connectors import ConnectorDescription
from docs.generator.markdown import code, page, prose, table

NOT_RUN = "not run against a server"
_INTRODUCTION = """
What documents come from and what results go to. A connector that needs a library has an extra of
`docfleet-connectors`. [Connect a source or a destination](../howto/connect-a-source-or-a-destination.md) says how to
install it and how to use a connector.

``docfleet connectors list`` shows the same, with what is installed here. The last column says what the tests run the
connector against. Where there is no server to run, its statements and requests are checked, but not by the real thing.
"""
_SETTINGS = """
The fields below ``settings`` in a workflow file. A field with a default need not be given. A secret is encrypted where
it is stored, and never shown.
"""


def render() -> str:
    """The page."""
    found = descriptions()
    rows = [(code(each.name), each.title, *_uses(each), code(each.extra), each.tested or NOT_RUN) for each in found]
    return page(
        "Connectors",
        prose(_INTRODUCTION),
        table(["connector", "what it is", "source", "destination", "extra", "run against"], rows),
        "## Settings",
        prose(_SETTINGS),
        *(_section(each) for each in found),
    )


def _uses(each: ConnectorDescription) -> tuple[str, str]:
    files, kind = each.mode == "FILESYSTEM", "files" if each.mode == "FILESYSTEM" else "rows"
    return ("files" if files and each.can_read else "", kind if each.can_write else "")


def _section(each: ConnectorDescription) -> str:
    required = each.json_schema.get("required", ())
    rows = [
        (code(name), rule.get("type", ""), _need(rule, name in required, name in each.secrets), _meaning(rule))
        for name, rule in each.json_schema.get("properties", {}).items()
    ]
    parts = (f"### {each.name}", f"Id: `{each.connector_id}`", prose(f"{each.description}."))
    return "\n\n".join((*parts, table(["field", "type", "value", "meaning"], rows)))


def _need(rule: dict[str, Any], required: bool, secret: bool) -> str:
    default = code(rule["default"]) if "default" in rule else ""
    words = ("secret" if secret else "", "required" if required else "", f"default {default}" if default else "")
    return ", ".join(filter(None, words))


def _meaning(rule: dict[str, Any]) -> str:
    title, description = rule.get("title", ""), rule.get("description", "")
    choices = f"One of {', '.join(map(code, rule['enum']))}" if "enum" in rule else ""
    return ". ".join(filter(None, (title, description.rstrip("."), choices)))
