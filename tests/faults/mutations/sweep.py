"""Guards of the sweep and of its chores."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

MUTANTS = (
    mutant(
        "the sweep hands lost files out again",
        # More workers are lost than there are batches, each of which would help itself to what is free.
        "tests/faults/test_child_kill.py::test_a_lost_worker_is_not_the_files_fault[redis]",
        (
            "backend/src/docfleet/backend/executions/sweep.py",
            "            self._redispatch_files,\n",
            "            lambda *_: None,\n",
        ),
    ),
    mutant(
        "the sweep sends lost batches again",
        "tests/faults/test_process_kill.py::test_the_orchestrator_dies_after_so_many_messages[redis-0]",
        (
            "backend/src/docfleet/backend/executions/sweep.py",
            "            self._send_batch,\n",
            "            lambda *_: None,\n",
        ),
    ),
    mutant(
        "the sweep sends a lost execution again",
        "tests/faults/test_process_kill.py::test_the_orchestrator_dies[redis-orchestrate.listed]",
        (
            "backend/src/docfleet/backend/executions/sweep.py",
            "            self._send_execution,\n",
            "            lambda *_: None,\n",
        ),
    ),
    mutant(
        "the sweep deletes folders nobody deleted",
        "tests/integration/backend/test_housekeeping.py::test_folders_of_ended_executions_go_and_no_others",
        (
            "backend/src/docfleet/backend/housekeeping.py",
            "lambda h: remove_folders(h.database, h.settings.execution_storage_root)",
            "lambda h: None",
        ),
    ),
    mutant(
        "a stop: the sweep ends it where a worker died",
        "tests/integration/backend/executions/test_stop.py::test_a_lost_worker_is_waited_for_until_its_lease_runs_out[sqlite]",
        ("backend/src/docfleet/backend/executions/sweep.py", "        yield _STOPPING, self._finalize\n", ""),
    ),
    mutant(
        "what a dead child leaves is due at once",
        "tests/integration/backend/executions/test_lost_processes.py::test_a_batch_that_died_before_its_claim_is_sent_again_by_the_next_sweep[sqlite]",
        (
            "backend/src/docfleet/backend/executions/overdue.py",
            "return or_(repeated == lost_processes.DUE, silent)",
            "return silent",
        ),
    ),
    mutant(
        "a backlog is not copied",
        "tests/integration/backend/executions/test_overdue.py::test_five_hundred_queued_executions_are_neither_copied_nor_failed[sqlite]",
        (
            "backend/src/docfleet/backend/executions/sweep.py",
            "self._busy[queue] = self._dispatcher.waiting(queue) > 0",
            "self._busy[queue] = False",
        ),
    ),
    mutant(
        "what a queue has moved past is not waited for",
        "tests/integration/backend/executions/test_overdue.py::test_what_a_busy_queue_has_moved_past_is_sent_again_at_the_deadline[sqlite-lose_batch]",
        (
            "backend/src/docfleet/backend/executions/overdue.py",
            "case((overtaken, self._deadline), else_=",
            "case((false(), self._deadline), else_=",
        ),
        ("backend/src/docfleet/backend/executions/overdue.py", "exists, func", "exists, false, func"),
    ),
    mutant(
        "only what was taken shows that a queue has moved on",
        "tests/integration/backend/executions/test_overdue.py::test_a_later_execution_whose_batch_nobody_took_shows_nothing[sqlite-lose_file]",
        (
            "backend/src/docfleet/backend/executions/overdue.py",
            "return and_(_later.c.dispatched_at > sent, claimed)",
            "return claimed.is_not(None)",
        ),
    ),
    mutant(
        "only what was sent later shows that a queue has moved on",
        "tests/integration/backend/executions/test_overdue.py::test_an_earlier_execution_another_organization_and_another_queue_show_nothing[sqlite-lose_batch]",
        (
            "backend/src/docfleet/backend/executions/overdue.py",
            "            _later.c.created_at > execution.created_at,\n",
            "",
        ),
        ("backend/src/docfleet/backend/executions/overdue.py", "_later.c.dispatched_at > sent, claimed", "claimed"),
    ),
    mutant(
        "another queue shows nothing",
        "tests/integration/backend/executions/test_overdue.py::test_an_earlier_execution_another_organization_and_another_queue_show_nothing[sqlite-lose_batch]",
        ("backend/src/docfleet/backend/executions/overdue.py", "            self._of_kind,\n", ""),
    ),
    mutant(
        "a file that is lost twice is handed out twice",
        "tests/integration/backend/executions/test_sweep.py::test_what_is_lost_a_second_time_is_handed_out_at_once_whatever_waits[sqlite]",
        ("backend/src/docfleet/backend/executions/overdue.py", "sent < files.c.modified_at, ", ""),
    ),
    mutant(
        "a sweeper that lives stays the only one",
        "tests/integration/backend/test_housekeeping.py::test_a_leader_that_lives_stays_leader[sqlite]",
        ("backend/src/docfleet/backend/executions/sweep.py", "                    self._renew_lease()\n", ""),
    ),
    mutant(
        "a paused sweeper asks again under the lock",
        "tests/integration/backend/test_housekeeping.py::test_a_paused_leader_acts_on_what_is_true_when_it_wakes[sqlite]",
        (
            "backend/src/docfleet/backend/executions/sweep.py",
            "_CANDIDATES.where(executions.c.id == candidate.id, where)",
            "_CANDIDATES.where(executions.c.id == candidate.id)",
        ),
    ),
    mutant(
        "only folders of ended executions are deleted",
        "tests/integration/backend/test_housekeeping.py::test_folders_of_ended_executions_go_and_no_others[sqlite]",
        (
            "backend/src/docfleet/backend/housekeeping.py",
            "_FINAL, executions.c.finished_at < db_now() - GRACE_SECONDS",
            "executions.c.created_at < db_now()",
        ),
    ),
    mutant(
        "rows, not the chord, say that all is done",
        "tests/faults/test_brokers.py::test_the_result_backend_is_away_when_the_headers_end[redis-8]",
        (
            "backend/src/docfleet/backend/executions/reports.py",
            "and finalize.end_if_done(connection, execution):",
            "and False:",
        ),
        (
            "backend/src/docfleet/backend/executions/sweep.py",
            'files.c.status.in_(("PENDING", "EXECUTING")))\n',
            'files.c.status.in_(("PENDING",)))\n',
        ),
        (
            "backend/src/docfleet/backend/executions/sweep.py",
            "ended=finalize.end_if_done(connection, execution))",
            "ended=False)",
        ),
    ),
    mutant(
        "one sweeper at a time",
        "tests/faults/test_sweeper.py::test_two_sweepers_at_once[redis]",
        (
            "backend/src/docfleet/backend/executions/sweep.py",
            "set_=values, where=leases.c.until < db_now()",
            "set_=values",
        ),
    ),
    mutant(
        "a deadline waits for what a worker is at",
        "tests/integration/backend/executions/test_sweep.py::test_a_deadline_waits_for_what_a_worker_is_at[sqlite]",
        ("backend/src/docfleet/backend/executions/sweep.py", "not finalize.expire(", "not finalize.fail("),
    ),
    mutant(
        "a chore that fails keeps no other from its turn",
        "tests/integration/backend/test_housekeeping.py::test_a_chore_that_fails_keeps_nothing_else_from_being_done[sqlite]",
        (
            "backend/src/docfleet/backend/housekeeping.py",
            "                except Exception:  # the boundary of a chore",
            "                except KeyError:  # ",
        ),
    ),
    mutant(
        "a sweep that breaks sends what it has found",
        "tests/integration/backend/test_housekeeping.py::test_a_sweep_that_breaks_sends_what_it_has_found[sqlite]",
        (
            "backend/src/docfleet/backend/executions/sweep.py",
            "            self._send()  # also",
            "            pass  # also",
        ),
    ),
)
