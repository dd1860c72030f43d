"""Formats before Office Open XML: workbooks by calamine, documents and slides by LibreOffice where that is allowed."""

from __future__ import annotations

import datetime
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from docfleet.core.errors import CorruptFile, FileTooLarge, PasswordRequired, ToolSettingsInvalid, UnsupportedFileType
from docfleet.tools.builtin.text_extractor.document import (
    MIB,
    SEND_AGAIN,
    Document,
    ReadOptions,
    check_archive,
    reading_of,
)
from docfleet.tools.builtin.text_extractor.openxml.number_format import general
from docfleet.tools.builtin.text_extractor.openxml.slides import read_slides
from docfleet.tools.builtin.text_extractor.openxml.word import read_word
from docfleet.tools.sdk.words import Page, words_of_cells

PROGRAMS = ("soffice", "libreoffice")
_EMPTY = "[this sheet has no cells with content]"


def read_xls(path: Path, reading: ReadOptions) -> Document:
    """One page per sheet, cells separated by tabs. Raises ``CorruptFile``, ``FileTooLarge``, ``PasswordRequired``."""
    return _read_workbook(path, "the XLS workbook (Excel 97)", reading)


def read_xlsb(path: Path, reading: ReadOptions) -> Document:
    """As ``read_xls``, for binary workbooks of Excel 2007 and later."""
    what = "the XLSB workbook (binary Excel)"
    check_archive(path, what, reading)
    return _read_workbook(path, what, reading)


def _read_workbook(path: Path, what: str, reading: ReadOptions) -> Document:
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    pages: list[Page] = []
    size = 0
    with reading_of(what, CalamineError), _panics(what), path.open("rb") as stream:
        try:
            book = CalamineWorkbook.from_filelike(stream)
        except PasswordError as error:
            raise PasswordRequired(
                f"password required: {what} is encrypted; remove the password and send it again"
            ) from error
        for name in book.sheet_names:
            lines: list[str] = []
            rows: list[tuple[int, dict[int, str]]] = []
            for number, row in enumerate(book.get_sheet_by_name(name).to_python(skip_empty_area=False), start=1):
                cells = list(map(_shown, row))
                if any(cells):
                    rows.append((number, {column: cell for column, cell in enumerate(cells, start=1) if cell}))
                line = "\t".join(cells).rstrip("\t")
                size += len(line)
                if size > reading.max_expanded_bytes:
                    raise FileTooLarge(
                        f"{what} has more than {reading.max_expanded_bytes // MIB} MiB of text, which looks like a"
                        " bomb; raise max_expanded_megabytes if it is intended"
                    )
                if line or (lines and lines[-1]):  # of several empty rows one is kept
                    lines.append(line)
            while lines and not lines[-1]:
                lines.pop()
            text = "\n".join([f"Sheet: {name}", *(lines or [_EMPTY])])
            pages.append(Page(text, words_of_cells(rows), name=name))
            reading.progress(len(pages), len(book.sheet_names))
        return Document(pages, {"sheets": list(book.sheet_names)})


@contextmanager
def _panics(what: str) -> Iterator[None]:
    """A failed check in the library's Rust is no ``Exception``, so that nothing else would catch it."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise CorruptFile(f"{what} cannot be read: it is damaged or cut off; {SEND_AGAIN}") from error


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return general(value)
    if isinstance(value, datetime.timedelta):
        seconds = round(value.total_seconds())
        hours, rest = divmod(abs(seconds), 3600)
        return f"{'-' if seconds < 0 else ''}{hours}:{rest // 60:02}:{rest % 60:02}"
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat(" ") if isinstance(value, datetime.datetime) else value.isoformat()
    return " ".join(str(value).split())


def read_doc(path: Path, reading: ReadOptions) -> Document:
    """A document of Word 97, as the DOCX that LibreOffice makes of it. Raises ``UnsupportedFileType`` unless the
    settings allow that, ``ToolSettingsInvalid`` where LibreOffice is missing, ``CorruptFile``."""
    return _by_libreoffice(path, reading, "the DOC file (Word 97)", "docx", read_word)


def read_ppt(path: Path, reading: ReadOptions) -> Document:
    """A presentation of PowerPoint 97, as the PPTX that LibreOffice makes of it. Raises as ``read_doc``."""
    return _by_libreoffice(path, reading, "the PPT file (PowerPoint 97)", "pptx", read_slides)


def _by_libreoffice(
    path: Path, reading: ReadOptions, what: str, suffix: str, read: Callable[[Path, ReadOptions], Document]
) -> Document:
    """Convert in this run, by a process of its own with a profile of its own in the run's folder: the runner ends it
    with the run and counts it in the run's limits, and what one run leaves no other one sees."""
    if reading.legacy_office != "libreoffice":
        raise UnsupportedFileType(
            f"{what} is not read unless the setting legacy_office of the text extractor is libreoffice: save it as"
            f" {suffix.upper()} and send it again"
        )
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise ToolSettingsInvalid(
            f"{what} needs LibreOffice, which is not installed where the tools run: install it (a program named"
            f" soffice on the PATH), or save the file as {suffix.upper()} and send it again"
        )
    with tempfile.TemporaryDirectory(prefix=".libreoffice-", dir=path.parent) as name:
        folder = Path(name)
        source = folder / f"document.{suffix[:3]}"
        shutil.copyfile(path, source)
        command = [
            program, f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless", "--norestore",
            "--nolockcheck", "--nodefault", "--convert-to", suffix, "--outdir", str(folder), str(source),
        ]  # fmt: skip
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        converted = folder / f"document.{suffix}"
        if not converted.is_file():
            raise CorruptFile(
                f"{what} could not be converted by LibreOffice (exit code {done.returncode}): it is damaged, cut off or"
                f" protected by a password; save it as {suffix.upper()} and send it again"
            )
        document = read(converted, reading)
    document.metadata["converted_by"] = "LibreOffice"
    return document
