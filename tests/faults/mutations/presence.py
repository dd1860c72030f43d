"""Guards of presence: who is taken for dead, and what that frees."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

_REPOSITORY = "backend/src/docfleet/backend/presence/repository.py"
_LOST = "backend/src/docfleet/backend/executions/lost_workers.py"
_PLACE = "workers/src/docfleet/workers/shared/infrastructure/process/place.py"
_OF_REPOSITORY = "tests/integration/backend/presence/test_repository.py::"
_OF_LOST = "tests/integration/backend/executions/test_lost_workers.py::"
_OF_PLACE = "tests/unit/workers/shared/infrastructure/process/test_place.py::"

MUTANTS = (
    mutant(
        "presence: what a killed worker held does not wait for its leases",
        "tests/faults/test_presence.py::test_a_whole_worker_is_killed_and_started_again[redis]",
        (
            "backend/src/docfleet/backend/executions/sweep.py",
            "            self._free_lost_workers()\n",
            "",
        ),
    ),
    mutant(
        "presence: what a lost machine held does not wait for its leases",
        "tests/faults/test_presence.py::test_a_machine_is_lost_and_comes_back_late[redis]",
        (_REPOSITORY, "or_(workers.c.ended, _SILENT)", "workers.c.ended"),
    ),
    mutant(
        "presence: silence means nothing while nobody is heard",
        _OF_LOST + "test_after_an_outage_of_the_backend_nobody_is_taken_for_dead[sqlite]",
        (_REPOSITORY, "and_(workers.c.alive_until < db_now(), _SOMEBODY_IS_HEARD)", "workers.c.alive_until < db_now()"),
    ),
    mutant(
        "presence: the first beat after a gap gives everybody time",
        _OF_REPOSITORY + "test_the_first_beat_after_a_gap_gives_everybody_time[sqlite]",
        (_REPOSITORY, "    _give_time_after_a_gap(connection, silent)\n", ""),
    ),
    mutant(
        "presence: a beat is looked for again before files are freed",
        _OF_LOST + "test_a_beat_that_comes_while_the_sweep_is_at_it_saves_the_files[sqlite]",
        (_LOST, "if execution is None or not presence.is_dead(connection, node):", "if execution is None:"),
    ),
    mutant(
        "presence: a late claim of a dead worker is freed",
        _OF_LOST + "test_a_claim_that_was_on_its_way_when_its_worker_died_is_freed[sqlite]",
        (_LOST, "dead.keys() | buried", "dead.keys()"),
    ),
    mutant(
        "presence: a worker whose name begins alike is another",
        _OF_LOST + "test_a_worker_whose_name_begins_alike_keeps_its_files[sqlite]",
        (_LOST, 'mark = f"{node}/"', "mark = node"),
    ),
    mutant(
        "presence: an end is swept at once",
        _OF_LOST + "test_an_end_is_swept_at_once_without_the_scheduler[sqlite]",
        (
            "backend/src/docfleet/backend/http/workers/presence.py",
            "        presence.end(connection, data.nodes)\n    sweeper.wake()\n",
            "        presence.end(connection, data.nodes)\n",
        ),
    ),
    mutant(
        "presence: a silent worker is swept at the next beat of another",
        _OF_LOST + "test_the_beat_of_another_has_the_silent_swept_at_once[sqlite]",
        (
            "backend/src/docfleet/backend/http/workers/presence.py",
            "    if somebody_died:\n        sweeper.wake()\n",
            "",
        ),
    ),
    mutant(
        "presence: a listing that lost its worker is begun again at once",
        _OF_LOST + "test_a_listing_that_lost_its_worker_is_begun_again_at_once[sqlite]",
        (
            "backend/src/docfleet/backend/executions/sweep.py",
            "                    lost_workers.hasten(",
            "                    (lambda *_: None)(",
        ),
    ),
    mutant(
        "presence: a listing that loses its worker again waits longer",
        _OF_LOST + "test_a_listing_that_lost_its_worker_is_begun_again_at_once[sqlite]",
        (_LOST, "            executions.c.redispatched_at.is_(None),\n", ""),
    ),
    mutant(
        "presence: what lies in a queue is not copied when a worker dies",
        _OF_LOST + "test_what_lies_in_a_queue_is_not_copied_when_a_worker_dies[sqlite]",
        (_LOST, "    if waiting.orchestrations is False:\n", "    if True:\n"),
    ),
    mutant(
        "presence: workers of another place are no neighbours",
        _OF_REPOSITORY + "test_neighbours_are_the_workers_of_one_place[sqlite]",
        (_REPOSITORY, "workers.c.place == announced.place, ", ""),
    ),
    mutant(
        "presence: workers that do not know their place are no neighbours",
        _OF_REPOSITORY + "test_neighbours_are_the_workers_of_one_place[sqlite]",
        (_REPOSITORY, "    if not announced.place:\n        return []\n", ""),
    ),
    mutant(
        "presence: a worker that ends is not one that is there",
        _OF_REPOSITORY + "test_a_type_is_missing_from_the_end_of_its_last_worker[sqlite]",
        (
            _REPOSITORY,
            "for row in living if row.state != WorkerState.ENDING for queue",
            "for row in living for queue",
        ),
    ),
    mutant(
        "presence: a number that was given again is another process",
        _OF_PLACE + "test_a_number_that_was_given_again_is_another_process",
        (_PLACE, " or int(fields[_STARTED]) != process.started", ""),
    ),
    mutant(
        "presence: a process that is hidden may live",
        _OF_PLACE + "test_a_process_that_is_hidden_from_us_may_live",
        (_PLACE, "        return False  # another user's", "        return True  # another user's"),
    ),
    mutant(
        "presence: a process of another user may live",
        _OF_PLACE + "test_a_process_of_another_user_may_live",
        (_PLACE, "    except ProcessLookupError:\n", "    except OSError:\n"),
        (
            _PLACE,
            "        return True\n    except OSError:\n        pass  # it is another user's\n",
            "        return True\n",
        ),
    ),
    mutant(
        "presence: one boot does not make one place",
        _OF_PLACE + "test_a_place_is_one_boot_and_one_namespace_of_process_ids",
        (_PLACE, 'for name in ("pid", "time")]', 'for name in ("uts", "time")]'),
    ),
    mutant(
        "presence: another namespace's /proc shows no place",
        _OF_PLACE + "test_a_place_that_cannot_be_known_is_nobody_s[another namespace]",
        (_PLACE, 'if Path(_PROC / "self").readlink().name != str(os.getpid()):', "if False:"),
    ),
)
