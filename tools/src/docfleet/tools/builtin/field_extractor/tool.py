"""Extract fields from the text of a document."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, override

from docfleet.tools.builtin.field_extractor import checks, evidence, labels, presets, rules, templates
from docfleet.tools.builtin.field_extractor.einvoice import reader as einvoice
from docfleet.tools.builtin.field_extractor.einvoice.reader import EInvoice
from docfleet.tools.builtin.field_extractor.evidence import evidence_for
from docfleet.tools.builtin.field_extractor.locale import Locale
from docfleet.tools.protocol import OutputType
from docfleet.tools.sdk import RunContext, Tool, ToolResult, media
from docfleet.tools.sdk.text import decode_text, earlier_text

_SAMPLE = "Nobody\nInvoice No: 1\nInvoice date: 12 March 2018\nTotal: 12.50 EUR\n"
_MAX_EVIDENCE = 100_000


class FieldExtractor(Tool):
    """An object of fields with ``matched`` and ``template`` (null when plain rules matched)."""

    @override
    def preload(self) -> None:
        super().preload()
        # Labels, patterns and the data of languages are loaded on first use: here, once for all runs.
        locale = locale_of(_SAMPLE, {"decimal_comma": "auto", "day_first": "auto"})
        for preset in presets.REQUIRED:
            presets.apply_preset(preset, _SAMPLE, locale)
        einvoice.preload()
        evidence.preload()
        templates.extract(_SAMPLE, list(templates.packaged_templates()), Path(), is_pdf=False)

    @override
    def run(self, settings: dict[str, Any], context: RunContext) -> ToolResult:
        result = self._extract(settings, context)
        if settings["evidence"] and isinstance(result.output, dict):
            known = presets.labels_of(settings["preset"])
            known |= {field["name"]: tuple(field.get("labels", ())) for field in settings["fields"]}
            result = replace(result, evidence=evidence_for(result.output, settings, context, known))
        return result

    def _extract(self, settings: dict[str, Any], context: RunContext) -> ToolResult:
        raw = context.input_path.read_bytes()
        text = decode_text(raw) if context.is_first_step else earlier_text(raw)
        own = [
            rules.Rule(
                field["name"],
                field["type"],
                labels=tuple(field.get("labels", ())),
                regex=field.get("regex"),
                required=field.get("required", False),
            )
            for field in settings["fields"]
        ]
        locale = locale_of(text, settings)
        values = {rule.name: rules.find(rule, text, locale) for rule in own}
        by_rule = {name: value for name, value in values.items() if value is not None}
        required = [*(rule.name for rule in own if rule.required), *presets.REQUIRED[settings["preset"]]]
        invoice = self._by_xml(text, context) if settings["preset"] == "invoice" else None
        if invoice is not None and invoice.fields is not None:
            # Templates of the workflow may know more of a supplier than its XML says, never better.
            known = self._by_template(text, settings | {"use_packaged_templates": False}, context) or {}
            fields = {**known, **invoice.fields, **by_rule}
            matched = invoice.agrees and all(name in fields for name in required)
            verdict = {"matched": matched, "template": invoice.syntax}
            return ToolResult({**verdict, **fields, **verdict, "checks": invoice.checks}, OutputType.JSON)
        result = self._by_text(text, locale, settings, context, by_rule, required)
        if invoice is not None:
            result |= {"matched": False, "checks": [*result.get("checks", []), *invoice.checks]}
        return ToolResult(result, OutputType.JSON)

    def _by_text(
        self,
        text: str,
        locale: Locale,
        settings: dict[str, Any],
        context: RunContext,
        by_rule: dict[str, rules.Value],
        required: list[str],
    ) -> dict[str, Any]:
        template = self._by_template(text, settings, context)
        if template is not None:
            # A field of the workflow wins over a field of the same name in a template.
            return {**template, **by_rule}
        preset = presets.apply_preset(settings["preset"], text, locale)
        fields = {**preset, **by_rule}
        complete = bool(fields) and all(name in fields for name in required)
        if settings["preset"] != "invoice":
            return {"matched": complete, "template": None, **fields}
        made = checks.checks_of(fields)
        complete = complete and all(each["ok"] for each in made)
        return {"matched": complete, "template": None, **fields, "checks": made}

    @staticmethod
    def _by_xml(text: str, context: RunContext) -> EInvoice | None:
        is_pdf = context.source_mime == media.PDF
        steps = context.metadata.tool_metadata
        by_ocr = any(step.usage.get("ocr_pages") for step in steps)
        return einvoice.read(context.source_path, context.source_name, text, is_pdf=is_pdf, by_ocr=by_ocr)

    @staticmethod
    def _by_template(text: str, settings: dict[str, Any], context: RunContext) -> dict[str, Any] | None:
        candidates = templates.templates_of(settings)
        if not candidates:
            return None
        is_pdf = context.source_mime == media.PDF
        fields = templates.extract(text, candidates, context.source_path, is_pdf=is_pdf)
        if fields is None and is_pdf:
            plain = templates.pdf_plain_text(context.source_path)
            fields = templates.extract(plain, candidates, context.source_path, is_pdf=True) if plain else None
        return fields


def locale_of(text: str, settings: dict[str, Any]) -> Locale:
    """How ``text`` writes numbers and dates, by the settings ``decimal_comma`` and ``day_first`` and its evidence."""
    languages = labels.languages_of(labels.hits(text[:_MAX_EVIDENCE]))
    return Locale.of(text, settings["decimal_comma"], settings["day_first"], languages)


tool = FieldExtractor(Path(__file__).parent / "config")
