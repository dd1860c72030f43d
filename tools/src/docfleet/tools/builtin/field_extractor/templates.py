"""Declarative templates, with the library invoice2data."""

from __future__ import annotations

import copy
import datetime
import logging
import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from docfleet.core.errors import ToolSettingsInvalid

# The library reports every field a template did not find as a warning or an error of its own.
logging.getLogger("invoice2data").setLevel(logging.CRITICAL)


@cache
def packaged_templates() -> tuple[Any, ...]:
    """The templates of the library and our own, those of highest priority first."""
    from invoice2data.extract.loader import read_templates

    ours = read_templates(str(Path(__file__).parent / "templates"))
    return _by_priority([*ours, *read_templates()])


def _by_priority(templates: list[Any]) -> tuple[Any, ...]:
    return tuple(sorted(templates, key=lambda template: -template.get("priority", 5)))


def templates_of(settings: dict[str, Any]) -> list[Any]:
    """Inline templates first, then those of the folder, then the packaged. Raises ``ToolSettingsInvalid``."""
    from invoice2data.extract.invoice_template import InvoiceTemplate
    from invoice2data.extract.loader import prepare_template, read_templates

    templates: list[Any] = []
    for index, raw in enumerate(settings.get("templates", [])):
        # The loader changes its argument.
        prepared = prepare_template({"template_name": f"inline {index + 1}", **copy.deepcopy(raw)})
        try:
            templates.append(InvoiceTemplate(prepared or {}))
        except (AssertionError, KeyError, TypeError) as error:
            raise ToolSettingsInvalid(f"template {index + 1} is not valid: {error}") from error
    folder = settings.get("templates_folder")
    if folder:
        if not Path(folder).is_dir():
            raise ToolSettingsInvalid(f"templates_folder {folder} is not a folder the runner can read")
        templates.extend(_by_priority(read_templates(str(folder))))
    if settings["use_packaged_templates"]:
        templates.extend(packaged_templates())
    return templates


def matches(template: Any, text: str) -> bool:
    """Whether ``text`` has all keywords of the template and none of those it excludes.

    A keyword counts literally or as a regular expression: templates of both kinds are in circulation, those of
    the library among them.
    """
    return all(_stands_in(keyword, text) for keyword in template["keywords"]) and not any(
        _stands_in(keyword, text) for keyword in template["exclude_keywords"]
    )


def _stands_in(keyword: object, text: str) -> bool:
    word = str(keyword)
    if word in text:
        return True
    if re.escape(word) == word:
        return False
    try:
        return re.search(word, text) is not None
    except re.error:
        return False


def extract(text: str, templates: list[Any], source: Path, *, is_pdf: bool) -> dict[str, Any] | None:
    """The fields of the first template that matches ``text`` and finds all it requires; None when there is none.

    ``source`` is read again only by templates that look at an area of a PDF page.
    """
    import regex
    from invoice2data.exceptions import TemplateSyntaxError
    from invoice2data.input import pdfium
    from invoice2data.input import text as plain

    reader = pdfium if is_pdf else plain
    for template in templates:
        if not matches(template, text):
            continue
        try:
            with warnings.catch_warnings():
                # Advice to the authors of templates; a user of a workflow cannot act on it.
                warnings.simplefilter("ignore", DeprecationWarning)
                fields = template.extract(template.prepare_input(text), str(source), reader)
        except (TemplateSyntaxError, regex.error, re.error, LookupError, TypeError, AttributeError) as error:
            name = template.get("template_name", "")
            raise ToolSettingsInvalid(f"template {name!r} is not valid: {error}") from error
        except ValueError:
            continue  # a required field is missing: another template, or the plain rules, may do better
        if fields:
            name = fields.pop("template_name", None)
            fields.pop("desc", None)
            return {"matched": True, "template": name, **json_safe(_identifiers_as_text(template, fields))}
    return None


def _identifiers_as_text(template: Any, fields: dict[str, Any]) -> dict[str, Any]:
    """An integer that no template requests is an identifier written without quotes: a VAT number, a register number.

    As text it has one type in every document, whichever template found it.
    """
    typed = {name for name, field in template["fields"].items() if isinstance(field, dict) and "type" in field}
    return {name: str(value) if type(value) is int and name not in typed else value for name, value in fields.items()}


def pdf_plain_text(source: Path) -> str:
    """The text of a PDF in the order of the file, which some templates were written for; empty when unreadable."""
    from invoice2data.input import pdfium
    from pypdfium2 import PdfiumError

    try:
        return pdfium.to_text(str(source))
    except (PdfiumError, OSError):
        return ""


def json_safe(value: Any) -> Any:
    """``value`` with dates as ISO 8601 and nothing JSON cannot hold."""
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [json_safe(item) for item in value]
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)
