"""Put each document into the first bin whose rules it satisfies."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, override

from docfleet.core.errors import ToolSettingsInvalid
from docfleet.tools.protocol import OutputType
from docfleet.tools.sdk import RunContext, Tool, ToolResult, media
from docfleet.tools.sdk.text import decode_text, earlier_text

Facts = dict[str, str | int]


def facts_of(context: RunContext) -> Facts:
    """The facts that rules may use: ``text``, ``name``, ``mime``, ``size`` in bytes, ``pages`` (0 when unknown)."""
    raw = context.input_path.read_bytes()
    # Bytes of a picture decoded as text would only match by accident.
    readable = not context.is_first_step or media.looks_like_text(raw[:4096])
    text = "" if not readable else decode_text(raw) if context.is_first_step else earlier_text(raw)
    return {
        "text": text,
        "name": context.source_name,
        "mime": context.source_mime,
        "size": context.source_path.stat().st_size,
        "pages": sum(entry.pages for entry in context.metadata.tool_metadata),
    }


def reason(rule: dict[str, Any], facts: Facts) -> str | None:
    """The reason why the document satisfies ``rule``, in words; None when it does not."""
    field = rule["field"]
    value = facts[field]
    reasons: list[str] = []
    if "regex" in rule:
        try:
            match = re.search(rule["regex"], str(value), re.MULTILINE)
        except re.error as error:
            raise ToolSettingsInvalid(f"the regex {rule['regex']!r} of a bin is not valid: {error}") from error
        if match is None:
            return None
        reasons.append(f"matches {rule['regex']!r} ({match[0][:80]!r})")
    if "contains" in rule:
        if rule["contains"].casefold() not in str(value).casefold():
            return None
        reasons.append(f"contains {rule['contains']!r}")
    for bound, sign in (("min", 1), ("max", -1)):
        if bound in rule:
            if not isinstance(value, int):
                raise ToolSettingsInvalid(f"{bound} cannot be used with {field}: use it with size or pages")
            if (value - rule[bound]) * sign < 0:
                return None
            reasons.append(f"is at {'least' if sign > 0 else 'most'} {rule[bound]}")
    return f"{field} " + " and ".join(reasons)


def classify(bins: list[dict[str, Any]], facts: Facts) -> tuple[str | None, list[str]]:
    """The first bin whose rules match the document, and the reasons; ``(None, [])`` when none does."""
    for candidate in bins:
        reasons = [reason(rule, facts) for rule in candidate["rules"]]
        satisfied = [text for text in reasons if text is not None]
        needed = len(reasons) if candidate.get("match", "any") == "all" else 1
        if len(satisfied) >= needed:
            return candidate["name"], satisfied
    return None, []


class Classifier(Tool):
    """``{"bin", "reasons", "text_preview"}``; the document is copied into ``COPY_TO_FOLDER/<bin>/``."""

    @override
    def run(self, settings: dict[str, Any], context: RunContext) -> ToolResult:
        facts = facts_of(context)
        bin_name, reasons = classify(settings["bins"], facts)
        chosen = bin_name or settings["default_bin"]
        if settings["copy"]:
            context.copy_source(chosen)
        preview = " ".join(str(facts["text"]).split())[: settings["preview_characters"]]
        output = {"bin": chosen, "reasons": reasons or ["no rule matched"], "text_preview": preview}
        return ToolResult(output, OutputType.JSON)


tool = Classifier(Path(__file__).parent / "config")
