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
        ("runner/src/docfleet/runner/runs.py", "run, alone = None, True", "run, alone = None, False"),
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
)
