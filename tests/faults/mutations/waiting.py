"""Guards of what files wait for, and of files that are handed back."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

_HAND_BACKS = "backend/src/docfleet/backend/executions/hand_backs.py"
_WORKER = "workers/src/docfleet/workers/shared/workflow/execution"
_UNIT = "tests/unit/workers/shared/workflow/execution"
_BACKEND = "tests/integration/backend/executions"

MUTANTS = (
    mutant(
        "a worker that is to stop does not wait for a dependency",
        f"{_UNIT}/test_file_waits.py::test_a_worker_that_is_to_stop_does_not_wait_on[shutdown]",
        (
            f"{_WORKER}/file_waits.py",
            "return shutting_down() or self._leases.is_lost(self._id)",
            "return self._leases.is_lost(self._id)",
        ),
    ),
    mutant(
        "a stopped file is not waited for",
        f"{_UNIT}/test_file_waits.py::test_a_worker_that_is_to_stop_does_not_wait_on[stopped]",
        (
            f"{_WORKER}/file_waits.py",
            "return shutting_down() or self._leases.is_lost(self._id)",
            "return shutting_down()",
        ),
    ),
    mutant(
        "the backend learns at once that a file waits",
        f"{_UNIT}/test_lease.py::test_a_wait_reaches_the_backend_at_once_and_so_does_its_end",
        (f"{_WORKER}/lease.py", "if stopping or self._waits_changed.is_set() or ", "if stopping or "),
    ),
    mutant(
        "trouble of the machine ends no file",
        f"{_UNIT}/test_file_waits.py::test_trouble_of_the_machine_ends_no_file[True-cause0-MachineTrouble]",
        (f"{_WORKER}/file_run.py", "trouble = machine_trouble(error)", "trouble = None"),
    ),
    mutant(
        "a tool killed from outside is a strike",
        f"{_UNIT}/test_batch.py::"
        "test_a_tool_that_was_killed_from_outside_costs_its_file_a_strike_and_the_others_nothing",
        (f"{_WORKER}/batch.py", "strike=isinstance(error, ToolKilled)", "strike=False"),
    ),
    mutant(
        "strikes of killed tools are counted up to the cap",
        f"{_BACKEND}/test_hand_backs.py::test_a_file_that_ends_a_process_has_two_more_attempts[sqlite]",
        (_HAND_BACKS, "    if strikes >= caps.strikes:", "    if False:"),
    ),
    mutant(
        "a file whose machine is in trouble is handed out again only after a wait",
        f"{_BACKEND}/test_hand_backs.py::"
        "test_a_file_whose_machine_is_in_trouble_is_handed_out_again_only_after_a_wait[sqlite]",
        (
            "backend/src/docfleet/backend/executions/free_files.py",
            "return and_(files.c.lease_until < db_now(), files.c.not_before < db_now())",
            "return and_(files.c.lease_until < db_now())",
        ),
    ),
    mutant(
        "a machine that stays in trouble ends the file",
        f"{_BACKEND}/test_hand_backs.py::test_a_machine_that_stays_in_trouble_ends_the_file_with_the_cause[sqlite]",
        (_HAND_BACKS, "if troubles >= caps.troubles and wait.cause.is_of_machine:", "if False:"),
    ),
    mutant(
        "a runner that is away ends no file",
        f"{_BACKEND}/test_hand_backs.py::test_a_runner_that_is_away_never_ends_a_file[sqlite]",
        (
            "core/src/docfleet/core/waiting.py",
            "return self in (WaitCause.STORAGE_FULL, WaitCause.MACHINE_TROUBLE)",
            "return True",
        ),
    ),
    mutant(
        "a release of an old attempt changes nothing",
        f"{_BACKEND}/test_hand_backs.py::test_a_release_of_an_old_attempt_changes_nothing[sqlite]",
        (
            "backend/src/docfleet/backend/executions/claims.py",
            "own.update((row.id, row) for row in rows if row.attempt == attempts[row.id])",
            "own.update((row.id, row) for row in rows)",
        ),
        (
            "backend/src/docfleet/backend/executions/claims.py",
            "files.c.id.in_(part), owned_by(owner))",
            "files.c.id.in_(part))",
        ),
    ),
    mutant(
        "trouble at the listing does not end the execution at once",
        f"{_UNIT}/test_orchestration.py::test_trouble_of_the_machine_puts_the_listing_off",
        (f"{_WORKER}/orchestration.py", "trouble = machine_trouble(error)", "trouble = None"),
    ),
)
