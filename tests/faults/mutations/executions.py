"""Guards of executions in the backend: registration, claims, reports, ends."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

MUTANTS = (
    mutant(
        "a strike is of the named file only",
        "tests/faults/test_child_kill.py::test_a_file_that_kills_its_process_ends_alone[redis]",
        (
            "backend/src/docfleet/backend/executions/lost_processes.py",
            "its_file = files.c.id == lost.file_execution_id",
            "its_file = files.c.id.in_(held)",
        ),
        (
            "backend/src/docfleet/backend/executions/lost_processes.py",
            "    if lost.file_execution_id is None and",
            "    if False and",
        ),
    ),
    mutant(
        "a file has a number of strikes",
        "tests/faults/test_child_kill.py::test_a_file_that_kills_its_process_ends_alone[redis]",
        (
            "backend/src/docfleet/backend/executions/claims.py",
            "return bool(row.strikes >= self.strikes or row.losses >= self.losses)",
            "return bool(row.losses >= self.losses)",
        ),
    ),
    mutant(
        "a lost worker is no strike",
        "tests/faults/test_child_kill.py::test_a_lost_worker_is_not_the_files_fault[redis]",
        (
            "backend/src/docfleet/backend/executions/claims.py",
            "return bool(row.strikes >= self.strikes or row.losses >= self.losses)",
            "return bool(row.strikes + row.losses >= self.strikes)",
        ),
    ),
    mutant(
        "an execution ends only when no file is open",
        "tests/faults/test_messages.py::test_a_header_comes_twice[redis]",
        (
            "backend/src/docfleet/backend/executions/finalize.py",
            "    counts = count_files(connection, execution.id)\n"
            "    return not counts.open and _end_by_counts(connection, execution, counts)\n\n\ndef _end_by_counts",
            "    counts = count_files(connection, execution.id)\n"
            "    return _end_by_counts(connection, execution, counts)\n\n\ndef _end_by_counts",
        ),
    ),
    mutant(
        "an execution is finalized once",
        "tests/faults/test_messages.py::test_the_callback_comes_three_times[redis]",
        (
            "backend/src/docfleet/backend/executions/finalize.py",
            "A stop ends an execution once none of its leases runs.\n"
            '    """\n    if repository.is_final(execution):\n        return False\n',
            'A stop ends an execution once none of its leases runs.\n    """\n',
        ),
        (
            "backend/src/docfleet/backend/executions/state.py",
            '.where(executions.c.id == bindparam("execution"), executions.c.status.in_(_from(target)))',
            '.where(executions.c.id == bindparam("execution"))',
        ),
    ),
    mutant(
        "a repeated page of a listing answers alike",
        "tests/integration/backend/executions/test_register.py::test_a_repeated_page_answers_alike_and_writes_nothing",
        (
            "backend/src/docfleet/backend/executions/register.py",
            "    if known is not None and known.digest == digest:\n",
            "    if False:\n",
        ),
    ),
    mutant(
        "a repeated listing registers nothing twice",
        "tests/integration/backend/executions/test_register.py::test_the_same_file_on_another_page_is_a_duplicate",
        ("backend/src/docfleet/backend/executions/register.py", "        if key in present:\n", "        if False:\n"),
    ),
    mutant(
        "a listing is closed by the start",
        "tests/integration/backend/executions/test_register.py::test_a_page_after_the_start_is_not_taken",
        (
            "backend/src/docfleet/backend/executions/register.py",
            "if final or repository.is_listed(execution) or execution",
            "if final or execution",
        ),
    ),
    mutant(
        "a report counts only under its own attempt",
        "tests/integration/backend/executions/test_lost_processes.py::test_the_report_of_the_dead_is_fenced_once_another_holds_the_file",
        (
            "backend/src/docfleet/backend/executions/reports.py",
            "if known is None or known.attempt != outcome.attempt:",
            "if known is None:",
        ),
        (
            "backend/src/docfleet/backend/executions/state.py",
            '        files.c.attempt == bindparam("b_attempt"),\n',
            "",
        ),
    ),
    mutant(
        "a stop: nothing is given out any more",
        "tests/integration/backend/executions/test_stop.py::test_a_stop_waits_for_what_a_worker_is_at_and_what_was_delivered_is_completed[sqlite]",
        (
            "backend/src/docfleet/backend/executions/claims.py",
            "    if repository.is_ending(execution):\n        return ClaimResponse(stop=True)",
            "    if repository.is_final(execution):\n        return ClaimResponse(stop=True)",
        ),
    ),
    mutant(
        "a stop: who renews a lease is told",
        "tests/integration/backend/executions/test_stop.py::test_a_stop_waits_for_what_a_worker_is_at_and_what_was_delivered_is_completed[sqlite]",
        (
            "backend/src/docfleet/backend/executions/hand_backs.py",
            "lost=lost, stop=repository.is_ending(execution))",
            "lost=lost, stop=repository.is_final(execution))",
        ),
    ),
    mutant(
        "a stop: leases that run are waited for",
        "tests/acceptance/executions/test_stop.py::test_a_delivery_that_has_started_is_waited_for_and_counts",
        (
            "backend/src/docfleet/backend/executions/finalize.py",
            "free = [] if abandoned else [files.c.lease_until < db_now()]",
            "free: list[Any] = []",
        ),
    ),
    mutant(
        "a stop: the last report ends it",
        "tests/integration/backend/executions/test_stop.py::test_a_stop_waits_for_what_a_worker_is_at_and_what_was_delivered_is_completed[sqlite]",
        (
            "backend/src/docfleet/backend/executions/reports.py",
            "(answer.stop or not answer.open_files)",
            "not answer.open_files",
        ),
    ),
    mutant(
        "a stop: the workers are told at once",
        "tests/acceptance/executions/test_stop.py::test_running_tools_die_and_queued_files_end_while_the_caller_waits[redis]",
        (
            "backend/src/docfleet/backend/executions/service.py",
            "        dispatcher.broadcast(",
            "        (lambda *_: None)(",
        ),
    ),
    mutant(
        "a lease that was freed or given back is no loss",
        "tests/integration/backend/executions/test_lost_processes.py::test_what_is_given_back_or_handed_out_again_is_no_loss[sqlite]",
        ("backend/src/docfleet/backend/executions/state.py", "files.c.lease_until > 0)", "files.c.lease_until >= 0)"),
    ),
    mutant(
        "an orchestration has a number of strikes",
        "tests/integration/backend/executions/test_lost_processes.py::test_an_orchestration_that_kills_three_processes_ends_the_execution[sqlite]",
        ("backend/src/docfleet/backend/executions/lost_processes.py", "if strikes >= cap:", "if False:"),
    ),
    mutant(
        "a claim whose answer was lost is answered alike",
        "tests/integration/backend/executions/test_claims.py::test_a_claim_whose_answer_was_lost_is_answered_alike[sqlite]",
        (
            "backend/src/docfleet/backend/executions/claims.py",
            "if request.request_id and (again",
            "if False and (again",
        ),
    ),
    mutant(
        "before its last loss a file is claimed alone",
        "tests/integration/backend/executions/test_claims.py::test_who_may_be_given_up_for_the_next_loss_is_claimed_alone[sqlite]",
        ("backend/src/docfleet/backend/executions/claims.py", "return safe or rows[:1]", "return rows"),
    ),
    mutant(
        "a file under a lease is nobody else's (RabbitMQ)",
        "tests/faults/test_brokers.py::test_the_broker_restarts_in_the_middle_of_a_header[rabbitmq-kill]",
        (
            "backend/src/docfleet/backend/executions/free_files.py",
            "return and_(files.c.lease_until < db_now(), files.c.not_before < db_now())",
            "return files.c.attempt >= 0",
        ),
    ),
    mutant(
        "a file under a lease is nobody else's (Redis)",
        "tests/faults/test_brokers.py::test_redis_hands_a_message_out_again_while_it_is_worked_on[redis]",
        (
            "backend/src/docfleet/backend/executions/free_files.py",
            "return and_(files.c.lease_until < db_now(), files.c.not_before < db_now())",
            "return files.c.attempt >= 0",
        ),
    ),
    mutant(
        "an execution nobody could send ends",
        "tests/faults/test_brokers.py::test_the_broker_is_away_when_an_execution_is_accepted[redis]",
        (
            "backend/src/docfleet/backend/executions/service.py",
            "        finalize.fail(connection, row, cause, error.code)\n",
            "",
        ),
    ),
    mutant(
        "a repeated claim is given the same files",
        "tests/faults/test_backend_faults.py::test_the_answer_is_lost[redis-/claim/-lose-sqlite]",
        (
            "backend/src/docfleet/backend/executions/claims.py",
            "if request.request_id and (again",
            "if False and (again",
        ),
    ),
    mutant(
        "a repeated report changes nothing",
        "tests/faults/test_backend_faults.py::test_the_answer_is_lost[redis-/report/-lose-sqlite]",
        (
            "backend/src/docfleet/backend/executions/reports.py",
            "        elif again is not None or ExecutionStatus(known.status).is_final:\n",
            "        elif again is not None:\n",
        ),
        (
            "backend/src/docfleet/backend/executions/reports.py",
            "        elif known.status == ExecutionStatus.EXECUTING.value:\n",
            "        elif True:\n",
        ),
    ),
    mutant(
        "a final status of a file absorbs",
        "tests/faults/test_databases.py::test_writers_of_one_status_race[redis]",
        (
            "backend/src/docfleet/backend/executions/state.py",
            ".where(files.c.execution_id == execution_id, files.c.status.in_(_from(target)), *where)",
            ".where(files.c.execution_id == execution_id, *where)",
        ),
    ),
    mutant(
        "who changes an execution locks it, then compares and sets",
        "tests/faults/test_databases.py::test_writers_of_one_status_race[rabbitmq]",
        (
            "backend/src/docfleet/backend/executions/repository.py",
            "_LOCK = _FIND.with_for_update(key_share=True)",
            "_LOCK = _FIND",
        ),
        (
            "backend/src/docfleet/backend/executions/state.py",
            '.where(executions.c.id == bindparam("execution"), executions.c.status.in_(_from(target)))',
            '.where(executions.c.id == bindparam("execution"))',
        ),
    ),
    mutant(
        "the sweep passes over what is locked",
        "tests/faults/test_sweeper.py::test_an_execution_that_somebody_has_locked_keeps_no_other_waiting[rabbitmq]",
        ("backend/src/docfleet/backend/executions/repository.py", "key_share=True, skip_locked=True", "key_share=True"),
    ),
    mutant(
        "a deadline ends in ERROR with its cause",
        "tests/integration/backend/executions/test_sweep.py::test_a_deadline_waits_for_what_a_worker_is_at[sqlite]",
        (
            "backend/src/docfleet/backend/executions/finalize.py",
            "    if execution.error_code is not None:\n",
            "    if False:\n",
        ),
    ),
    mutant(
        "a file that another run ends meanwhile is in one of two places",
        "tests/integration/backend/files/test_history.py::test_a_file_that_another_run_ends_while_it_is_registered_is_left_out[postgresql]",
        (
            "backend/src/docfleet/backend/executions/register.py",
            "    active = elsewhere(connection, execution, page)\n    past: dict[int, Record] = {}\n",
            "    past: dict[int, Record] = {}\n",
        ),
        (
            "backend/src/docfleet/backend/executions/register.py",
            "    skips = _skips(",
            "    active = elsewhere(connection, execution, page)\n    skips = _skips(",
        ),
    ),
    mutant(
        "a message that got through is not failed",
        "tests/integration/backend/executions/test_repository.py::test_a_message_that_got_through_without_its_confirmation_is_not_failed[sqlite]",
        (
            "backend/src/docfleet/backend/executions/service.py",
            "if row.status != ExecutionStatus.PENDING.value:",
            "if False:",
        ),
    ),
    mutant(
        "who is told to end costs no file a loss",
        "tests/integration/backend/executions/test_lost_processes.py::test_a_process_that_had_to_end_costs_its_files_nothing[sqlite]",
        ("backend/src/docfleet/backend/executions/lost_processes.py", " and not lost.told_to_end", ""),
    ),
)
