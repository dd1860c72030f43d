"""The options of a call, checked."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from docfleet.backend.calls.refusals import invalid_field
from docfleet.core.nesting import MAX_DEPTH, exceeds_depth

MAX_WAIT_SECONDS = 300
MAX_FIELD_BYTES = 64 * 1024
"""The most bytes of one field."""
MAX_FILES = 32
"""The most files of one call, uploaded and fetched together."""
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,49}\Z")
_TRUE = frozenset({"true", "1", "yes", "on", "t", "y"})
_FALSE = frozenset({"false", "0", "no", "off", "f", "n", ""})
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,9}\s*\Z", re.ASCII)
MAX_PROFILE_LENGTH = 100


type Fields = dict[str, list[Any]]
"""The fields of a call: texts of a form, any value of a JSON body."""


class Include(msgspec.Struct, frozen=True):
    """The parts of a result that the caller requests."""

    metadata: bool = False
    metrics: bool = False
    extracted_text: bool = False


class CallOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a call. The caller waits ``timeout`` seconds; below 1 it does not wait."""

    timeout: int = -1
    include: Include = Include()
    use_file_history: bool = False
    tags: list[str] = []
    presigned_urls: list[str] = []
    run: dict[str, Any] = {}


def _single(fields: Fields, name: str) -> Any:
    values = fields.get(name) or [None]
    if len(values) > 1:
        raise invalid_field(name, f"{name} is given {len(values)} times; give it once")
    return values[0]


def flag(value: Any, name: str) -> bool:
    """A boolean as forms and queries write it. Raises ``CallRefused``."""
    if value is None or isinstance(value, bool):
        return bool(value)
    text = str(value).strip().lower()
    if text not in _TRUE | _FALSE:
        raise invalid_field(name, f"{name} has to be true or false, not {text!r:.40}")
    return text in _TRUE


def include(values: Any) -> Include:
    """The include flags of a mapping. Raises ``CallRefused``."""
    names = {"metadata": "include_metadata", "metrics": "include_metrics", "extracted_text": "include_extracted_text"}
    return Include(**{key: flag(values.get(name), name) for key, name in names.items()})


def _text(fields: Fields, name: str, longest: int) -> str | None:
    value = _single(fields, name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > longest:
        raise invalid_field(name, f"{name} has to be a text of at most {longest} characters")
    return value


def _timeout(value: Any) -> int:
    if value is None or value == "":
        return -1
    number = value if isinstance(value, int) and not isinstance(value, bool) else None
    if isinstance(value, str) and _INTEGER.match(value):
        number = int(value)
    if number is None or not -1 <= number <= MAX_WAIT_SECONDS:
        raise invalid_field("timeout", f"timeout has to be a whole number from -1 to {MAX_WAIT_SECONDS} (seconds)")
    return number


def _tags(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, str):
        raise invalid_field("tags", "tags has to be a text")
    tags = [tag.strip() for tag in value.split(",") if tag.strip()]
    if len(tags) > 1:
        raise invalid_field("tags", "at most 1 tag per call")
    if tags and not _TAG.match(tags[0]):
        raise invalid_field("tags", "a tag begins with a letter and has at most 50 letters, digits, '_' and '-'")
    return tags


def _custom_data(value: Any) -> dict[str, Any] | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, ValueError) as error:
            raise invalid_field("custom_data", "custom_data has to be a JSON object") from error
    if not isinstance(value, dict):
        raise invalid_field("custom_data", "custom_data has to be a JSON object")
    if exceeds_depth(value):  # it is sent in messages, and workers refuse deep ones
        raise invalid_field("custom_data", f"custom_data is nested too deeply: at most {MAX_DEPTH} levels are allowed")
    if len(msgspec.json.encode(value)) > MAX_FIELD_BYTES:
        raise invalid_field("custom_data", f"custom_data is larger than {MAX_FIELD_BYTES // 1024} KB are allowed")
    return value


def _no_review(fields: Fields) -> None:
    # A blank queue is refused too, as in the original: a caller that names one expects a review.
    for name in ("hitl_queue_name", "hitl_packet_id"):
        if any(value is not None for value in fields.get(name, ())):
            raise invalid_field(
                name, "manual review is not available: no review queue is configured; leave the field out"
            )


def _urls(values: list[Any]) -> list[str]:
    urls = [value for value in values if value not in (None, "")]
    if any(not isinstance(value, str) or len(value) > 8192 for value in urls):
        raise invalid_field("presigned_urls", "presigned_urls has to be a list of URLs")
    if len(urls) > MAX_FILES:
        raise invalid_field("presigned_urls", f"at most {MAX_FILES} files per call")
    return urls


def parse(fields: Fields, uploaded: int) -> CallOptions:
    """The options in ``fields`` of a call that brought ``uploaded`` files. Raises ``CallRefused``."""
    _no_review(fields)
    if "files" in fields:
        raise invalid_field("files", "files have to come as multipart/form-data")
    urls = _urls(fields.get("presigned_urls", []))
    count = uploaded + len(urls)
    if not 1 <= count <= MAX_FILES:
        raise invalid_field("files", f"send 1 to {MAX_FILES} files, as `files` or `presigned_urls`; these are {count}")
    options = {
        "llm_profile_id": _text(fields, "llm_profile_id", MAX_PROFILE_LENGTH),
        "custom_data": _custom_data(_single(fields, "custom_data")),
    }
    names = ("include_metadata", "include_metrics", "include_extracted_text")
    return CallOptions(
        timeout=_timeout(_single(fields, "timeout")),
        include=include({name: _single(fields, name) for name in names}),
        use_file_history=flag(_single(fields, "use_file_history"), "use_file_history"),
        tags=_tags(_single(fields, "tags")),
        presigned_urls=urls,
        run={name: value for name, value in options.items() if value is not None},
    )
