"""Mutation proof: for each guard the edit that takes it away, and the test that then has to fail.

``make mutants`` applies each edit to a copy of the tree that comes first on PYTHONPATH, and runs the test. The same
test has to pass on the unchanged tree: one that fails anyway proves nothing. ``mutations.py NAME ...`` runs some.

A guard of another part is a line in ``MUTANTS``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = tuple(
    f"{member}src" for member in ("", "core/", "connectors/", "providers/", "tools/", "runner/", "workers/", "backend/")
)
TIMEOUT_SECONDS = 700.0
"""More than the time limit of a test."""
BACKEND = "backend/src/docfleet/backend/"
EXECUTIONS = BACKEND + "executions/"
WORKERS = "workers/src/docfleet/workers/"
PROCESS = WORKERS + "shared/infrastructure/process/"
CHILD = "tests/faults/test_child_kill.py::"
PROCESSES = "tests/faults/test_process_kill.py::"
MESSAGES = "tests/faults/test_messages.py::"
BROKERS = "tests/faults/test_brokers.py::"
BACKEND_FAULTS = "tests/faults/test_backend_faults.py::"
CONFIG = WORKERS + "shared/infrastructure/config/"
EXECUTION = WORKERS + "shared/workflow/execution/"
CONNECTORS = "connectors/src/docfleet/connectors/"
DATABASES = "tests/integration/test_connectors_databases.py::"
SINKS = "tests/integration/test_sinks_files.py::"
DESTINATIONS = "tests/faults/test_destinations.py::"
ROWS = "tests/faults/test_databases.py::"
SWEEPER = "tests/faults/test_sweeper.py::"
OPERATIONS = "tests/faults/test_operations.py::"
API = "tests/integration/backend_api/"
STOP = API + "test_stop_api.py::"
LOST = API + "test_recovery_lost.py::"
SWEEP = API + "test_recovery_sweep.py::"
RETRY = API + "test_resume_retry.py::"
STARTUP = API + "test_mends_startup.py::"
STAGING = BACKEND + "calls/staging.py"
NOTIFICATIONS = BACKEND + "notifications/"
TOLD = API + "test_notifications.py::"
TARGETS = "tests/unit/test_notifications_providers.py::"
PROVIDERS = CONNECTORS + "notifications/"
OUTBOUND = "core/src/docfleet/core/outbound.py"
LOGS = BACKEND + "logs/"
LOGGED = API + "test_logs.py::"
LINES = "tests/unit/test_logs_workers.py::"
CONSUMED = "tests/faults/test_logs.py::"
CONSUMER = WORKERS + "log_consumer/"
LOGGING = WORKERS + "shared/infrastructure/logging/"
RUNNER = "runner/src/docfleet/runner/"
RUNS = "tests/integration/test_runner_runs.py::"
SCHEDULES = BACKEND + "schedules/"
SCHEDULED = API + "test_schedules.py::"
TIMETABLE = "tests/unit/test_schedules_timetable.py::"


@dataclass(frozen=True)
class Edit:
    """In ``file`` the text ``old``, which is there once, becomes ``new``."""

    file: str
    old: str
    new: str = ""


@dataclass(frozen=True)
class Mutant:
    """A guard, what takes it away, and the test that has to notice."""

    guard: str
    test: str
    edits: tuple[Edit, ...]


def mutant(guard: str, test: str, *edits: Edit | tuple[str, str, str]) -> Mutant:
    """``edits`` are (file, old text, new text)."""
    return Mutant(guard, test, tuple(edit if isinstance(edit, Edit) else Edit(*edit) for edit in edits))


MUTANTS = (
    mutant(
        "the sweep hands lost files out again",
        # More workers are lost than there are batches, each of which would help itself to what is free.
        CHILD + "test_t02_a_lost_worker_is_not_the_files_fault[redis]",
        (
            EXECUTIONS + "sweep.py",
            "            self._hand_out_again,\n",
            "            lambda *_: None,\n",
        ),
    ),
    mutant(
        "the sweep sends lost batches again",
        PROCESSES + "test_t08_the_orchestrator_dies_after_so_many_messages[redis-0]",
        (
            EXECUTIONS + "sweep.py",
            "            self._send_batch,\n",
            "            lambda *_: None,\n",
        ),
    ),
    mutant(
        "the sweep sends a lost execution again",
        PROCESSES + "test_t08_the_orchestrator_dies[redis-orchestrate.listed]",
        (
            EXECUTIONS + "sweep.py",
            "            self._send_execution,\n",
            "            lambda *_: None,\n",
        ),
    ),
    mutant(
        "the sweep deletes folders nobody deleted",
        SWEEP + "test_folders_of_ended_executions_go_and_no_others",
        (
            BACKEND + "http/workers/executions.py",
            "            lambda: housekeeping.remove_folders(database, root),\n",
            "",
        ),
    ),
    mutant(
        "the parent tells of a dead child",
        CHILD + "test_t02_a_file_that_kills_its_process_ends_alone[redis]",
        (
            WORKERS + "shared/infrastructure/celery/lost.py",
            "            self.tell_lost(str(error))\n",
            "            pass\n",
        ),
    ),
    mutant(
        "a strike is of the named file only",
        CHILD + "test_t02_a_file_that_kills_its_process_ends_alone[redis]",
        (EXECUTIONS + "lost.py", "of_it = files.c.id == lost.file_execution_id", "of_it = files.c.id.in_(held)"),
        (EXECUTIONS + "lost.py", "    if lost.file_execution_id is None and", "    if False and"),
    ),
    mutant(
        "a file has a number of strikes",
        CHILD + "test_t02_a_file_that_kills_its_process_ends_alone[redis]",
        (
            EXECUTIONS + "claims.py",
            "return bool(row.strikes >= self.strikes or row.losses >= self.losses)",
            "return bool(row.losses >= self.losses)",
        ),
    ),
    mutant(
        "a lost worker is no strike",
        CHILD + "test_t02_a_lost_worker_is_not_the_files_fault[redis]",
        (
            EXECUTIONS + "claims.py",
            "return bool(row.strikes >= self.strikes or row.losses >= self.losses)",
            "return bool(row.strikes + row.losses >= self.strikes)",
        ),
    ),
    mutant(
        "a repeated row is a no-op (SQLite)",
        CHILD + "test_t01_a_child_dies[redis-delivery.written]",
        (
            "connectors/src/docfleet/connectors/databases/sqlite.py",
            "return insert(table).values(values).on_conflict_do_nothing(index_elements=key)",
            "return insert(table).values(values)",
        ),
    ),
    mutant(
        "an execution ends only when no file is open",
        MESSAGES + "test_t05_a_header_comes_twice[redis]",
        (
            EXECUTIONS + "finalize.py",
            "    counts = repository.count(connection, execution.id)\n"
            "    return not counts.open and _by_counts(connection, execution, counts)\n\n\ndef _by_counts",
            "    counts = repository.count(connection, execution.id)\n"
            "    return _by_counts(connection, execution, counts)\n\n\ndef _by_counts",
        ),
    ),
    mutant(
        "an execution is finalized once",
        MESSAGES + "test_t06_the_callback_comes_three_times[redis]",
        (
            EXECUTIONS + "finalize.py",
            "asked to stop ends whatever is left of it, once no lease of it runs.\n"
            '    """\n    if repository.is_final(execution):\n        return False\n',
            'asked to stop ends whatever is left of it, once no lease of it runs.\n    """\n',
        ),
        (
            EXECUTIONS + "state.py",
            '.where(executions.c.id == bindparam("execution"), executions.c.status.in_(_from(target)))',
            '.where(executions.c.id == bindparam("execution"))',
        ),
    ),
    mutant(
        "a repeated page of a listing answers alike",
        API + "test_backend_executions.py::test_a_repeated_page_answers_alike_and_writes_nothing",
        (EXECUTIONS + "register.py", "    if known is not None and known.digest == digest:\n", "    if False:\n"),
    ),
    mutant(
        "a repeated listing registers nothing twice",
        API + "test_backend_executions.py::test_the_same_file_on_another_page_is_a_duplicate",
        (EXECUTIONS + "register.py", "        if key in present:\n", "        if False:\n"),
    ),
    mutant(
        "a listing is closed by the start",
        API + "test_backend_executions.py::test_a_page_after_the_start_is_not_taken",
        (
            EXECUTIONS + "register.py",
            "if final or execution.dispatched_at is not None or execution",
            "if final or execution",
        ),
    ),
    mutant(
        "a report counts only under its own attempt",
        API + "test_recovery_lost.py::test_the_report_of_the_dead_is_fenced_once_another_holds_the_file",
        (EXECUTIONS + "reports.py", "if found is None or found.attempt != outcome.attempt:", "if found is None:"),
        (EXECUTIONS + "state.py", '        files.c.attempt == bindparam("b_attempt"),\n', ""),
    ),
    mutant(
        "messages are JSON",
        MESSAGES + "test_t20_messages_that_cannot_be_read[redis]",
        (
            WORKERS + "shared/infrastructure/celery/builder.py",
            '        "accept_content": ["json"],\n',
            '        "accept_content": ["json", "pickle"],\n',
        ),
    ),
    mutant(
        "a stop: nothing is given out any more",
        STOP + "test_a_stop_waits_for_what_a_worker_is_at_and_what_was_delivered_is_completed[sqlite]",
        (
            EXECUTIONS + "claims.py",
            "    if repository.is_ending(execution):\n        return ClaimResponse(stop=True)",
            "    if repository.is_final(execution):\n        return ClaimResponse(stop=True)",
        ),
    ),
    mutant(
        "a stop: who renews a lease is told",
        STOP + "test_a_stop_waits_for_what_a_worker_is_at_and_what_was_delivered_is_completed[sqlite]",
        (
            EXECUTIONS + "claims.py",
            "stop=repository.is_ending(execution))",
            "stop=repository.is_final(execution))",
        ),
    ),
    mutant(
        "a stop: leases that run are waited for",
        "tests/acceptance/test_stop.py::test_a_delivery_that_has_begun_is_waited_for_and_counts",
        (
            EXECUTIONS + "finalize.py",
            "free = [] if abandoned else [files.c.lease_until < db_now()]",
            "free: list[Any] = []",
        ),
    ),
    mutant(
        "a stop: the last report ends it",
        STOP + "test_a_stop_waits_for_what_a_worker_is_at_and_what_was_delivered_is_completed[sqlite]",
        (EXECUTIONS + "reports.py", "(answer.stop or not answer.open_files)", "not answer.open_files"),
    ),
    mutant(
        "a stop: the sweep ends it where a worker died",
        STOP + "test_a_lost_worker_is_waited_for_until_its_lease_runs_out[sqlite]",
        (EXECUTIONS + "sweep.py", "        yield _STOPPING, self._finalize\n", ""),
    ),
    mutant(
        "a stop: the workers are told at once",
        "tests/acceptance/test_stop.py::test_running_tools_die_and_queued_files_end_while_the_caller_waits[redis]",
        (EXECUTIONS + "service.py", "        dispatcher.broadcast(", "        (lambda *_: None)("),
    ),
    mutant(
        "a stop: the running tool is killed",
        "tests/acceptance/test_stop.py::test_running_tools_die_and_queued_files_end_while_the_caller_waits[redis]",
        (
            WORKERS + "shared/workflow/execution/file_run.py",
            "lambda: self._tools.kill(run_id)",
            "lambda: None",
        ),
    ),
    mutant(
        "a stop: no delivery begins after it",
        "tests/unit/test_stop_workers.py::test_no_delivery_begins_after_a_stop_and_a_begun_one_may_be_tried_again",
        (WORKERS + "shared/workflow/execution/lease.py", "if self.stopped and not begun:", "if False:"),
    ),
    mutant(
        "a stop: a begun delivery is carried to its end",
        "tests/unit/test_stop_workers.py::test_a_delivery_whose_answer_was_lost_is_tried_again_in_spite_of_a_stop",
        (WORKERS + "shared/workflow/execution/file_run.py", "            begun = True\n", ""),
    ),
    mutant(
        "a stop: the rest of a batch is given back",
        "tests/unit/test_stop_workers.py::"
        "test_a_stopped_batch_reports_what_is_delivered_and_gives_the_rest_back_in_one_call[True-reported0]",
        (WORKERS + "shared/workflow/execution/batch.py", "release=self._given_up()", "release=[]"),
    ),
    mutant(
        "a lease that was freed or given back is no loss",
        LOST + "test_what_is_given_back_or_handed_out_again_is_no_loss[sqlite]",
        (EXECUTIONS + "state.py", "files.c.lease_until > 0)", "files.c.lease_until >= 0)"),
    ),
    mutant(
        "an orchestration has a number of strikes",
        LOST + "test_an_orchestration_that_kills_three_processes_ends_the_execution[sqlite]",
        (EXECUTIONS + "lost.py", "if strikes >= cap:", "if False:"),
    ),
    mutant(
        "what a dead child leaves is due at once",
        LOST + "test_a_batch_that_died_before_its_claim_is_sent_again_by_the_next_sweep[sqlite]",
        (EXECUTIONS + "overdue.py", "return or_(repeated == lost.DUE, silent)", "return silent"),
    ),
    mutant(
        "a claim whose answer was lost is answered alike",
        LOST + "test_a_claim_whose_answer_was_lost_is_answered_alike[sqlite]",
        (EXECUTIONS + "claims.py", "if request.request_id and (again", "if False and (again"),
    ),
    mutant(
        "before its last loss a file is claimed alone",
        LOST + "test_who_may_be_given_up_for_the_next_loss_is_claimed_alone[sqlite]",
        (EXECUTIONS + "claims.py", "return safe or rows[:1]", "return rows"),
    ),
    mutant(
        "a backlog is not copied",
        SWEEP + "test_five_hundred_queued_executions_are_neither_copied_nor_failed[sqlite]",
        (
            EXECUTIONS + "sweep.py",
            "self._busy[queue] = self._dispatcher.waiting(queue) > 0",
            "self._busy[queue] = False",
        ),
    ),
    mutant(
        "what a queue has moved past is not waited for",
        SWEEP + "test_what_a_busy_queue_has_moved_past_is_sent_again_at_the_deadline[sqlite-lose_batch]",
        (
            EXECUTIONS + "overdue.py",
            "case((overtaken, self._deadline), else_=",
            "case((false(), self._deadline), else_=",
        ),
        (EXECUTIONS + "overdue.py", "exists, func", "exists, false, func"),
    ),
    mutant(
        "only what was taken shows that a queue has moved on",
        SWEEP + "test_a_later_execution_whose_batch_nobody_took_shows_nothing[sqlite-lose_file]",
        (
            EXECUTIONS + "overdue.py",
            "return and_(_later.c.dispatched_at > sent, claimed)",
            "return claimed.is_not(None)",
        ),
    ),
    mutant(
        "only what was sent later shows that a queue has moved on",
        SWEEP + "test_an_earlier_execution_another_organization_and_another_queue_show_nothing[sqlite-lose_batch]",
        (EXECUTIONS + "overdue.py", "            _later.c.created_at > execution.created_at,\n", ""),
        (EXECUTIONS + "overdue.py", "_later.c.dispatched_at > sent, claimed", "claimed"),
    ),
    mutant(
        "another queue shows nothing",
        SWEEP + "test_an_earlier_execution_another_organization_and_another_queue_show_nothing[sqlite-lose_batch]",
        (EXECUTIONS + "overdue.py", "            self._of_kind,\n", ""),
    ),
    mutant(
        "a worker that cannot send waits for the broker",
        "tests/integration/test_workers_sending.py::test_a_broker_that_restarts_is_waited_for[True]",
        (WORKERS + "shared/infrastructure/celery/builder.py", '"max_retries": 150', '"max_retries": 3'),
    ),
    mutant(
        "a dispatch loads no result backend",
        API + "test_backend_server.py::test_the_workers_result_backend_is_not_loaded_by_a_dispatch",
        (BACKEND + "platform/dispatch.py", '        self._app.backend_cls = "disabled"\n', ""),
    ),
    mutant(
        "a file that is lost twice is handed out twice",
        SWEEP + "test_what_is_lost_a_second_time_is_handed_out_at_once_whatever_waits[sqlite]",
        (EXECUTIONS + "overdue.py", "sent < files.c.modified_at, ", ""),
    ),
    mutant(
        "a sweeper that lives stays the only one",
        SWEEP + "test_a_leader_that_lives_stays_leader[sqlite]",
        (EXECUTIONS + "sweep.py", "                    self._renew_lease()\n", ""),
    ),
    mutant(
        "a paused sweeper asks again under the lock",
        SWEEP + "test_a_paused_leader_acts_on_what_is_true_when_it_wakes[sqlite]",
        (
            EXECUTIONS + "sweep.py",
            "_FOUND.where(executions.c.id == found.id, where)",
            "_FOUND.where(executions.c.id == found.id)",
        ),
    ),
    mutant(
        "only folders of ended executions are deleted",
        SWEEP + "test_folders_of_ended_executions_go_and_no_others[sqlite]",
        (
            BACKEND + "housekeeping.py",
            "_FINAL, executions.c.finished_at < db_now() - GRACE_SECONDS",
            "executions.c.created_at < db_now()",
        ),
    ),
    mutant(
        "a slot names whose it is",
        "tests/unit/test_recovery_workers.py::test_two_children_in_one_slot_never_name_each_others_file",
        (PROCESS + "file_in_work.py", " if writer == pid else None", ""),
    ),
    mutant(
        "a runner that stays away costs a file nothing",
        "tests/unit/test_recovery_workers.py::test_a_runner_that_stays_away_costs_no_file_anything",
        (
            WORKERS + "shared/workflow/execution/batch.py",
            "                except DependencyError as error:",
            "                except ZeroDivisionError as error:",
        ),
    ),
    mutant(
        "rows, not the chord, say that all is done",
        BROKERS + "test_t09_the_result_backend_is_away_when_the_headers_end[redis-8]",
        (EXECUTIONS + "reports.py", "and finalize.when_done(connection, execution):", "and False:"),
        (EXECUTIONS + "sweep.py", '("PENDING", "EXECUTING")))), self._finalize\n', '("PENDING",)))), self._finalize\n'),
        (
            EXECUTIONS + "sweep.py",
            "        if finalize.when_done(connection, execution):\n            self._result",
            "        if False:\n            self._result",
        ),
    ),
    mutant(
        "a file under a lease is nobody else's (RabbitMQ)",
        BROKERS + "test_t10_the_broker_restarts_in_the_middle_of_a_header[rabbitmq-kill]",
        (EXECUTIONS + "claims.py", "    return files.c.lease_until < db_now()\n", "    return files.c.attempt >= 0\n"),
    ),
    mutant(
        "a file under a lease is nobody else's (Redis)",
        BROKERS + "test_t14_redis_hands_a_message_out_again_while_it_is_worked_on[redis]",
        (EXECUTIONS + "claims.py", "    return files.c.lease_until < db_now()\n", "    return files.c.attempt >= 0\n"),
    ),
    mutant(
        "Redis looks for what was lost every ten seconds",
        BROKERS + "test_t14_redis_hands_a_message_out_again_while_it_is_worked_on[redis]",
        (WORKERS + "shared/infrastructure/celery/builder.py", '            "unacked_restore_throttle": 1,\n', ""),
    ),
    mutant(
        "an execution nobody could send ends",
        BROKERS + "test_t11_the_broker_is_away_when_an_execution_is_accepted[redis]",
        (EXECUTIONS + "service.py", "            finalize.fail(connection, row, cause, error.code)\n", ""),
    ),
    mutant(
        "a broker that takes nothing is waited for seconds",
        BROKERS + "test_t12_the_publisher_is_blocked_when_an_execution_is_accepted[rabbitmq]",
        (BACKEND + "platform/dispatch.py", '"confirm_publish": True, **waits}', '"confirm_publish": True}'),
    ),
    mutant(
        "a channel that RabbitMQ closes ends no worker",
        BROKERS + "test_t13_rabbitmq_gives_a_consumer_up_in_the_middle_of_its_task[rabbitmq]",
        (WORKERS + "shared/infrastructure/celery/builder.py", '        "broker_channel_error_retry": True,\n', ""),
    ),
    mutant(
        "a task may not outlast consumer_timeout",
        BROKERS + "test_t13_a_worker_whose_tasks_may_outlast_the_broker_refuses_to_start[rabbitmq-7200]",
        (CONFIG + "limits.py", "    elif rabbitmq and hard > longest:\n", "    elif False:\n"),
    ),
    mutant(
        "a repeated call is bounded in number",
        BACKEND_FAULTS + "test_t18_the_backend_is_in_trouble[redis-error-0.0]",
        (
            WORKERS + "shared/infrastructure/patterns/retry.py",
            "attempts=attempts, timeout=seconds, wait_initial=first_wait, wait_max=10.0, wait_jitter=1.0",
            "attempts=None, timeout=seconds, wait_initial=0.01, wait_max=0.01, wait_jitter=0.0",
        ),
    ),
    mutant(
        "an answer that is lost is asked for again",
        BACKEND_FAULTS + "test_t19_the_answer_is_lost[redis-/claim/-lose-sqlite]",
        (
            WORKERS + "shared/clients/transport.py",
            "return retrying(once if final else guarded, attempts=self._attempts, seconds=4 * limit)",
            "return once() if final else guarded()",
        ),
    ),
    mutant(
        "a repeated claim is given the same files",
        BACKEND_FAULTS + "test_t19_the_answer_is_lost[redis-/claim/-lose-sqlite]",
        (EXECUTIONS + "claims.py", "if request.request_id and (again", "if False and (again"),
    ),
    mutant(
        "a repeated report changes nothing",
        BACKEND_FAULTS + "test_t19_the_answer_is_lost[redis-/report/-lose-sqlite]",
        (
            EXECUTIONS + "reports.py",
            "        elif again is not None or ExecutionStatus(found.status).is_final:\n",
            "        elif again is not None:\n",
        ),
        (
            EXECUTIONS + "reports.py",
            "        elif found.status == ExecutionStatus.EXECUTING.value:\n",
            "        elif True:\n",
        ),
    ),
    mutant(
        "what failed of an API's call stays for a retry",
        RETRY + "test_an_apis_files_run_again_and_are_polled_under_the_new_id[sqlite]",
        (STAGING, "kept = _kept(database, undone)", "kept: dict[str, set[str]] = {}"),
    ),
    mutant(
        "what failed of an API's call stays through sweeps",
        RETRY + "test_of_an_apis_files_those_that_succeeded_go_with_their_execution[sqlite]",
        (STAGING, "if past is False]", "if past is ...]"),
    ),
    mutant(
        "what succeeded of an API's call goes at once",
        RETRY + "test_of_an_apis_files_those_that_succeeded_go_with_their_execution[sqlite]",
        (STAGING, "        if path.name not in kept:\n", "        if not kept:\n"),
    ),
    mutant(
        "uploads go when their time has passed",
        RETRY + "test_an_apis_files_are_gone_after_their_time_and_a_retry_says_so",
        (STAGING, "executions.c.finished_at < db_now() - self._keep_seconds", "executions.c.finished_at < 0.0"),
    ),
    mutant(
        "a database that comes later is waited for",
        STARTUP + "test_a_database_that_comes_later_is_waited_for",
        (BACKEND + "startup.py", "if time.monotonic() >= deadline:", "if True:"),
    ),
    mutant(
        "the wait for a database is bounded",
        STARTUP + "test_a_database_that_stays_away_ends_the_wait",
        (BACKEND + "startup.py", "if time.monotonic() >= deadline:", "if time.monotonic() >= deadline + 60:"),
    ),
    mutant(
        "a taken port is said in a line",
        STARTUP + "test_a_taken_port_is_one_line",
        (BACKEND + "startup.py", "        raise DependencyError(\n", "        raise OSError(\n"),
    ),
    mutant(
        "a sink: attempt fence of a row",
        DATABASES + "test_an_attempt_that_wakes_up_late_changes_nothing[sqlite-True]",
        (CONNECTORS + "databases/sql.py", "if attempt_of(earlier[0]) > row.attempt:", "if False:"),
    ),
    mutant(
        "a sink: attempt fence of the ledger",
        DATABASES + "test_an_attempt_that_wakes_up_late_changes_nothing[sqlite-False]",
        (CONNECTORS + "databases/sql.py", ".where(where, ledger.c.attempt <= row.attempt)", ".where(where)"),
    ),
    mutant(
        "a sink: ledger",
        DATABASES + "test_a_table_without_the_key_is_written_once_through_the_ledger[sqlite]",
        (
            CONNECTORS + "databases/sql.py",
            "taken = layout.ledger is not None and not self._enter(connection, row, layout.ledger)",
            "taken = False",
        ),
    ),
    mutant(
        "a sink: the ledger forgets",
        DATABASES + "test_the_ledger_forgets_what_nobody_repeats[sqlite]",
        (
            CONNECTORS + "databases/schema.py",
            "    connection.execute(sa.delete(ledger).where(ledger.c.delivered_at < oldest))\n",
            "",
        ),
    ),
    mutant(
        "a sink: ledger in one transaction with the row",
        DATABASES + "test_a_row_that_is_refused_is_not_in_the_ledger[sqlite]",
        (
            CONNECTORS + "databases/sql.py",
            "            stored = None if taken else self._insert(connection, row)",
            "            connection.commit(); connection.begin()\n"
            "            stored = None if taken else self._insert(connection, row)",
        ),
    ),
    mutant(
        "a sink: unique key by conflict clause",
        DATABASES + "test_the_delivery_key_makes_one_row[sqlite]",
        (CONNECTORS + "databases/sqlite.py", ".on_conflict_do_nothing(index_elements=key)", ""),
    ),
    mutant(
        "a sink: lease asked before a file gets its name",
        SINKS + "test_a_writer_without_a_lease_gives_nothing_a_name",
        (
            CONNECTORS + "filesystems/local.py",
            "    if fence is not None:\n        fence.require()\n    try:\n        os.replace",
            "    try:\n        os.replace",
        ),
    ),
    mutant(
        "a sink: a successor removes what was begun",
        SINKS + "test_a_writer_that_stands_still_and_wakes_up_late_changes_nothing",
        (
            CONNECTORS + "filesystems/local.py",
            "    for attempt in range(1, fence.attempt + 1):\n        with suppress",
            "    for attempt in ():\n        with suppress",
        ),
    ),
    mutant(
        "a sink: stale outputs are withdrawn",
        SINKS + "test_a_repeat_with_fewer_outputs_leaves_no_stale_one",
        (
            CONNECTORS + "delivery.py",
            "        _withdraw(connector, fence, notes, keep=set(targets.values()))",
            "        pass",
        ),
    ),
    mutant(
        "a sink: only what is still ours is withdrawn",
        SINKS + "test_what_somebody_changed_since_is_not_removed",
        (CONNECTORS + "filesystems/local.py", "if _digest(parent, parts[-1]) != digest:", "if False:"),
    ),
    mutant(
        "a sink: the note is written before the files",
        SINKS + "test_a_file_that_fails_in_the_end_takes_back_what_an_attempt_delivered",
        (
            CONNECTORS + "delivery.py",
            "        _note(notes, fence, {target: digests[path] for path, target in targets.items()})\n"
            "    locations = []",
            "        pass\n    locations = []",
        ),
    ),
    mutant(
        "a sink: abandoned parts",
        SINKS + "test_what_a_killed_writer_left_goes_with_the_next_delivery_once_it_is_old",
        (
            CONNECTORS + "filesystems/local.py",
            "                    _remove_abandoned(parent)",
            "                    pass",
        ),
    ),
    mutant(
        "a sink: numbers exact",
        DATABASES + "test_a_column_of_numbers_takes_fractions_and_keeps_whole_numbers[postgresql]",
        (CONNECTORS + "databases/schema.py", "Decimal(repr(value)) if isinstance(value, float) else value", "value"),
    ),
    mutant(
        "a holder that slept past its lease writes nothing",
        DESTINATIONS + "test_t23_the_holder_of_a_file_sleeps_through_its_lease[redis-sqlite]",
        (
            EXECUTION + "lease.py",
            "if held is None or time.monotonic() - held[1] >= self.lease_seconds:",
            "if held is None:",
        ),
        # Its keeper wakes up with it, and may ask before it writes.
        (
            EXECUTION + "lease.py",
            "                if lease.file_execution_id in gone:\n",
            "                if False:\n",
        ),
        (EXECUTION + "lease.py", "        if self.stopped and not begun:\n", "        if False:\n"),
        (CONNECTORS + "databases/sql.py", "if attempt_of(earlier[0]) > row.attempt:", "if False:"),
    ),
    mutant(
        "a file that has no room takes none from its neighbours",
        ROWS + "test_t33_no_space_to_work_in[redis]",
        (WORKERS + "shared/workflow/connectors/source.py", "if file.file_size > free:", "if False:"),
    ),
    mutant(
        "a table without a key has a ledger",
        DESTINATIONS + "test_t24_a_delivery_into_a_customers_table_is_not_reported[redis-worker-sqlite]",
        (
            CONNECTORS + "databases/sql.py",
            "taken = layout.ledger is not None and not self._enter(connection, row, layout.ledger)",
            "taken = False",
        ),
    ),
    mutant(
        "outputs of files of one name are told apart",
        DESTINATIONS + "test_t26_files_of_one_name_and_of_one_content[redis-files-]",
        (CONNECTORS + "delivery.py", "    tag = _tag(key)\n", '    tag = _tag("")\n'),
    ),
    mutant(
        "a batch answers with numbers only",
        DESTINATIONS + "test_t21_big_results[redis]",
        (
            EXECUTION + "batch.py",
            "        self._result.add(outcome, claim.file.file_name)\n",
            "        self._result.add(outcome, claim.file.file_name)\n"
            '        self._result.errors.append("x" * 51200)\n',
        ),
    ),
    mutant(
        "a final status of a file absorbs",
        ROWS + "test_t22_writers_of_one_status_race[redis]",
        (
            EXECUTIONS + "state.py",
            ".where(files.c.execution_id == execution_id, files.c.status.in_(_from(target)), *where)",
            ".where(files.c.execution_id == execution_id, *where)",
        ),
    ),
    mutant(
        "who changes an execution locks it, then compares and sets",
        ROWS + "test_t22_writers_of_one_status_race[rabbitmq]",
        (EXECUTIONS + "repository.py", "_LOCK = _FIND.with_for_update(key_share=True)", "_LOCK = _FIND"),
        (
            EXECUTIONS + "state.py",
            '.where(executions.c.id == bindparam("execution"), executions.c.status.in_(_from(target)))',
            '.where(executions.c.id == bindparam("execution"))',
        ),
    ),
    mutant(
        "a connection that was reaped is replaced",
        ROWS + "test_t31_postgresql_reaps_connections[redis-idle]",
        (CONNECTORS + "databases/sql.py", "if last or not (lost and idle):", "if True:"),
        (EXECUTION + "file_run.py", "DELIVERY_ATTEMPTS = 8\n", "DELIVERY_ATTEMPTS = 1\n"),
    ),
    mutant(
        "a destination that restarts is waited for",
        ROWS + "test_t32_postgresql_is_gone_while_twenty_executions_run[redis]",
        (EXECUTION + "file_run.py", "DELIVERY_ATTEMPTS = 8\n", "DELIVERY_ATTEMPTS = 2\n"),
    ),
    mutant(
        "one sweeper at a time",
        SWEEPER + "test_t34_two_sweepers_at_once[redis]",
        (EXECUTIONS + "sweep.py", "set_=values, where=leases.c.until < db_now()", "set_=values"),
    ),
    mutant(
        "the sweep passes over what is locked",
        SWEEPER + "test_t34_an_execution_that_somebody_has_locked_keeps_no_other_waiting[rabbitmq]",
        (EXECUTIONS + "repository.py", "key_share=True, skip_locked=True", "key_share=True"),
    ),
    mutant(
        "who slept through a stop delivers nothing",
        SWEEPER + "test_t35_a_worker_sleeps_through_the_stop[redis-sqlite]",
        (
            EXECUTION + "lease.py",
            "if held is None or time.monotonic() - held[1] >= self.lease_seconds:",
            "if held is None:",
        ),
        (
            EXECUTION + "lease.py",
            "                if lease.file_execution_id in gone:\n",
            "                if False:\n",
        ),
        (EXECUTION + "lease.py", "        if self.stopped and not begun:\n", "        if False:\n"),
    ),
    mutant(
        "a lease that could not be renewed counts as lost",
        "tests/unit/test_workers_workflow.py::test_a_lease_that_could_not_be_renewed_counts_as_lost",
        (
            EXECUTION + "lease.py",
            "if held is None or time.monotonic() - held[1] >= self.lease_seconds:",
            "if held is None:",
        ),
    ),
    mutant(
        "a batch at its limit hands the other files back",
        OPERATIONS + "test_t27_the_batch_runs_into_its_soft_limit[redis]",
        (EXECUTION + "batch.py", "self._hand_back(claims[position + 1 :])", "self._hand_back([])"),
    ),
    mutant(
        "nothing of a task is seen by the next",
        OPERATIONS + "test_t28_nothing_of_one_organization_is_seen_by_the_next[redis-batch.claimed=raise@1]",
        (
            WORKERS + "shared/infrastructure/celery/task.py",
            "                structlog.contextvars.clear_contextvars()\n",
            "                pass\n",
        ),
    ),
    mutant(
        "unknown fields are passed over",
        OPERATIONS + "test_t37_messages_of_a_newer_version[redis]",
        (
            "core/src/docfleet/core/wire.py",
            "class Wire(msgspec.Struct, kw_only=True, omit_defaults=True):",
            "class Wire(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):",
        ),
    ),
    mutant(
        "unknown keywords of a callback are passed over",
        OPERATIONS + "test_t37_messages_of_a_newer_version[redis]",
        (
            WORKERS + "callback/tasks.py",
            "pipeline_id: str | None = None, **_: Any\n) -> dict[str, Any]:\n" + '    """All batches of an ETL',
            "pipeline_id: str | None = None\n) -> dict[str, Any]:\n" + '    """All batches of an ETL',
        ),
        # The errback would finalize in its place.
        (
            WORKERS + "callback/tasks.py",
            '**_: Any\n) -> dict[str, Any]:\n    """A batch',
            '\n) -> dict[str, Any]:\n    """A batch',
        ),
    ),
    mutant(
        "a child is recycled",
        OPERATIONS + "test_t40_a_child_is_recycled_without_losing_work[redis]",
        (
            WORKERS + "shared/infrastructure/celery/builder.py",
            '        "worker_max_tasks_per_child": settings.celery_max_tasks_per_child or spec.max_tasks_per_child,\n',
            "",
        ),
    ),
    mutant(
        "a key the backend refuses is refused at the start",
        OPERATIONS + "test_t41_a_worker_with_a_wrong_key_ends_with_one_clear_line[redis-file_processing]",
        (CONFIG + "servers.py", "return _check_key(settings) and answered", "return answered"),
    ),
    mutant(
        "a node has a name of its own",
        OPERATIONS + "test_t42_workers_of_one_name[rabbitmq]",
        (
            WORKERS + "launch.py",
            'hostname=f"{worker_type.value}-{uuid.uuid4().hex[:8]}@{socket.gethostname()}"',
            'hostname=f"{worker_type.value}@{socket.gethostname()}"',
        ),
    ),
    mutant(
        "a network that is none is refused at start",
        STARTUP + "test_a_network_that_is_none_is_refused[x]",
        (BACKEND + "settings.py", "        _ = self.presigned_networks\n", ""),
    ),
    mutant(
        "a health process that dies is followed by another",
        "tests/acceptance/test_process_shutdown.py::test_a_health_process_that_dies_is_followed_by_another[redis]",
        (WORKERS + "launch.py", "    keep_health(app, health)\n", ""),
    ),
    mutant(
        "a deadline waits for what a worker is at",
        API + "test_backend_sweep.py::test_a_deadline_waits_for_what_a_worker_is_at[sqlite]",
        (EXECUTIONS + "sweep.py", "not finalize.expire(", "not finalize.fail("),
    ),
    mutant(
        "a deadline ends in ERROR with its cause",
        API + "test_backend_sweep.py::test_a_deadline_waits_for_what_a_worker_is_at[sqlite]",
        (EXECUTIONS + "finalize.py", "    if execution.error_code is not None:\n", "    if False:\n"),
    ),
    mutant(
        "what a delivery in vain has begun is taken back",
        "tests/unit/test_workers_faults.py::test_what_a_delivery_in_vain_has_begun_is_taken_back",
        (
            WORKERS + "shared/workflow/execution/file_run.py",
            "        in_vain = outcome.error_code == DestinationUnavailable.code\n",
            "        if in_vain := outcome.error_code == DestinationUnavailable.code:\n            return True\n",
        ),
    ),
    mutant(
        "a time of a schedule is one row",
        SCHEDULED + "test_a_tick_that_was_decided_is_never_fired_again[postgresql]",
        (
            SCHEDULES + "repository.py",
            "return {(row.pipeline_id, row.scheduled_for) for row in connection.execute(statement, rows)}",
            'return {(row["pipeline_id"], row["scheduled_for"]) for row in rows}',
        ),
    ),
    mutant(
        "a paused pipeline is refused by the backend",
        SCHEDULED + "test_a_pause_drops_what_is_queued_and_refuses_every_run[sqlite]",
        (
            BACKEND + "pipelines/repository.py",
            "        statement = statement.where(pipelines.c.active)\n",
            "        pass\n",
        ),
    ),
    mutant(
        "a pipeline that fails keeps no other from its turn",
        SCHEDULED + "test_a_pipeline_that_is_refused_or_broken_keeps_no_other_from_its_turn[sqlite]",
        (
            BACKEND + "ticking.py",
            "                with connection.begin_nested():\n                    decided = step(connection, error)\n",
            "                raise\n",
        ),
    ),
    mutant(
        "a queued tick waits for the open run",
        SCHEDULED + "test_overlap_queue_one_runs_after_the_open_one[sqlite]",
        (BACKEND + "ticking.py", "_QUEUED.where(schedule_ticks.c.pipeline_id.not_in(_BUSY))", "_QUEUED"),
        # Asked once more behind it.
        (
            BACKEND + "ticking.py",
            "limit(1)) is not None:\n            return []",
            "limit(1)) == 0:\n            return []",
        ),
    ),
    mutant(
        "a message runs a pipeline once",
        SCHEDULED + "test_the_original_s_task_runs_a_pipeline_once_for_each_message[sqlite]",
        (BACKEND + "http/workers/schedules.py", "scheduled=True, idempotency_key=key)", "scheduled=True)"),
    ),
    mutant(
        "a time that exists twice runs once",
        TIMETABLE + "test_the_runs_are_those_of_a_walk_over_every_minute",
        (SCHEDULES + "timetable.py", "offsets[0] > offsets[1] and self._by_elapsed_time", "offsets[0] > offsets[1]"),
    ),
    mutant(
        "a time that does not exist runs after the gap",
        TIMETABLE + "test_the_runs_are_those_of_a_walk_over_every_minute",
        (SCHEDULES + "timetable.py", "            elif not self._by_elapsed_time:\n", "            elif False:\n"),
    ),
    mutant(
        "a downtime is made up for as the policy says",
        TIMETABLE + "test_what_fires_through_downtimes_is_what_the_policy_says",
        (SCHEDULES + "decision.py", "        wanted = set(ticks[-1:])\n", "        wanted = set(ticks)\n"),
    ),
    mutant(
        "notifications: the connected address is looked at",
        TARGETS + "test_the_connected_address_is_looked_at",
        (
            OUTBOUND,
            'if not self.permits(ipaddress.ip_address(str(connection.getpeername()[0]).partition("%")[0])):',
            "if False:",
        ),
    ),
    mutant(
        "notifications: all addresses of a name are looked at",
        TARGETS + "test_one_of_several_addresses_that_is_inside_forbids_all",
        (OUTBOUND, "not all(self.permits(address) for address in addresses)", "not self.permits(addresses[0])"),
    ),
    mutant(
        "notifications: a target that drips has its seconds (HTTP)",
        TARGETS + "test_a_target_has_its_seconds_and_no_more[drip]",
        (OUTBOUND, "        self._connection.settimeout(left(self._deadline))\n", ""),
    ),
    mutant(
        "notifications: a target that drips has its seconds (SMTP)",
        TARGETS + "test_a_target_has_its_seconds_and_no_more[drip]",
        (
            "providers/src/docfleet/providers/email.py",
            "        if self.file is None and self.sock is not None:",
            "        if False:",
        ),
    ),
    mutant(
        "notifications: a refusal is final",
        TARGETS + "test_what_an_answer_means",
        ("providers/src/docfleet/providers/http.py", "if 400 <= status < 500 and status not in ANSWERED:", "if False:"),
    ),
    mutant(
        "notifications: what Slack would obey is escaped",
        TARGETS + "test_slack_gets_the_original_s_text_and_nothing_it_would_obey",
        ("providers/src/docfleet/providers/envelope.py", '.replace("<", "&lt;")', ""),
    ),
    mutant(
        "notifications: a batch belongs to one worker",
        TOLD + "test_a_batch_belongs_to_one_worker_at_a_time_and_keeps_its_id[sqlite]",
        (
            NOTIFICATIONS + "attempts.py",
            "or_(~_batches.claimed, _batches.lease_until < db_now())",
            "_batches.claimed.is_not(None)",
        ),
    ),
    mutant(
        "notifications: an old attempt has no say",
        TOLD + "test_a_batch_belongs_to_one_worker_at_a_time_and_keeps_its_id[sqlite]",
        (NOTIFICATIONS + "attempts.py", " or batch.attempts != sent.attempt:", ":"),
    ),
    mutant(
        "notifications: a batch whose worker died is sent again",
        TOLD + "test_a_batch_belongs_to_one_worker_at_a_time_and_keeps_its_id[sqlite]",
        (
            NOTIFICATIONS + "dispatching.py",
            "    and_(_batches.state == NotificationState.SENDING.value, _batches.lease_until < db_now()),\n",
            "",
        ),
    ),
    mutant(
        "notifications: one batch of a notification at a time",
        TOLD + "test_clubbed_events_make_one_message_and_single_ones_go_alone[sqlite]",
        (NOTIFICATIONS + "dispatching.py", "            ~exists().where(_OF_IT, _UNDER_WAY),\n", ""),
    ),
    mutant(
        "notifications: few batches to one host",
        TOLD + "test_few_batches_go_to_one_host_and_others_are_not_held_up[sqlite]",
        (NOTIFICATIONS + "dispatching.py", "under_way[notification.host] >= MOST_TO_ONE_HOST", "False"),
    ),
    mutant(
        "notifications: waiting for a host costs no attempt",
        TOLD + "test_events_of_a_host_that_is_away_wait_at_no_cost[sqlite]",
        (NOTIFICATIONS + "attempts.py", "attempts=batch.attempts - 1", "attempts=batch.attempts"),
    ),
    mutant(
        "notifications: each repeat of a message waits longer",
        TOLD + "test_a_message_nobody_took_is_sent_again_ever_later[sqlite]",
        (NOTIFICATIONS + "dispatching.py", "patience * 2 ** min(batch.dispatches, 6)", "patience"),
    ),
    mutant(
        "notifications: only failures where that is asked for",
        TOLD + "test_the_end_of_a_run_is_told",
        (
            NOTIFICATIONS + "outbox.py",
            "        if data.is_failure or not row.notify_on_failures:\n",
            "        if True:\n",
        ),
    ),
    mutant(
        "notifications: one worker probes a host",
        "tests/integration/test_notifications_worker.py::test_the_breaker_is_one_for_all_workers_and_lets_one_probe",
        (WORKERS + "notification/host_breaker.py", '"1", nx=True, px=self._probe_ms', '"1", px=self._probe_ms'),
    ),
    mutant(
        "notifications: settings are shown masked",
        TOLD + "test_secrets_are_sealed_and_never_shown[sqlite]",
        (BACKEND + "notifications/repository.py", "MASK if key in secrets and value else value", "value"),
    ),
    mutant(
        "a file that another run ends meanwhile is in one of two places",
        API
        + "test_backend_history.py::test_a_file_that_another_run_ends_while_it_is_registered_is_left_out[postgresql]",
        (
            EXECUTIONS + "register.py",
            "    elsewhere = _elsewhere(connection, execution, page)\n    past: dict[int, Record] = {}\n",
            "    past: dict[int, Record] = {}\n",
        ),
        (
            EXECUTIONS + "register.py",
            "    skips = _skips(",
            "    elsewhere = _elsewhere(connection, execution, page)\n    skips = _skips(",
        ),
    ),
    mutant(
        "a message that got through is not failed",
        API
        + "test_backend_executions.py::test_a_message_that_got_through_without_its_confirmation_is_not_failed[sqlite]",
        (EXECUTIONS + "service.py", "if row.status != ExecutionStatus.PENDING.value:", "if False:"),
    ),
    mutant(
        "a number no column holds is cut",
        API + "test_backend_executions.py::test_a_number_no_column_holds_costs_its_neighbours_nothing[postgresql]",
        (BACKEND + "usage/repository.py", "min(outcome.pages, MOST_PAGES)", "outcome.pages"),
    ),
    mutant(
        "a chore that fails keeps no other from its turn",
        SWEEP + "test_a_chore_that_fails_keeps_nothing_else_from_being_done[sqlite]",
        (
            BACKEND + "http/workers/executions.py",
            "        except Exception:  # the boundary of a chore",
            "        except KeyError:  # ",
        ),
    ),
    mutant(
        "a sweep that breaks sends what it has found",
        SWEEP + "test_a_sweep_that_breaks_sends_what_it_has_found[sqlite]",
        (EXECUTIONS + "sweep.py", "            self._send()  # also", "            pass  # also"),
    ),
    mutant(
        "who is told to end costs no file a loss",
        LOST + "test_a_process_that_was_told_to_end_costs_its_files_nothing[sqlite]",
        (EXECUTIONS + "lost.py", " and not lost.told_to_end", ""),
    ),
    mutant(
        "a queued tick waits for what began meanwhile",
        SCHEDULED + "test_a_queued_tick_waits_for_a_run_that_began_since_it_was_looked_at[sqlite]",
        (
            BACKEND + "ticking.py",
            "limit(1)) is not None:\n            return []",
            "limit(1)) == 0:\n            return []",
        ),
    ),
    mutant(
        "a tool cannot say that somebody else is at fault",
        "tests/unit/test_runner_parts.py::test_a_tool_cannot_say_that_somebody_else_is_at_fault[dependency_error]",
        (RUNNER + "verdict.py", "isinstance(error, _OF_A_TOOL)", "type(error) is not DocfleetError"),
    ),
    mutant(
        "a run whose zygote died has one of its own",
        RUNS + "test_a_tool_that_kills_its_zygote_takes_nobody_along_and_fails_the_second_time",
        (RUNNER + "runs.py", "run, alone = None, True", "run, alone = None, False"),
    ),
    mutant(
        "a run that runners die over ends",
        RUNS + "test_a_run_that_runners_die_over_is_alone_and_fails_in_the_end",
        (RUNNER + "runs.py", "if deaths >= MOST_DEATHS:", "if False:"),
    ),
    mutant(
        "a run that a runner died over is alone",
        RUNS + "test_a_run_that_runners_die_over_is_alone_and_fails_in_the_end",
        (RUNNER + "runs.py", "range(self._concurrency if deaths else 1)", "range(1)"),
    ),
    mutant(
        "files that were registered are sent though they are gone",
        "tests/unit/test_workers_faults.py::test_files_that_were_registered_are_sent_though_they_are_gone_since",
        (EXECUTION + "orchestration.py", "if after.total_files and not after.status.is_final:", "if False:"),
    ),
    mutant(
        "a run without history takes no step of another",
        "tests/unit/test_resume_steps.py::"
        "test_a_run_without_history_takes_nothing_from_runs_before_but_goes_on_after_a_crash",
        (EXECUTION + "file_run.py", "        if anew:\n", "        if anew and claim.attempt == 1:\n"),
    ),
    mutant(
        "documents of one path from two places do not meet",
        SINKS + "test_documents_of_one_path_from_two_places_do_not_meet",
        (
            WORKERS + "shared/workflow/connectors/destination.py",
            'key=f"{self._origin}\\0{delivery.file.file_path}"',
            "key=delivery.file.file_path",
        ),
    ),
    mutant(
        "logs: a line that comes again is not written again",
        LOGGED + "test_a_line_is_written_once_however_often_it_comes",
        (LOGS + "repository.py", "if event.event_id not in seen", "if True"),
    ),
    mutant(
        "logs: an execution is its organization's",
        LOGGED + "test_lines_of_nobody_and_of_others_are_dropped_and_counted",
        (LOGS + "repository.py", 'executions.c.organization_id == bindparam("organization"), executions', "executions"),
        (LOGS + "repository.py", "any(event.organization_id != organization_id for event in batch)", "False"),
    ),
    mutant(
        "logs: a line that came meanwhile keeps the rows",
        LOGGED + "test_a_line_that_comes_while_a_log_is_archived_is_not_lost",
        (LOGS + "repository.py", "            channels.c.last_sequence == last_sequence,\n", ""),
    ),
    mutant(
        "logs: an archived log is closed",
        LOGGED + "test_an_archived_log_is_read_as_before",
        (LOGS + "repository.py", "channel.archived_at is not None or channel", "channel"),
    ),
    mutant(
        "logs: a commit wakes readers",
        LOGGED + "test_live_is_history_first_then_what_comes_then_the_end",
        (BACKEND + "http/workers/logs.py", "    log_readers.wake(woken)\n", ""),
    ),
    mutant(
        "logs: no cell of a CSV is a formula",
        LOGGED + "test_exports",
        (BACKEND + "http/management/logs.py", "if text.startswith(_FORMULA)", "if False"),
    ),
    mutant(
        "logs: subprotocols open a WebSocket only for a browser that says so",
        LOGGED + "test_a_browser_says_who_it_is_in_subprotocols",
        (BACKEND + "http/guard.py", "if SUBPROTOCOL not in protocols:", "if not protocols:"),
    ),
    mutant(
        "logs: a reader that takes nothing is left",
        "tests/acceptance/test_logs_fleet.py::test_a_reader_that_takes_nothing_slows_nobody_and_is_left",
        (BACKEND + "http/management/live_logs.py", "SEND_SECONDS = 10.0", "SEND_SECONDS = 1000.0"),
    ),
    mutant(
        "logs: the least serious go first",
        LINES + "test_a_full_buffer_drops_info_before_warn_before_error_and_counts",
        (
            LOGGING + "buffer.py",
            "for level, queue in enumerate(self._levels) if queue",
            "for level in (event.level.rank,)",
        ),
    ),
    mutant(
        "logs: what could not be sent waits",
        LINES + "test_a_broker_that_hangs_or_is_away_holds_up_nobody",
        (LOGGING + "publisher.py", "                self._buffer.put_back(events)\n", ""),
    ),
    mutant(
        "logs: no secret is in a line",
        LINES + "test_a_line_has_the_task_s_execution_and_no_secret",
        (LOGGING + "workflow_log.py", "shortened(mask_text(fields[name]))", "shortened(fields[name])"),
    ),
    mutant(
        "logs: short visibility timeouts have lists of their own",
        LINES + "test_no_worker_restores_what_another_still_works_on",
        (WORKERS + "shared/infrastructure/celery/builder.py", "if spec.own_unacked else {}", "if False else {}"),
    ),
    mutant(
        "logs: a message goes back when the backend is away",
        LINES + "test_a_backend_that_is_away_puts_the_message_back",
        (
            CONSUMER + "delivery.py",
            "except (DependencyError, SoftTimeLimitExceeded) as error:",
            "except ZeroDivisionError as error:",
        ),
    ),
    mutant(
        "logs: a message whose child dies goes back",
        CONSUMED + "test_a_consumer_dies_over_a_message[redis-logs.taken-kill]",
        (CONSUMER + "tasks.py", "    reject_on_worker_lost=True,\n", ""),
    ),
    mutant(
        "logs: the original's form is accepted",
        CONSUMED + "test_a_line_in_the_original_s_form[redis]",
        (WORKERS + "shared/infrastructure/celery/intake.py", "                accept_original(message)\n", ""),
    ),
)


def tree(edits: tuple[Edit, ...], folder: Path) -> str:
    """A copy of the sources with these edits; the PYTHONPATH that puts it first."""
    for source in SOURCES:
        shutil.copytree(ROOT / source, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in edits:
        path = folder / edit.file
        text = path.read_text()
        if text.count(edit.old) != 1:
            raise SystemExit(f"{edit.file} holds {text.count(edit.old)} times, not once:\n{edit.old}")
        path.write_text(text.replace(edit.old, edit.new))
    return os.pathsep.join(str(folder / source) for source in SOURCES)


def outcome(test: str, edits: tuple[Edit, ...]) -> str:
    """What becomes of a test on a tree with these edits: ``passed``, ``failed``, or ``broken`` where it proves
    nothing, because it was skipped, not found, or never began."""
    with tempfile.TemporaryDirectory(prefix="docfleet-mutant-") as name:
        report = Path(name) / "report.xml"
        # Celery itself refuses pickle where it runs as root: the guard is to be ours, whoever runs it.
        more = {"DOCFLEET_FAULT_SUITE": "full", "C_FORCE_ROOT": "1"}
        environment = {**os.environ, "PYTHONPATH": tree(edits, Path(name) / "tree"), **more}
        command = [sys.executable, "-P", "-m", "pytest", "-x", f"--junitxml={report}", test]
        with (Path(name) / "output").open("wb") as output:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
            try:
                process.wait(TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait()
                return "broken: it did not end"
        if not report.exists():
            return "broken: " + (Path(name) / "output").read_text(errors="replace")[-300:]
        cases = list(ElementTree.parse(report).iter("testcase"))
        if not cases or any(case.find("skipped") is not None for case in cases):
            return "broken: it did not run"
        if any(case.find("failure") is not None for case in cases):
            return "failed"
        errors = [case.find("error") for case in cases if case.find("error") is not None]
        # What moved after the end is seen when the module's world goes.
        if any("I5" in (error.get("message") or "") + (error.text or "") for error in errors if error is not None):
            return "failed"
        return "broken: it never began" if errors else "passed"


def prove(test: str, guards: list[Mutant]) -> int:
    """Print a line for each of the guards that this test holds; how many are proven."""
    with_guard = outcome(test, ())
    proven = 0
    for each in guards:
        started = time.monotonic()
        without = outcome(test, each.edits)
        good = (with_guard, without) == ("passed", "failed")
        proven += good
        seconds = time.monotonic() - started
        mark = "" if good else "  NOT PROVEN"
        print(f"{each.guard:50} {with_guard:8} {without:8} {seconds:4.0f}  {test}{mark}", flush=True)
    return proven


def main(names: list[str]) -> int:
    """Print the table guard, test, with it, without it. 0 when every test passes with its guard and fails without.

    ``MUTANT_JOBS`` tests run side by side: most of them wait for a lease or a deadline.
    """
    chosen = [each for each in MUTANTS if not names or any(name.lower() in each.guard.lower() for name in names)]
    if not chosen:
        raise SystemExit(f"no guard has {' or '.join(names)} in its name")
    guards: dict[str, list[Mutant]] = {}
    for each in chosen:
        guards.setdefault(each.test, []).append(each)
    print(f"{'guard':50} {'with':8} {'without':8} {'s':>4}  test", flush=True)
    with ThreadPoolExecutor(int(os.environ.get("MUTANT_JOBS", "1"))) as pool:
        proven = sum(pool.map(prove, guards, guards.values()))
    print(f"{proven} of {len(chosen)} guards proven")
    return 0 if proven == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
