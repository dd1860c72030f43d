"""Guards of schedules."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

MUTANTS = (
    mutant(
        "a time of a schedule is one row",
        "tests/integration/backend/executions/test_ticker.py::test_a_tick_that_was_decided_is_never_fired_again[postgresql]",
        (
            "backend/src/docfleet/backend/schedules/repository.py",
            "return {(row.pipeline_id, row.scheduled_for) for row in connection.execute(statement, rows)}",
            'return {(row["pipeline_id"], row["scheduled_for"]) for row in rows}',
        ),
    ),
    mutant(
        "a pipeline that fails keeps no other from its turn",
        "tests/integration/backend/executions/test_ticker.py::test_a_pipeline_that_is_refused_or_broken_keeps_no_other_from_its_turn[sqlite]",
        (
            "backend/src/docfleet/backend/executions/ticker.py",
            "                with connection.begin_nested():\n                    decided = step(connection, error)\n",
            "                raise\n",
        ),
    ),
    mutant(
        "a queued tick waits for the open run",
        "tests/integration/backend/executions/test_ticker.py::test_overlap_queue_one_runs_after_the_open_one[sqlite]",
        (
            "backend/src/docfleet/backend/executions/ticker.py",
            "_QUEUED.where(schedule_ticks.c.pipeline_id.not_in(_BUSY))",
            "_QUEUED",
        ),
        # Asked once more behind it.
        (
            "backend/src/docfleet/backend/executions/ticker.py",
            "limit(1)) is not None:\n            return []",
            "limit(1)) == 0:\n            return []",
        ),
    ),
    mutant(
        "a message runs a pipeline once",
        "tests/integration/backend/http/workers/test_schedules.py::test_the_original_s_task_runs_a_pipeline_once_for_each_message[sqlite]",
        (
            "backend/src/docfleet/backend/http/workers/schedules.py",
            "scheduled=True, idempotency_key=key)",
            "scheduled=True)",
        ),
    ),
    mutant(
        "a time that exists twice runs once",
        "tests/unit/backend/schedules/test_timetable.py::test_the_runs_are_those_of_a_walk_over_every_minute",
        (
            "backend/src/docfleet/backend/schedules/timetable.py",
            "offsets[0] > offsets[1] and self._by_elapsed_time",
            "offsets[0] > offsets[1]",
        ),
    ),
    mutant(
        "a time that does not exist runs after the gap",
        "tests/unit/backend/schedules/test_timetable.py::test_the_runs_are_those_of_a_walk_over_every_minute",
        (
            "backend/src/docfleet/backend/schedules/timetable.py",
            "            elif not self._by_elapsed_time:\n",
            "            elif False:\n",
        ),
    ),
    mutant(
        "a downtime is made up for as the policy says",
        "tests/unit/backend/schedules/test_decision.py::test_what_fires_through_downtimes_is_what_the_policy_says",
        (
            "backend/src/docfleet/backend/schedules/decision.py",
            "        wanted = set(ticks[-1:])\n",
            "        wanted = set(ticks)\n",
        ),
    ),
    mutant(
        "a queued tick waits for what began meanwhile",
        "tests/integration/backend/executions/test_ticker.py::test_a_queued_tick_waits_for_a_run_that_began_since_it_was_looked_at[sqlite]",
        (
            "backend/src/docfleet/backend/executions/ticker.py",
            "limit(1)) is not None:\n            return []",
            "limit(1)) == 0:\n            return []",
        ),
    ),
)
