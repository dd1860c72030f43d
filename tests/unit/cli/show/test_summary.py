"""Exit codes, the JSON object and the page."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from docfleet.cli.show.summary import RunResult, as_json, plain, show
from docfleet.core.management.executions import ExecutionProgress, ExecutionState, ExecutionSummary, FileOfExecution
from docfleet.core.status import EmptyReason, ExecutionStatus


def result(
    status: ExecutionStatus = ExecutionStatus.COMPLETED,
    counts: dict[str, int] | None = None,
    files: list[FileOfExecution] | None = None,
    **more: object,
) -> RunResult:
    info = ExecutionSummary(id="e1", workflow_id="w1", status=status, **more)  # type: ignore[arg-type]
    skipped = {"already_processed": 12} if not counts else {}
    progress = ExecutionProgress(total=0, done=0, open=0, listing_complete=True, percent=0.0)
    state = ExecutionState(execution=info, counts=counts or {}, skipped=skipped, progress=progress)
    return RunResult("invoices", state, files or [], 1.25, {"connector": "sqlite", "path": "/o.db", "table": "t"})


def page(of: RunResult, width: int = 100) -> str:
    text = io.StringIO()
    show(Console(file=text, width=width), of)
    return text.getvalue()


@pytest.mark.parametrize(
    ("status", "counts", "code"),
    [
        ("COMPLETED", {"COMPLETED": 3}, 0),
        ("COMPLETED", {}, 0),
        ("COMPLETED", {"COMPLETED": 2, "ERROR": 1}, 3),
        ("COMPLETED", {"COMPLETED": 2, "STOPPED": 1}, 3),
        ("ERROR", {"ERROR": 1}, 1),
        ("STOPPED", {"COMPLETED": 1, "STOPPED": 1}, 1),
        ("EXECUTING", {"COMPLETED": 1}, 1),
    ],
)
def test_exit_code(status: str, counts: dict[str, int], code: int) -> None:
    assert result(ExecutionStatus(status), counts).exit_code == code


def test_the_json_object_has_exactly_the_promised_keys() -> None:
    file = FileOfExecution("f", 1, "a\udcff.pdf", "x/a.pdf", "ERROR", "password required", "password_required")
    found = json.loads(as_json(result(counts={"COMPLETED": 2, "ERROR": 1}, files=[file])))
    assert list(found) == [
        *("execution_id", "status", "total_files", "successful_files", "failed_files", "skipped_files"),
        *("duration_s", "files", "destination"),
    ]
    assert found["total_files"] == 3
    assert (found["successful_files"], found["failed_files"], found["skipped_files"]) == (2, 1, 0)
    assert list(found["files"][0]) == ["name", "path", "status", "error", "outputs"]
    assert found["files"][0]["error"] == "password required"
    assert "\n" not in as_json(result())


def test_the_page_names_causes_and_counts_the_rest() -> None:
    files = [FileOfExecution(f"f{n}", n, f"{n}.pdf", f"{n}.pdf", "ERROR", f"cause {n}") for n in range(20)]
    text = page(result(counts={"COMPLETED": 2, "ERROR": 25}, files=files))
    assert "27 files: 2 successful, 25 failed" in text
    assert "0.pdf" in text
    assert "cause 19" in text
    assert "and 5 more" in text
    assert "/o.db, table t" in text


def test_the_page_says_why_nothing_was_done() -> None:
    text = page(result(empty_reason=EmptyReason.ALL_FILTERED))
    assert "0 files: 12 skipped" in text
    assert "12 already processed in an earlier run" in text
    assert "every file of the source was skipped" in text
    assert "no file in the source matched" in page(result(empty_reason=EmptyReason.NO_MATCH))


def test_names_cannot_draw_on_the_terminal() -> None:
    assert plain("a\nb\x1b[31m\udcff é") == "a\\nb\\x1b[31m\\udcff é"
    file = FileOfExecution("f", 1, "n", "[red]a\n\x1b[2J", "ERROR", "[bold]c")
    text = page(result(counts={"ERROR": 1}, files=[file]))
    assert "[red]a\\n\\x1b[2J" in text
    assert "[bold]c" in text


def test_rows_are_shown_without_bookkeeping() -> None:
    given = result(counts={"COMPLETED": 1})
    row = {
        "id": "x",
        "status": "SUCCESS",
        "user_field_1": None,
        "total": 3.5,
        "file_path": "a.pdf",
        "execution_id": "e1",
    }
    text = page(RunResult(given.workflow_name, given.state, [], 1.0, given.destination, [row]))
    assert "total" in text
    assert "3.5" in text
    assert "user_field_1" not in text
    assert "execution_id" not in text


def test_entries_that_cannot_be_read_are_named_and_change_the_exit_code() -> None:
    found = result(counts={"COMPLETED": 2})
    found.state.skipped = {"broken_link": 7, "already_processed": 3, "too_deep": 1}
    found.state.skipped_examples = {"broken_link": ["a\n.pdf", "b.pdf"], "already_processed": ["c"], "too_deep": ["d"]}
    shown = page(found, width=300)
    assert "7 not read: link to nothing (mend or remove it): a\\n.pdf, b.pdf, …" in shown
    assert "3 already processed in an earlier run (--no-history takes them again)\n" in shown
    assert "1 not listed: folder below the limit of maxDepth: d\n" in shown
    assert "COMPLETED, some entries of the source were not read" in shown
    assert found.exit_code == 3
    printed = json.loads(as_json(found))
    assert (printed["skipped"], printed["skipped_files"]) == (found.state.skipped, 11)
    assert printed["skipped_examples"] == found.state.skipped_examples


@pytest.mark.parametrize("reason", ["already_processed", "over_limit", "too_deep", "listed_already", "of a plug-in"])
def test_what_an_option_leaves_out_is_no_fault(reason: str) -> None:
    found = result(counts={"COMPLETED": 2})
    found.state.skipped = {reason: 7}
    assert found.exit_code == 0 and "7 " in page(found)
