"""Guards of fair shares."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

_TESTS = "tests/integration/backend/executions"
_BACKEND = "backend/src/docfleet/backend/executions"

MUTANTS = (
    mutant(
        "a batch yields when its quantum is used up",
        f"{_TESTS}/test_contention.py::test_a_batch_yields_after_its_quantum_and_its_files_lose_nothing[sqlite]",
        (
            f"{_BACKEND}/contention.py",
            "        answer.yield_slot = goes_on and",
            "        answer.yield_slot = False and",
        ),
    ),
    mutant(
        "a yield: the sweep does not send its files",
        f"{_TESTS}/test_contention.py::test_the_sweep_does_not_send_files_that_a_yield_released[sqlite]",
        (f"{_BACKEND}/claims.py", '"owner": None, "redispatched_at": db_now(), ', '"owner": None, '),
    ),
    mutant(
        "a yield: a batch that has nothing left ends",
        f"{_TESTS}/test_contention.py::test_a_batch_keeps_its_slot[sqlite-with nothing left to do]",
        (
            f"{_BACKEND}/contention.py",
            "        goes_on = bool(request.renew) or (request.claim is not None and mine.has_free_files)\n",
            "        goes_on = True\n",
        ),
    ),
    mutant(
        "a batch does not step back for whoever makes no progress",
        "tests/unit/backend/executions/test_fair_share.py::test_a_batch_starts_when_the_queue_has_turned_round_without_progress",
        (f"{_BACKEND}/fair_share.py", "use) if rival.progress_at > since]", "use)]"),
    ),
    mutant(
        "a batch from the queue steps back for a smaller share",
        f"{_TESTS}/test_contention.py::test_a_batch_from_the_queue_steps_back_once_while_nobody_makes_progress[sqlite]",
        (
            f"{_BACKEND}/contention.py",
            "            not answer.send_again or fair_share.has_to_step_back(fleet, mine, use, policy)\n",
            "            not answer.send_again\n",
        ),
    ),
    mutant(
        "calls of an API go before runs",
        f"{_TESTS}/test_contention.py::test_calls_of_an_api_go_before_runs[sqlite]",
        (f"{_BACKEND}/fair_share.py", "    return rival.is_api and not mine.is_api\n", "    return False\n"),
    ),
    mutant(
        "a call of an API does not yield to a run",
        "tests/unit/backend/executions/test_fair_share.py::test_nobody_yields_for_nobody_and_no_call_yields_to_a_run",
        (f"{_BACKEND}/fair_share.py", "(use.takes_api if rival.is_api else not mine.is_api)", "True"),
    ),
    mutant(
        "an organization without a slot gets one of several at once",
        f"{_TESTS}/test_contention.py::test_an_organization_without_a_slot_gets_one_of_several_at_once[sqlite]",
        (f"{_BACKEND}/fair_share.py", "not (several and is_new(rival))", "True"),
    ),
    mutant(
        "shares count the use while others wait",
        f"{_TESTS}/test_contention.py::test_use_while_others_wait_counts_by_weight[sqlite]",
        (f"{_BACKEND}/reports.py", "    contention.charge(connection, execution, request.slot)\n", ""),
    ),
    mutant(
        "open batches of an organization are bounded",
        f"{_TESTS}/test_open_batches.py::test_many_workflows_of_one_organization_put_a_bounded_number_of_batches_into_the_queue[sqlite]",
        (
            f"{_BACKEND}/open_batches.py",
            "    return min(request.batch_count, _room(connection, execution, policy, request.slots))\n",
            "    return request.batch_count\n",
        ),
    ),
    mutant(
        "competing organizations share the queue",
        f"{_TESTS}/test_open_batches.py::test_competing_organizations_share_the_queue_and_get_their_places_back[sqlite]",
        (f"{_BACKEND}/fair_share.py", "* weight / max(all_weights, weight)))", "))"),
    ),
    mutant(
        "an end makes room for the next",
        f"{_TESTS}/test_open_batches.py::test_many_workflows_of_one_organization_put_a_bounded_number_of_batches_into_the_queue[sqlite]",
        ("backend/src/docfleet/backend/after_commit.py", "        self._fill(events)\n", ""),
    ),
    mutant(
        "the sweep gives room that nobody gave",
        f"{_TESTS}/test_open_batches.py::test_the_sweep_gives_room_that_nobody_gave[sqlite]",
        (
            f"{_BACKEND}/sweep.py",
            "open_batches.HAS_NEW_FILES), self._send_more\n",
            "open_batches.HAS_NEW_FILES), lambda *_: None\n",
        ),
    ),
    mutant(
        "the sweep sends no batch of a parked execution",
        f"{_TESTS}/test_open_batches.py::test_the_sweep_does_not_send_batches_of_a_parked_execution[sqlite]",
        (
            f"{_BACKEND}/sweep.py",
            "        sent = and_(dispatched, executions.c.parked_at.is_(None))\n",
            "        sent = dispatched\n",
        ),
    ),
    mutant(
        "a batch that has to yield starts no other file",
        "tests/unit/workers/shared/workflow/execution/test_batch.py::test_a_batch_that_is_told_to_yield_starts_no_other_file[names0]",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/batch.py",
            "                if self._slot.has_to_yield:\n                    return self._yielded()\n",
            "",
        ),
    ),
    mutant(
        "a batch that yields sends itself again",
        "tests/acceptance/executions/test_fairness.py::test_executions_of_one_organization_take_turns",
        (
            "workers/src/docfleet/workers/file_processing/batches.py",
            "        if not slot.answer.send_again:\n",
            "        if True:\n",
        ),
    ),
    mutant(
        "API calls have slots of their own in dev",
        "tests/acceptance/executions/test_fairness.py::test_a_call_is_answered_while_a_run_holds_all_slots",
        ("src/docfleet/cli/embedded/system.py", "        if self._reserved:\n", "        if False:\n"),
    ),
    mutant(
        "a call goes before a run where processors are scarce: the file worker",
        "tests/acceptance/executions/test_fairness.py::test_a_call_is_answered_while_a_run_holds_all_slots",
        (
            "src/docfleet/cli/embedded/system.py",
            '            own = {"WORKER_NICE": str(SHARED_LANE_NICE), **own}\n',
            "            pass\n",
        ),
    ),
    mutant(
        "a call goes before a run where processors are scarce: the request",
        "tests/unit/workers/shared/workflow/execution/test_attempt.py::test_tools_of_a_run_yield_the_processor_and_those_of_a_call_do_not",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/attempt.py",
            "msgspec.structs.replace(limits, nice=RUN_NICE)",
            "limits",
        ),
    ),
    mutant(
        "a call goes before a run where processors are scarce: the session of the tool",
        "tests/integration/runner/test_runs.py::test_a_nice_run_leaves_the_processors_to_others",
        ("core/src/docfleet/core/priority.py", "    if os.getsid(0) == os.getpid():\n", "    if False:\n"),
    ),
)
