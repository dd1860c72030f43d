"""Guards of the backend's logs."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

MUTANTS = (
    mutant(
        "logs: a line that comes again is not written again",
        "tests/integration/backend/logs/test_repository.py::test_a_line_is_written_once_however_often_it_comes",
        ("backend/src/docfleet/backend/logs/repository.py", "if event.event_id not in seen", "if True"),
    ),
    mutant(
        "logs: an execution is its organization's",
        "tests/integration/backend/logs/test_repository.py::test_lines_of_nobody_and_of_others_are_dropped_and_counted",
        (
            "backend/src/docfleet/backend/logs/repository.py",
            'executions.c.organization_id == bindparam("organization"), executions',
            "executions",
        ),
        (
            "backend/src/docfleet/backend/logs/repository.py",
            "any(event.organization_id != organization_id for event in batch)",
            "False",
        ),
    ),
    mutant(
        "logs: a line that came meanwhile keeps the rows",
        "tests/integration/backend/logs/test_archive.py::test_a_line_that_comes_while_a_log_is_archived_is_not_lost",
        (
            "backend/src/docfleet/backend/logs/repository.py",
            "            channels.c.last_sequence == last_sequence,\n",
            "",
        ),
    ),
    mutant(
        "logs: an archived log is closed",
        "tests/integration/backend/logs/test_archive.py::test_an_archived_log_is_read_as_before",
        ("backend/src/docfleet/backend/logs/repository.py", "channel.archived_at is not None or channel", "channel"),
    ),
    mutant(
        "logs: a commit wakes readers",
        "tests/integration/backend/http/management/test_live_logs.py::test_live_is_history_first_then_what_comes_then_the_end",
        ("backend/src/docfleet/backend/http/workers/logs.py", "    log_readers.wake(woken)\n", ""),
    ),
    mutant(
        "logs: no cell of a CSV is a formula",
        "tests/integration/backend/http/management/test_logs.py::test_exports",
        ("backend/src/docfleet/backend/http/management/logs.py", "if text.startswith(_FORMULA)", "if False"),
    ),
    mutant(
        "logs: a reader that takes nothing is left",
        "tests/acceptance/executions/test_logs.py::test_a_reader_that_takes_nothing_slows_nobody_and_is_left",
        ("backend/src/docfleet/backend/http/management/live_logs.py", "SEND_SECONDS = 10.0", "SEND_SECONDS = 1000.0"),
    ),
)
