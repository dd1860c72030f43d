"""What a user reads about a document that cannot be processed: a cause, and what to do about it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.integration.runner.process import Runner
from tests.security import hostile_documents, test_bombs

pytestmark = pytest.mark.timeout(900)

UNUSABLE = {
    "the name of an exception": r"\b\w*(?:Error|Exception|BadZipFile|Traceback)\b",
    "an error that is called success": r"\bSuccess\b",
    "the name of a signal": r"\bSIG[A-Z]+\b",
    "a path of the runner": r"(?<![\w.])/(?:[\w.-]+/)+[\w.-]+",
    "a name of the runner's": r"\bINFILE\b|\bSOURCE\b|docfleet-runner",
    "a control character": r"[\x00-\x08\x0b-\x1f\x7f-\x9f]",
    "the type of a container": r"application/(?:zip|x-ole-storage|octet-stream|x-encrypted-office)",
    "a word of Python": r"\bNone(?:Type)?\b|\[Errno|\bobject at\b|0x[0-9a-f]{4}|<class|recursion|set\?|\b'[^']*'$",
}
"""What nobody can act on."""
CODES = {"corrupt_file", "password_required", "file_too_large", "empty_file", "unsupported_file_type"}
"""What is said of a document. `tool_failed` and the like would be said of the tool."""
LIMITS = {"wall_seconds": 60.0, "cpu_seconds": 60}


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    running = Runner(tmp_path_factory.mktemp("causes"), RUNNER_CONCURRENCY="2", LOG_LEVEL="ERROR")
    yield running
    running.close()


def faults(cause: str) -> list[str]:
    """What is wrong with a cause."""
    found = [f"{what}: {match[0]!r}" for what, word in UNUSABLE.items() if (match := re.search(word, cause))]
    if not re.search(r"send|raise|limit|save|remove", cause):
        found.append("no remedy")
    return found


def states(runner: Runner, documents: Iterable[tuple[str, bytes]], *tools: str) -> dict[str, dict[str, Any]]:
    """The end of each document: after the last of the tools, or the first that failed."""

    def process(document: tuple[str, bytes]) -> tuple[str, dict[str, Any]]:
        name, content = document
        folder = runner.folder(content)
        metadata = runner.storage / folder / "METADATA.json"
        metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"source_name": name}))
        state: dict[str, Any] = {}
        for step, tool in enumerate(tools, start=1):
            run_id = f"{folder.rpartition('/')[2]}.{step}"
            state = runner.put(run_id, folder, wait=60, tool_id=tool, step=step, settings={}, limits=LIMITS).json()
            if state["phase"] != "SUCCEEDED":
                break
        return name, state

    with ThreadPoolExecutor(1) as pool:
        return dict(pool.map(process, documents))


def check(ends: dict[str, dict[str, Any]]) -> None:
    bad = {
        name: (state["error_code"], state["error"], faults(state["error"]))
        for name, state in ends.items()
        if state["phase"] != "SUCCEEDED" and (faults(state["error"]) or state["error_code"] not in CODES)
    }
    assert not bad, json.dumps(bad, indent=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "documents", [hostile_documents.damaged, hostile_documents.locked, hostile_documents.nested, hostile_documents.odd]
)
def test_every_cause_can_be_acted_on(runner: Runner, documents: Callable[[], Iterator[tuple[str, bytes]]]) -> None:
    ends = states(runner, documents(), "text_extractor", "field_extractor")
    check(ends)
    assert any(state["phase"] == "FAILED" for state in ends.values())


@pytest.mark.slow
def test_every_cause_of_a_bomb_can_be_acted_on(runner: Runner) -> None:
    check(states(runner, test_bombs.documents().items(), "text_extractor", "field_extractor"))


OFFICE = ("docx", "xlsx", "pptx", "odt", "ods", "odp", "epub")


def test_an_office_file_that_is_cut_off_is_called_so(runner: Runner) -> None:
    good = hostile_documents.originals()
    cut = {f"{share:g}.{kind}": hostile_documents.cut(good[kind], share) for kind in OFFICE for share in (0.02, 0.9)}
    ends = states(runner, cut.items(), "text_extractor")
    assert {state["error_code"] for state in ends.values()} == {"corrupt_file"}
    nameless = states(runner, ((kind, hostile_documents.cut(good[kind], 0.9)) for kind in OFFICE), "text_extractor")
    assert {state["error_code"] for state in nameless.values()} == {"corrupt_file"}, "its content says what it was"
    check(ends | nameless)


def test_a_document_with_a_password_is_called_so(runner: Runner) -> None:
    locked = dict(hostile_documents.locked())
    archive = locked.pop("locked.zip")
    ends = states(runner, locked.items(), "text_extractor")
    assert {name: state["error_code"] for name, state in ends.items()} == dict.fromkeys(locked, "password_required")
    assert all("remove the password" in state["error"] for state in ends.values())
    check(ends | states(runner, [("locked.zip", archive)], "text_extractor"))


@pytest.mark.parametrize(
    "cause",
    [
        "the PDF is damaged and cannot be opened (Failed to load document (PDFium: Success).); send it again",
        "the tool failed on this document (RecursionError: maximum recursion depth exceeded)",
        "the tool failed on this document (OverflowError: cannot convert float infinity to integer)",
        "the tool failed on this document (RuntimeError: Failed to recognize. No image set?)",
        "the tool crashed on this document: SIGABRT (signal 6)",
        "files of type application/zip are not supported: send a PDF, office, mail, web or image file",
        "the Word document is damaged (Package not found at '/tmp/docfleet-runner-x/run-1/data/INFILE'); send it again",
        "the broker answered Protocol Error: \x00\x1b[31m; send it again",
    ],
)
def test_causes_of_before_are_refused(cause: str) -> None:
    assert faults(cause)
