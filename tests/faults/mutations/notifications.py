"""Guards of the backend's notifications."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

MUTANTS = (
    mutant(
        "notifications: a batch belongs to one worker",
        "tests/integration/backend/notifications/test_delivery.py::test_a_batch_belongs_to_one_worker_at_a_time_and_keeps_its_id[sqlite]",
        (
            "backend/src/docfleet/backend/notifications/attempts.py",
            "or_(~_batches.claimed, _batches.lease_until < db_now())",
            "_batches.claimed.is_not(None)",
        ),
    ),
    mutant(
        "notifications: an old attempt has no say",
        "tests/integration/backend/notifications/test_delivery.py::test_a_batch_belongs_to_one_worker_at_a_time_and_keeps_its_id[sqlite]",
        ("backend/src/docfleet/backend/notifications/attempts.py", " or batch.attempts != sent.attempt:", ":"),
    ),
    mutant(
        "notifications: a batch whose worker died is sent again",
        "tests/integration/backend/notifications/test_delivery.py::test_a_batch_belongs_to_one_worker_at_a_time_and_keeps_its_id[sqlite]",
        (
            "backend/src/docfleet/backend/notifications/dispatching.py",
            "    and_(_batches.state == NotificationState.SENDING.value, _batches.lease_until < db_now()),\n",
            "",
        ),
    ),
    mutant(
        "notifications: one batch of a notification at a time",
        "tests/integration/backend/notifications/test_dispatching.py::test_clubbed_events_make_one_message_and_single_ones_go_alone[sqlite]",
        (
            "backend/src/docfleet/backend/notifications/dispatching.py",
            "            ~exists().where(_OWN_BATCHES, _SENDING),\n",
            "",
        ),
    ),
    mutant(
        "notifications: few batches to one host",
        "tests/integration/backend/notifications/test_dispatching.py::test_few_batches_go_to_one_host_and_others_are_not_held_up[sqlite]",
        (
            "backend/src/docfleet/backend/notifications/dispatching.py",
            "under_way[notification.host] >= MAX_BATCHES_PER_HOST",
            "False",
        ),
    ),
    mutant(
        "notifications: waiting for a host costs no attempt",
        "tests/integration/backend/notifications/test_delivery.py::test_events_of_a_host_that_is_away_wait_at_no_cost[sqlite]",
        (
            "backend/src/docfleet/backend/notifications/attempts.py",
            "attempts=batch.attempts - 1",
            "attempts=batch.attempts",
        ),
    ),
    mutant(
        "notifications: each repeat of a message waits longer",
        "tests/integration/backend/notifications/test_dispatching.py::test_a_message_nobody_took_is_sent_again_ever_later[sqlite]",
        (
            "backend/src/docfleet/backend/notifications/dispatching.py",
            "resend_seconds * 2 ** min(batch.dispatches, 6)",
            "resend_seconds",
        ),
    ),
    mutant(
        "notifications: only failures where that is asked for",
        "tests/integration/backend/notifications/test_outbox.py::test_the_end_of_a_run_is_notified",
        (
            "backend/src/docfleet/backend/notifications/outbox.py",
            "        if data.is_failure or not row.notify_on_failures:\n",
            "        if True:\n",
        ),
    ),
    mutant(
        "notifications: settings are shown masked",
        "tests/integration/backend/http/management/test_notifications.py::test_secrets_are_sealed_and_never_shown[sqlite]",
        (
            "backend/src/docfleet/backend/notifications/repository.py",
            "MASK if key in secrets and value else value",
            "value",
        ),
    ),
)
