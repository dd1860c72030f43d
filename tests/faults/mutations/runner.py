"""Guards of the runner."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

MUTANTS = (
    mutant(
        "a tool cannot say that somebody else is at fault",
        "tests/unit/runner/test_verdict.py::test_a_tool_cannot_say_that_somebody_else_is_at_fault[dependency_error]",
        (
            "runner/src/docfleet/runner/verdict.py",
            "isinstance(error, _TOOL_ERRORS)",
            "type(error) is not DocfleetError",
        ),
    ),
    mutant(
        "a run whose zygote died has one of its own",
        "tests/integration/runner/engines/test_zygote.py::test_a_tool_that_kills_its_zygote_takes_nobody_along_and_fails_the_second_time",
        (
            "runner/src/docfleet/runner/runs.py",
            "alone = run.state.error_code == RunnerUnavailable.code",
            "alone = False",
        ),
    ),
    mutant(
        "a run that runners die over ends",
        "tests/integration/runner/engines/test_zygote.py::test_a_run_that_runners_die_over_is_alone_and_fails_in_the_end",
        ("runner/src/docfleet/runner/runs.py", "if deaths >= MAX_DEATHS:", "if False:"),
    ),
    mutant(
        "a run that a runner died over is alone",
        "tests/integration/runner/engines/test_zygote.py::test_a_run_that_runners_die_over_is_alone_and_fails_in_the_end",
        ("runner/src/docfleet/runner/runs.py", "range(self._concurrency if deaths else 1)", "range(1)"),
    ),
    mutant(
        "runs that take long do not hold every slot",
        "tests/integration/runner/test_long_runs.py::test_documents_that_take_long_do_not_hold_every_slot",
        ("runner/src/docfleet/runner/long_runs.py", "if len(self._held) >= self._places:", "if False:"),
    ),
    mutant(
        "documents that take long do not hold a fleet of two slots",
        "tests/acceptance/executions/test_long_documents.py::test_as_many_of_them_as_there_are_slots_stop_nobody",
        ("runner/src/docfleet/runner/long_runs.py", "if len(self._held) >= self._places:", "if False:"),
    ),
    mutant(
        "a run that was too long waits without a process",
        "tests/integration/runner/test_long_runs.py::test_documents_that_take_long_do_not_hold_every_slot",
        (
            "runner/src/docfleet/runner/runs.py",
            "is_long=await asyncio.to_thread(mark.is_long)",
            "is_long=False",
        ),
    ),
    mutant(
        "pages that come forward extend the first limit",
        "tests/integration/runner/test_long_runs.py::test_a_document_whose_pages_come_forward_needs_no_place",
        ("runner/src/docfleet/runner/long_runs.py", " + SECONDS_PER_PAGE * pages", ""),
    ),
    mutant(
        "pages alone make no run a short one",
        "tests/unit/runner/test_long_runs.py::test_the_first_limit_grows_with_size_and_pages",
        (
            "runner/src/docfleet/runner/long_runs.py",
            "min(grown, most, limits.wall_seconds)",
            "min(grown, limits.wall_seconds)",
        ),
    ),
    mutant(
        "a kill from outside is no verdict on a document",
        "tests/integration/runner/test_runs.py::test_a_kill_from_outside_is_no_verdict_on_the_document",
        ("runner/src/docfleet/runner/verdict.py", "if number in _OUTSIDE_SIGNALS:", "if False:"),
    ),
    mutant(
        "trouble of the runner's machine is no verdict on a document",
        "tests/unit/runner/test_runs.py::test_the_machines_trouble_is_not_the_documents[24-resource_exhausted]",
        ("runner/src/docfleet/runner/runs.py", "trouble = machine_trouble(error, forking=True)", "trouble = None"),
    ),
    mutant(
        "a request that a runner without descriptors refuses is not broken",
        "tests/integration/runner/test_runs.py::test_a_runner_without_descriptors_blames_no_document",
        ("runner/src/docfleet/runner/app.py", "trouble = machine_trouble(error, forking=True)", "trouble = None"),
    ),
    mutant(
        "a tool that reports a full disk is checked",
        "tests/unit/runner/test_verdict.py::test_a_tool_without_space_is_believed_where_there_is_none",
        ("runner/src/docfleet/runner/verdict.py", " and free_bytes < limits.file_size_bytes", ""),
    ),
    mutant(
        "a result has a bound of its own",
        "tests/integration/runner/test_runs.py::test_a_result_that_is_too_large_is_refused_before_it_is_read",
        ("runner/src/docfleet/runner/runs.py", "        check_result(working.data / INFILE, request.limits)\n", ""),
    ),
)
