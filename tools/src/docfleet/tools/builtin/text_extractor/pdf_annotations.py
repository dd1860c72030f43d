"""What was typed onto a PDF page beside its content: values of form fields, free-text notes, stamps, and remarks."""

from __future__ import annotations

import ctypes
import html
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pypdfium2 as pdfium

# Flags of an annotation and of a form field (ISO 32000, 12.5.3 and 12.7.4.3).
_HIDDEN = 1 << 1
_PASSWORD = 1 << 13
# The names that programs give to the state of a ticked box say nothing.
_BARE_TICK = re.compile(r"(yes|on|true|off|ja|oui|si|sí|x|checked|choice|option|\d+|[a-z])?[\s_.-]*\d*", re.IGNORECASE)


@dataclass(slots=True)
class Annotations:
    """``values`` are texts that stand on the page, each with its box (left, bottom, right, top) in the space of the
    page; ``remarks`` open only when a reader clicks. ``drawn``: some text exists only as a drawing, such as a stamp.
    """

    values: list[tuple[str, tuple[float, float, float, float]]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    drawn: bool = False


def read_annotations(document: pdfium.PdfDocument, page: pdfium.PdfPage) -> Annotations:
    """What is typed onto ``page``. Hidden annotations and passwords are left out.

    ``document`` has its forms initialised. Where text exists only as a drawing, every other annotation is taken off the
    page, so that ``flatten`` puts the drawings into its content.
    """
    import pypdfium2.raw as raw

    result = Annotations()
    form = document.formenv.raw if document.formenv else None
    others: list[int] = []
    for index in range(raw.FPDFPage_GetAnnotCount(page)):
        with _annotation(page, index) as annotation:
            if annotation is None or raw.FPDFAnnot_GetFlags(annotation) & _HIDDEN:
                continue
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            if kind == raw.FPDF_ANNOT_WIDGET:
                text = _field_value(form, annotation)
                may_be_drawn = not _is_button(form, annotation)
            elif kind in (raw.FPDF_ANNOT_FREETEXT, raw.FPDF_ANNOT_STAMP, raw.FPDF_ANNOT_WATERMARK):
                text = _note(annotation) if kind == raw.FPDF_ANNOT_FREETEXT else ""
                may_be_drawn = True
            else:
                text, may_be_drawn = "", False
            if text:
                result.values.append((text, _box(annotation)))
            elif may_be_drawn and _draws_text(annotation):
                result.drawn = True
                continue
            elif kind not in (raw.FPDF_ANNOT_WIDGET, raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_FREETEXT):
                remark = _note(annotation)
                if remark and remark not in result.remarks:
                    result.remarks.append(remark)
        others.append(index)
    if result.drawn:
        for index in reversed(others):
            raw.FPDFPage_RemoveAnnot(page, index)
    return result


def flatten(page: pdfium.PdfPage) -> None:
    """Make the drawings of the annotations part of the content of ``page``, which has to be opened again."""
    import pypdfium2.raw as raw

    raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)


@contextmanager
def _annotation(page: pdfium.PdfPage, index: int) -> Iterator[Any]:
    import pypdfium2.raw as raw

    annotation = raw.FPDFPage_GetAnnot(page, index)
    try:
        yield annotation or None
    finally:
        if annotation:
            raw.FPDFPage_CloseAnnot(annotation)


def _field_value(form: Any, annotation: Any) -> str:
    """The value of a form field, as a reader of the page would see it."""
    import pypdfium2.raw as raw

    if form is None:
        # A field that no form lists: only its own entry is left.
        return _entry(annotation, b"V")
    kind = raw.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON):
        state = _entry(annotation, b"AS")
        # Without a drawing for each state, only the name of the state is left.
        if not raw.FPDFAnnot_IsChecked(form, annotation) and state in ("", "Off"):
            return ""
        meanings = (_string(raw.FPDFAnnot_GetFormFieldExportValue, form, annotation), state)
        return " ".join(["[x]", *[meaning for meaning in meanings if not _BARE_TICK.fullmatch(meaning)][:1]])
    if kind == raw.FPDF_FORMFIELD_PUSHBUTTON or raw.FPDFAnnot_GetFormFieldFlags(form, annotation) & _PASSWORD:
        return ""
    if kind in (raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX):
        chosen = [
            _string(raw.FPDFAnnot_GetOptionLabel, form, annotation, index)
            for index in range(max(raw.FPDFAnnot_GetOptionCount(form, annotation), 0))
            if raw.FPDFAnnot_IsOptionSelected(form, annotation, index)
        ]
        if chosen:
            return "\n".join(chosen)
    if kind == raw.FPDF_FORMFIELD_UNKNOWN:
        return _entry(annotation, b"V")
    return _clean(_string(raw.FPDFAnnot_GetFormFieldValue, form, annotation))


def _is_button(form: Any, annotation: Any) -> bool:
    import pypdfium2.raw as raw

    if form is None:
        return False
    return raw.FPDFAnnot_GetFormFieldType(form, annotation) in (
        raw.FPDF_FORMFIELD_PUSHBUTTON,
        raw.FPDF_FORMFIELD_CHECKBOX,
        raw.FPDF_FORMFIELD_RADIOBUTTON,
    ) or bool(raw.FPDFAnnot_GetFormFieldFlags(form, annotation) & _PASSWORD)


def _note(annotation: Any) -> str:
    """The text of an annotation: plain, or else from its formatted copy."""
    plain = _entry(annotation, b"Contents")
    if plain:
        return plain
    formatted = re.sub(r"<(br|/p|/div)\b[^>]*>", "\n", _entry(annotation, b"RC"))
    return html.unescape(re.sub(r"<[^>]*>", "", formatted)).strip()


def _draws_text(annotation: Any) -> bool:
    import pypdfium2.raw as raw

    kinds = {
        raw.FPDFPageObj_GetType(raw.FPDFAnnot_GetObject(annotation, index))
        for index in range(raw.FPDFAnnot_GetObjectCount(annotation))
    }
    return bool(kinds & {raw.FPDF_PAGEOBJ_TEXT, raw.FPDF_PAGEOBJ_FORM})


def _box(annotation: Any) -> tuple[float, float, float, float]:
    import pypdfium2.raw as raw

    bounds = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(annotation, bounds)
    return (
        min(bounds.left, bounds.right),
        min(bounds.bottom, bounds.top),
        max(bounds.left, bounds.right),
        max(bounds.bottom, bounds.top),
    )


def _entry(annotation: Any, key: bytes) -> str:
    import pypdfium2.raw as raw

    return _clean(_string(raw.FPDFAnnot_GetStringValue, annotation, key))


def _clean(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _string(function: Callable[..., int], *arguments: Any) -> str:
    """What a function of PDFium returns that fills a buffer with UTF-16."""
    size = function(*arguments, None, 0)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    function(*arguments, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size)
    return buffer.raw[:size].decode("utf-16-le", "replace").rstrip("\0")
