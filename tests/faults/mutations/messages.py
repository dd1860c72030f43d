"""Guards around messages: what another orchestrator sends, what no task can serve, and chords that lose some."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

BATCHES = "workers/src/docfleet/workers/file_processing/batches.py"
ADDITIONS = "backend/src/docfleet/backend/executions/additions.py"
FINALIZE = "backend/src/docfleet/backend/executions/finalize.py"
TASK = "workers/src/docfleet/workers/shared/infrastructure/celery/task.py"
FOREIGN = "tests/security/test_foreign_messages.py::test_a_message_that_cannot_be_served_is_refused_by_name"
ORIGINAL = "tests/acceptance/workers/test_original_messages.py"
ADDED = "tests/integration/backend/executions/test_additions.py"

MUTANTS = (
    mutant(
        "files that a batch names are registered",
        f"{ORIGINAL}::test_a_batch_of_the_original_is_processed_into_its_execution",
        (BATCHES, "    if not batch.without_rows:\n", "    if True:\n"),
    ),
    mutant(
        "a batch that brings its files does not end the execution of the others",
        f"{ADDED}::test_an_execution_does_not_end_before_its_last_batch[sqlite]",
        (FINALIZE, "        if not batches_ended:\n            return False\n", ""),
    ),
    mutant(
        "a stray batch does not close the listing of an orchestrator",
        f"{ADDED}::test_a_batch_that_comes_while_the_source_is_listed_does_not_close_the_listing[sqlite]",
        (
            ADDITIONS,
            "    if execution.dispatched_at is None and not _is_being_listed(connection, execution.id):\n",
            "    if execution.dispatched_at is None:\n",
        ),
        (
            "backend/src/docfleet/backend/executions/repository.py",
            "    return row.dispatched_at is not None and not is_open_listing(row)\n",
            "    return row.dispatched_at is not None\n",
        ),
    ),
    mutant(
        "an orchestrator lists its source though a stray batch came first",
        f"{ADDED}::test_an_orchestrator_of_ours_lists_its_source_all_the_same[sqlite]",
        (
            "backend/src/docfleet/backend/executions/repository.py",
            "    return row.dispatched_at is not None and not is_open_listing(row)\n",
            "    return row.dispatched_at is not None\n",
        ),
    ),
    mutant(
        "a listing that nobody closes is closed",
        f"{ADDED}::test_a_listing_that_nobody_closes_is_closed_by_the_sweep[sqlite]",
        (
            "backend/src/docfleet/backend/executions/sweep.py",
            "finalize.end_if_done(connection, execution, batches_ended=True)",
            "finalize.end_if_done(connection, execution)",
        ),
    ),
    mutant(
        "nothing is added to an execution that has ended",
        f"{ADDED}::test_nothing_is_added_to_an_execution_that_has_ended_or_is_another_s[sqlite]",
        (ADDITIONS, "    if repository.is_ending(execution):\n", "    if False:\n"),
    ),
    mutant(
        "a batch of another workflow is refused",
        f"{ADDED}::test_nothing_is_added_to_an_execution_that_has_ended_or_is_another_s[sqlite]",
        (ADDITIONS, "    if request.workflow_id != execution.workflow_id:\n", "    if False:\n"),
    ),
    mutant(
        "a batch that requests review is refused",
        f"{ORIGINAL}::test_a_batch_that_cannot_be_served_says_so_in_its_result_and_in_the_log_of_its_execution",
        (
            "workers/src/docfleet/workers/file_processing/additions.py",
            '        raise ReviewUnavailable("the batch requests manual review, but no review queue is configured")\n',
            "        pass\n",
        ),
    ),
    mutant(
        "ids that are UUID objects are read",
        f"{ORIGINAL}::test_ids_may_be_uuid_objects",
        (TASK, "        args, kwargs = _with_plain_ids(args), _with_plain_ids(kwargs)\n", ""),
    ),
    mutant(
        "the file history is used as the message says",
        f"{ORIGINAL}::test_the_history_is_used_as_the_message_says",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/orchestration.py",
            "                    use_file_history=self._use_file_history,\n",
            "",
        ),
    ),
    mutant(
        "a message that does not fit its task is refused by name",
        f"{FOREIGN}[redis-callback]",
        (TASK, "            arguments(self.run, args, kwargs)\n", ""),
    ),
    mutant(
        "an execution is not ended by the kind of worker that cannot serve it",
        f"{ORIGINAL}::test_an_execution_sent_to_the_other_kind_of_worker_is_refused_and_not_ended",
        (
            "workers/src/docfleet/workers/api_deployment/execution.py",
            "    if not context.source_config.is_api:\n",
            "    if False:\n",
        ),
    ),
    mutant(
        "the poll of a chord ends with its execution",
        "tests/faults/test_chords.py::test_nothing_polls_for_an_execution_that_has_ended[rabbitmq]",
        ("workers/src/docfleet/workers/callback/tasks.py", "    watch_chords(instance.app)\n", "    pass\n"),
    ),
    mutant(
        "the poll of a chord that nobody ends has an end",
        "tests/unit/workers/callback/test_chords.py::test_a_chord_of_nobody_ends_when_its_results_have_expired",
        (
            "workers/src/docfleet/workers/callback/chords.py",
            "        if self._waited(polls) > self._app.conf.result_expires:\n",
            "        if False:\n",
        ),
    ),
)
