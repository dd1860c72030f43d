"""The body of a call, read as a stream: files are written to disk as they arrive, never held in memory."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar.exceptions import ClientException, InternalServerException
from multipart import MultipartError, MultipartSegment, PushMultipartParser

from docfleet.backend.calls.options import MAX_FIELD_BYTES, MAX_FILES, Fields
from docfleet.backend.calls.refusals import CallRefused, invalid_field
from docfleet.backend.calls.staging import Area, Incoming, check_name
from docfleet.backend.http.calls import parts

MAX_FIELDS = 100
MAX_BODY_BYTES = 1024 * 1024
"""The most bytes of a body without files: JSON, or a form of fields."""

MAX_SILENCE_SECONDS = 60.0
"""Seconds a client may take between two pieces of its body."""

MULTIPART = "multipart/form-data"
URL_ENCODED = "application/x-www-form-urlencoded"
JSON = "application/json"
_MB = 1024 * 1024
_FILES = re.compile(r"files(\[[0-9]*\])?")
"""The field of the files. PHP names each of several files: ``files[0]``."""


class SizeLimits(msgspec.Struct, frozen=True):
    """Limits in megabytes, per file and per request."""

    file_mb: int
    request_mb: int


async def read(request: Request[Any, Any, Any], area: Area, limits: SizeLimits) -> Fields:
    """Read the body: its fields; its files are in ``area``. Raises ``CallRefused`` (400, 408, 413, 415).

    The caller discards the area when this raises.
    """
    if request.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise CallRefused(
            415, "unsupported_media_type", "Content-Encoding is not taken: send the body as it is", close=True
        )
    declared = request.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) > limits.request_mb * _MB:
        raise _too_large(f"the request has {int(declared) / _MB:.0f} MB", limits.request_mb)
    content_type = request.headers.get("Content-Type", "")
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == MULTIPART:
            return await _multipart(request, content_type, area, limits)
        if kind in (JSON, URL_ENCODED):
            return _document(kind, await _small(request))
    except MultipartError as error:
        raise CallRefused(400, "parse_error", f"the multipart body is malformed: {error}", close=True) from error
    except (InternalServerException, ClientException) as error:
        raise CallRefused(
            400, "disconnected", "the client went away before the body was complete", close=True
        ) from error
    raise CallRefused(
        415,
        "unsupported_media_type",
        f"Content-Type {kind or 'is missing'!r:.100}: send {MULTIPART}, or {JSON} when there are only presigned URLs",
        close=True,
    )


async def _chunks(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    """The body as it arrives. Raises ``CallRefused`` (408) when nothing arrives any more: a client that disappeared
    without closing its connection would keep its part of a file on disk forever."""
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(MAX_SILENCE_SECONDS):
                chunk = await anext(stream, None)
        except TimeoutError as error:
            detail = f"nothing of the body came for {MAX_SILENCE_SECONDS:g} seconds; send it again"
            raise CallRefused(408, "timeout", detail, close=True) from error
        if chunk is None:
            return
        yield chunk


def _too_large(what: str, limit_mb: int) -> CallRefused:
    return CallRefused(413, "too_large", f"{what}; at most {limit_mb} MB are taken", close=True)


async def _small(request: Request[Any, Any, Any]) -> bytes:
    body = bytearray()
    async for chunk in _chunks(request):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _too_large("the body without files is too large", MAX_BODY_BYTES // _MB)
    return bytes(body)


def _document(kind: str, body: bytes) -> Fields:
    if kind == URL_ENCODED:
        try:
            pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError as error:
            raise CallRefused(400, "parse_error", f"the form is malformed: {error}") from error
        fields: Fields = {}
        for name, value in pairs:
            fields.setdefault(name, []).append(_clean(name, value))
        return fields
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError) as error:
        raise CallRefused(400, "parse_error", f"the body is no JSON object: {error}") from error
    return {name: value if isinstance(value, list) else [value] for name, value in document.items()}


def _clean(name: str, text: str) -> str:
    if "\0" in text or "\0" in name:
        raise invalid_field(name.replace("\0", "")[:100], "the field has a NUL character; take it out")
    return text


async def _multipart(request: Request[Any, Any, Any], content_type: str, area: Area, limits: SizeLimits) -> Fields:
    boundary = parts.boundary(content_type)
    if not boundary:
        raise CallRefused(400, "parse_error", "the Content-Type names no boundary", close=True)
    received = 0
    reader = _FormReader(area, limits, parts.charset(content_type))
    with PushMultipartParser(
        boundary, max_segment_count=MAX_FIELDS + MAX_FILES + 1, header_charset=parts.HEADER_CHARSET
    ) as parser:
        async for chunk in _chunks(request):
            received += len(chunk)
            if received > limits.request_mb * _MB:
                raise _too_large("the request is too large", limits.request_mb)
            for event in parser.parse(chunk):
                reader.handle(event)
    return reader.fields


class _FormReader:
    """Turns the parser's events into fields and staged files. ``charset`` is the one that the form names."""

    def __init__(self, area: Area, limits: SizeLimits, charset: str | None) -> None:
        self.fields: Fields = {}
        self._area = area
        self._limits = limits
        self._charset = charset
        self._count = 0
        self._segment: MultipartSegment | None = None
        self._name = ""
        self._filename: str | None = None
        self._decoder: parts.Decoder | None = None
        self._file: Incoming | None = None
        self._text = bytearray()

    def handle(self, event: MultipartSegment | bytearray | bytes | None) -> None:
        """Handle the start of a segment, bytes of it, or its end (None)."""
        if isinstance(event, MultipartSegment):
            self._begin(event)
        elif event is not None:
            self._bytes(self._decoder.decode(event) if self._decoder else event)
        else:
            if self._decoder:
                self._bytes(self._decoder.finish())
            self._end()

    def _begin(self, segment: MultipartSegment) -> None:
        self._segment, self._file = segment, None
        self._name, self._filename = parts.names(segment, self._charset)
        self._decoder = parts.decoder(segment)
        self._text.clear()
        if self._filename is not None:
            if not _FILES.fullmatch(self._name):
                name = self._name
                raise invalid_field(name[:100], f"a file came in field {name!r:.100}; send files in the field 'files'")
            if len(self._area.files) >= MAX_FILES:
                raise invalid_field("files", f"at most {MAX_FILES} files per call")
            if self._filename == "":
                return  # a browser's empty file input; bytes in it are refused below
            self._file = self._area.open(check_name(self._filename))
            return
        self._count += 1
        if self._count > MAX_FIELDS:
            raise invalid_field(None, f"at most {MAX_FIELDS} form fields per call")
        if _FILES.fullmatch(self._name):
            raise invalid_field("files", "the submitted data was not a file: give the part a filename")

    def _bytes(self, chunk: bytearray | bytes) -> None:
        if self._file is not None:
            self._file.write(chunk)
            if self._file.size > self._limits.file_mb * _MB:
                raise _too_large(f"file {self._file.name!r:.120} is too large", self._limits.file_mb)
        elif self._filename == "" and chunk:
            raise invalid_field("files", "a file has no name")
        else:
            self._text += chunk
            if len(self._text) > MAX_FIELD_BYTES:
                raise invalid_field(self._name[:100], f"a form field has at most {MAX_FIELD_BYTES // 1024} KB")

    def _end(self) -> None:
        segment, self._segment = self._segment, None
        if self._file is not None:
            self._file.finish()
            self._file = None
        elif segment is not None and self._filename is None:
            own = parts.charset(segment.header("Content-Type"))
            try:
                text = parts.text(self._text, own, self._charset)
            except UnicodeDecodeError as error:
                detail = f"the field is not valid {(own or 'utf-8').upper()}"
                raise invalid_field(self._name[:100], detail) from error
            self.fields.setdefault(self._name, []).append(_clean(self._name, text))
