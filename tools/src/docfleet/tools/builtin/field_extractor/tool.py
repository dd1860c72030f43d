"""Find fields in the text of a document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docfleet.tools.builtin.field_extractor import presets, rules, templates
from docfleet.tools.builtin.field_extractor.values import Locale
from docfleet.tools.protocol import OutputType
from docfleet.tools.sdk import RunContext, Tool, ToolResult, media
from docfleet.tools.sdk.text import decode_text


def input_text(context: RunContext) -> str:
    """The text to search: that of an earlier tool (also inside its JSON), else the document decoded as text."""
    text = decode_text(context.input_path.read_bytes())
    if context.is_first_step or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        earlier = json.loads(text)
    except ValueError:
        return text
    return str(earlier["text"]) if isinstance(earlier, dict) and isinstance(earlier.get("text"), str) else text


class FieldExtractor(Tool):
    """An object of fields with ``matched`` and ``template`` (null when plain rules found the fields)."""

    def preload(self) -> None:
        super().preload()
        templates.packaged_templates()

    def run(self, settings: dict[str, Any], context: RunContext) -> ToolResult:
        text = input_text(context)
        own = [
            rules.Rule(
                field["name"],
                field["type"],
                labels=tuple(field.get("labels", ())),
                regex=field.get("regex"),
                required=field["required"] if "required" in field else False,
            )
            for field in settings["fields"]
        ]
        locale = Locale.of(text, settings["decimal_comma"], settings["day_first"])
        found = {rule.name: rules.find(rule, text, locale) for rule in own}
        by_rule = {name: value for name, value in found.items() if value is not None}
        template = self._by_template(text, settings, context)
        if template is not None:
            # What the workflow asks for by name wins over what a template happens to call the same.
            return ToolResult({**template, **by_rule}, OutputType.JSON)
        preset = presets.apply_preset(settings["preset"], text, locale)
        required = [rule.name for rule in (*own, *presets.PRESETS[settings["preset"]]) if rule.required]
        fields = {**preset, **by_rule}
        complete = bool(fields) and all(name in fields for name in required)
        return ToolResult({"matched": complete, "template": None, **fields}, OutputType.JSON)

    @staticmethod
    def _by_template(text: str, settings: dict[str, Any], context: RunContext) -> dict[str, Any] | None:
        candidates = templates.templates_of(settings)
        if not candidates:
            return None
        is_pdf = context.source_mime == media.PDF
        found = templates.extract(text, candidates, context.source_path, is_pdf=is_pdf)
        if found is None and is_pdf:
            plain = templates.pdf_plain_text(context.source_path)
            found = templates.extract(plain, candidates, context.source_path, is_pdf=True) if plain else None
        return found


tool = FieldExtractor(Path(__file__).parent / "config")
