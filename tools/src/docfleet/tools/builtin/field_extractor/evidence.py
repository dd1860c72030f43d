"""Where the fields of a result stand in the document, and how sure each one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from docfleet.core.errors import ToolSettingsInvalid
from docfleet.tools.sdk.text import decode_text, earlier_text
from docfleet.tools.sdk.words import Page

if TYPE_CHECKING:
    from docfleet.core.evidence import DocumentEvidence
    from docfleet.tools.sdk import RunContext

# What the tool says about the result is not in the document.
_VERDICT = ("matched", "template", "checks", "kind")


def preload() -> None:
    """Load what grounding needs: names of months in all languages, and the library for nearly equal text."""
    from docfleet.tools.sdk.grounding import WordIndex, dates, report

    dates.months()
    report({"date": "2018-03-12", "name": "nobody at all"}, WordIndex([Page("12 March 2018")]))


def evidence_for(
    result: Mapping[str, Any], settings: Mapping[str, Any], context: RunContext, labels: Mapping[str, Sequence[str]]
) -> DocumentEvidence:
    """The evidence for the fields of ``result``; ``labels`` are those of the fields, by name.

    Raises ``ToolSettingsInvalid`` for a calibration that is none.
    """
    from docfleet.tools.sdk.grounding import WordIndex, calibration_of, report

    try:
        calibration = calibration_of(settings)
    except msgspec.ValidationError as error:
        raise ToolSettingsInvalid(f"the setting calibration is not valid: {error}") from error
    checks = result.get("checks")
    return report(
        {name: value for name, value in result.items() if name not in _VERDICT},
        WordIndex(context.words or _pages_of_text(context)),
        {f"/{name}": names for name, names in labels.items() if names},
        checks if isinstance(checks, list) else (),
        calibration,
    )


def _pages_of_text(context: RunContext) -> list[Page]:
    raw = context.input_path.read_bytes()
    text = decode_text(raw) if context.is_first_step else earlier_text(raw)
    return [Page(part) for part in text.split("\f")]
