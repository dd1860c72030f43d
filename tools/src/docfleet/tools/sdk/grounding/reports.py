"""The evidence for a result as a tool reports it: with the checks of each field and its confidence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from docfleet.core.evidence import Check, DocumentEvidence, Evidence, FieldEvidence, PageShape
from docfleet.tools.sdk.grounding.confidence import DEFAULT, Calibration, confidence
from docfleet.tools.sdk.grounding.index import WordIndex
from docfleet.tools.sdk.grounding.results import Labels, count_fields, ground_result, value_at


def report(
    result: Mapping[str, Any],
    words: WordIndex,
    labels: Labels | None = None,
    checks: Sequence[Mapping[str, Any]] = (),
    calibration: Calibration = DEFAULT,
) -> DocumentEvidence:
    """The evidence for ``result``. ``checks`` are objects ``{check, ok, detail}``, which may name their ``fields``; a
    check that names none concerns the fields whose names are in its text. Within a list or an object a check concerns
    the numbers: that they add up says nothing of the texts beside them."""
    made = [
        (Check(check=str(each.get("check", "")), ok=bool(each.get("ok")), detail=str(each.get("detail", ""))), each)
        for each in checks
        if isinstance(each, Mapping)
    ]
    found = ground_result(result, words, labels)
    fields = {}
    for pointer, evidence in found.items():
        name = pointer.split("/")[1] if "/" in pointer else ""
        is_text_within = pointer.count("/") > 1 and isinstance(value_at(result, pointer), str)
        own = [] if is_text_within else [check for check, given in made if _concerns(check, given, name)]
        field = FieldEvidence(**_values(evidence), checks=own)
        field.confidence = confidence(field, calibration)
        fields[pointer] = field
    pages = sorted({field.page for field in fields.values() if field.page})
    return DocumentEvidence(
        fields=fields,
        pages=[_shape(words, page) for page in pages],
        checks=[check for check, _ in made],
        omitted=count_fields(result) - len(found),
    )


def _values(evidence: Evidence) -> dict[str, Any]:
    return {name: getattr(evidence, name) for name in Evidence.__struct_fields__}


def _concerns(check: Check, given: Mapping[str, Any], name: str) -> bool:
    named = given.get("fields")
    if isinstance(named, list):
        return name in named
    return bool(name) and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", f"{check.check} {check.detail}") is not None


def _shape(words: WordIndex, number: int) -> PageShape:
    page = words.pages[number - 1]
    return PageShape(number=number, width=round(page.width, 2), height=round(page.height, 2), name=page.name)


def calibration_of(settings: Mapping[str, Any]) -> Calibration:
    """The calibration that is kept with the workflow, in the settings of its tool; the default without one."""
    given = settings.get("calibration")
    return DEFAULT if not given else msgspec.convert(given, Calibration)
