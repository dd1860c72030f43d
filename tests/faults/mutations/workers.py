"""Guards of the workers."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

MUTANTS = (
    mutant(
        "the parent tells of a dead child",
        "tests/faults/test_child_kill.py::test_a_file_that_kills_its_process_ends_alone[redis]",
        (
            "workers/src/docfleet/workers/shared/infrastructure/celery/lost_children.py",
            "            self.report_lost(str(error))\n",
            "            pass\n",
        ),
    ),
    mutant(
        "messages are JSON",
        "tests/faults/test_messages.py::test_messages_that_cannot_be_read[redis]",
        (
            "workers/src/docfleet/workers/shared/infrastructure/celery/builder.py",
            '        "accept_content": ["json"],\n',
            '        "accept_content": ["json", "pickle"],\n',
        ),
    ),
    mutant(
        "a stop: the running tool is killed",
        "tests/acceptance/executions/test_stop.py::test_running_tools_die_and_queued_files_end_while_the_caller_waits[redis]",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/attempt.py",
            "lambda: tools.kill(run_id)",
            "lambda: None",
        ),
    ),
    mutant(
        "a stop: no delivery begins after it",
        "tests/unit/workers/shared/workflow/execution/test_lease.py::test_no_delivery_starts_after_a_stop_and_a_started_one_may_be_tried_again",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/lease.py",
            "if self.stopped and not started:",
            "if False:",
        ),
    ),
    mutant(
        "a stop: a begun delivery is carried to its end",
        "tests/unit/workers/shared/workflow/execution/test_file_run.py::test_a_delivery_whose_answer_was_lost_is_tried_again_in_spite_of_a_stop",
        ("workers/src/docfleet/workers/shared/workflow/execution/file_run.py", "            started = True\n", ""),
    ),
    mutant(
        "a stop: the rest of a batch is given back",
        "tests/unit/workers/shared/workflow/execution/test_batch.py::test_a_stopped_batch_reports_what_is_delivered_and_gives_the_rest_back_in_one_call[True-reported0]",
        ("workers/src/docfleet/workers/shared/workflow/execution/batch.py", "release=self._given_up()", "release=[]"),
    ),
    mutant(
        "a worker that reconnects publishes on the new channel",
        "tests/integration/workers/shared/infrastructure/celery/test_builder.py::test_a_broker_that_restarts_is_waited_for[True]",
        (
            "workers/src/docfleet/workers/shared/infrastructure/celery/publishing.py",
            "super().maybe_declare(entity)",
            "super().maybe_declare(entity, retry, **retry_policy)",
        ),
    ),
    mutant(
        "a worker that cannot send waits for the broker",
        "tests/integration/workers/shared/infrastructure/celery/test_builder.py::test_a_broker_that_restarts_is_waited_for[True]",
        (
            "workers/src/docfleet/workers/shared/infrastructure/celery/builder.py",
            '"max_retries": 150',
            '"max_retries": 3',
        ),
    ),
    mutant(
        "a slot names whose it is",
        "tests/unit/workers/shared/infrastructure/process/test_file_in_work.py::test_two_children_in_one_slot_never_name_each_others_file",
        (
            "workers/src/docfleet/workers/shared/infrastructure/process/file_in_work.py",
            " if writer == pid else None",
            "",
        ),
    ),
    mutant(
        "a runner that stays away costs a file nothing",
        "tests/unit/workers/shared/workflow/execution/test_batch.py::test_a_runner_that_stays_away_costs_no_file_anything",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/batch.py",
            "                except DependencyError as error:",
            "                except ZeroDivisionError as error:",
        ),
    ),
    mutant(
        "Redis looks for what was lost every ten seconds",
        "tests/faults/test_brokers.py::test_redis_hands_a_message_out_again_while_it_is_worked_on[redis]",
        (
            "workers/src/docfleet/workers/shared/infrastructure/celery/builder.py",
            '            "unacked_restore_throttle": 1,\n',
            "",
        ),
    ),
    mutant(
        "a channel that RabbitMQ closes ends no worker",
        "tests/faults/test_brokers.py::test_rabbitmq_gives_a_consumer_up_in_the_middle_of_its_task[rabbitmq]",
        (
            "workers/src/docfleet/workers/shared/infrastructure/celery/builder.py",
            '        "broker_channel_error_retry": True,\n',
            "",
        ),
    ),
    mutant(
        "a task may not outlast consumer_timeout",
        "tests/faults/test_brokers.py::test_a_worker_whose_tasks_may_outlast_the_broker_refuses_to_start[rabbitmq-7200]",
        (
            "workers/src/docfleet/workers/shared/infrastructure/config/limits.py",
            "    elif rabbitmq and hard > longest:\n",
            "    elif False:\n",
        ),
    ),
    mutant(
        "a repeated call is bounded in number",
        "tests/faults/test_backend_faults.py::test_the_backend_is_in_trouble[redis-error-0.0]",
        (
            "workers/src/docfleet/workers/shared/infrastructure/patterns/retry.py",
            "            attempts=attempts,\n            timeout=seconds,\n            wait_initial=first_wait,\n"
            "            wait_max=longest_wait,\n            wait_jitter=min(1.0, longest_wait),\n",
            "            attempts=None, timeout=seconds, wait_initial=0.01, wait_max=0.01, wait_jitter=0.0,\n",
        ),
    ),
    mutant(
        "an answer that is lost is asked for again",
        "tests/faults/test_backend_faults.py::test_the_answer_is_lost[redis-/claim/-lose-sqlite]",
        (
            "workers/src/docfleet/workers/shared/clients/transport.py",
            "        return retrying(\n            once if final else guarded,",
            "        return (once() if final else guarded()) or retrying(\n            once if final else guarded,",
        ),
    ),
    mutant(
        "a holder that slept past its lease writes nothing",
        "tests/faults/test_destinations.py::test_the_holder_of_a_file_sleeps_through_its_lease[redis-sqlite]",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/lease.py",
            "if held is None or time.monotonic() - held[1] >= self.lease_seconds:",
            "if held is None:",
        ),
        # Its keeper wakes up with it, and may ask before it writes.
        (
            "workers/src/docfleet/workers/shared/workflow/execution/lease.py",
            "                if lease.file_execution_id in gone:\n",
            "                if False:\n",
        ),
        (
            "workers/src/docfleet/workers/shared/workflow/execution/lease.py",
            "        if self.stopped and not started:\n",
            "        if False:\n",
        ),
        (
            "connectors/src/docfleet/connectors/databases/sql.py",
            "if attempt_of(earlier[0]) > row.attempt:",
            "if False:",
        ),
    ),
    mutant(
        "a file that has no room takes none from its neighbours",
        "tests/faults/test_databases.py::test_no_space_to_work_in[redis]",
        ("workers/src/docfleet/workers/shared/workflow/connectors/source.py", "if file.file_size > free:", "if False:"),
    ),
    mutant(
        "a batch answers with numbers only",
        "tests/faults/test_destinations.py::test_big_results[redis]",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/batch.py",
            "        self._result.add(outcome, claim.file.file_name)\n",
            "        self._result.add(outcome, claim.file.file_name)\n"
            '        self._result.errors.append("x" * 51200)\n',
        ),
    ),
    mutant(
        "a destination that restarts is waited for",
        "tests/faults/test_databases.py::test_postgresql_is_gone_while_twenty_executions_run[redis]",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/file_run.py",
            "DELIVERY_ATTEMPTS = 8\n",
            "DELIVERY_ATTEMPTS = 2\n",
        ),
    ),
    mutant(
        "who slept through a stop delivers nothing",
        "tests/faults/test_sweeper.py::test_a_worker_sleeps_through_the_stop[redis-sqlite]",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/lease.py",
            "if held is None or time.monotonic() - held[1] >= self.lease_seconds:",
            "if held is None:",
        ),
        (
            "workers/src/docfleet/workers/shared/workflow/execution/lease.py",
            "                if lease.file_execution_id in gone:\n",
            "                if False:\n",
        ),
        (
            "workers/src/docfleet/workers/shared/workflow/execution/lease.py",
            "        if self.stopped and not started:\n",
            "        if False:\n",
        ),
    ),
    mutant(
        "a lease that could not be renewed counts as lost",
        "tests/unit/workers/shared/workflow/execution/test_lease.py::test_a_lease_that_could_not_be_renewed_counts_as_lost",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/lease.py",
            "if held is None or time.monotonic() - held[1] >= self.lease_seconds:",
            "if held is None:",
        ),
    ),
    mutant(
        "a batch at its limit hands the other files back",
        "tests/faults/test_operations.py::test_the_batch_runs_into_its_soft_limit[redis]",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/batch.py",
            "self._hand_back(claims[position + 1 :])",
            "self._hand_back([])",
        ),
    ),
    mutant(
        "nothing of a task is seen by the next",
        "tests/faults/test_operations.py::test_nothing_of_one_organization_is_seen_by_the_next[redis-batch.claimed=raise@1]",
        (
            "workers/src/docfleet/workers/shared/infrastructure/celery/task.py",
            "                structlog.contextvars.clear_contextvars()\n",
            "                pass\n",
        ),
    ),
    mutant(
        "a child is recycled",
        "tests/faults/test_operations.py::test_a_child_is_recycled_without_losing_work[redis]",
        (
            "workers/src/docfleet/workers/shared/infrastructure/celery/builder.py",
            '        "worker_max_tasks_per_child": settings.celery_max_tasks_per_child or spec.max_tasks_per_child,\n',
            "",
        ),
    ),
    mutant(
        "a key the backend refuses is refused at the start",
        "tests/faults/test_operations.py::test_a_worker_with_a_wrong_key_ends_with_one_clear_line[redis-file_processing]",
        (
            "workers/src/docfleet/workers/shared/infrastructure/config/servers.py",
            "return _check_key(settings) and answered",
            "return answered",
        ),
    ),
    mutant(
        "what a delivery in vain has begun is taken back",
        "tests/unit/workers/shared/workflow/execution/test_file_run.py::test_what_a_failed_delivery_has_written_is_taken_back",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/file_run.py",
            "        already_failed = attempt.outcome.error_code == DestinationUnavailable.code\n",
            "        already_failed = attempt.outcome.error_code == DestinationUnavailable.code\n"
            "        if already_failed:\n            return True\n",
        ),
    ),
    mutant(
        "files that were registered are sent though they are gone",
        "tests/unit/workers/shared/workflow/execution/test_orchestration.py::test_files_that_were_registered_are_sent_though_they_are_gone_since",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/orchestration.py",
            "if after.total_files and not after.status.is_final:",
            "if False:",
        ),
    ),
    mutant(
        "a run without history takes no step of another",
        "tests/unit/workers/shared/workflow/execution/test_steps.py::test_a_run_without_history_takes_nothing_from_runs_before_but_goes_on_after_a_crash",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/attempt.py",
            "        if anew:\n",
            "        if anew and self.claim.attempt == 1:\n",
        ),
    ),
    mutant(
        "documents of one path from two places do not meet",
        "tests/integration/workers/shared/workflow/connectors/test_destination.py::test_documents_of_one_path_from_two_places_do_not_meet",
        (
            "workers/src/docfleet/workers/shared/workflow/connectors/destination.py",
            'key=f"{self._origin}\\0{delivery.file.file_path}"',
            "key=delivery.file.file_path",
        ),
    ),
    mutant(
        "logs: the least serious go first",
        "tests/unit/workers/shared/infrastructure/logging/test_buffer.py::test_a_full_buffer_drops_info_before_warn_before_error_and_counts",
        (
            "workers/src/docfleet/workers/shared/infrastructure/logging/buffer.py",
            "for level, queue in enumerate(self._levels) if queue",
            "for level in (event.level.rank,)",
        ),
    ),
    mutant(
        "logs: what could not be sent waits",
        "tests/unit/workers/shared/infrastructure/logging/test_publisher.py::test_a_broker_that_hangs_or_is_away_holds_up_nobody",
        (
            "workers/src/docfleet/workers/shared/infrastructure/logging/publisher.py",
            "                self._buffer.put_back(events)\n",
            "",
        ),
    ),
    mutant(
        "logs: no secret is in a line",
        "tests/unit/workers/shared/infrastructure/logging/test_workflow_log.py::test_a_line_has_the_task_s_execution_and_no_secret",
        (
            "workers/src/docfleet/workers/shared/infrastructure/logging/workflow_log.py",
            "shortened(mask_text(fields[name]))",
            "shortened(fields[name])",
        ),
    ),
    mutant(
        "logs: short visibility timeouts have lists of their own",
        "tests/unit/workers/shared/infrastructure/celery/test_builder.py::test_no_worker_restores_what_another_still_works_on",
        (
            "workers/src/docfleet/workers/shared/infrastructure/celery/builder.py",
            "if spec.own_unacked else {}",
            "if False else {}",
        ),
    ),
    mutant(
        "logs: the original's form is accepted",
        "tests/faults/test_logs.py::test_a_line_in_the_original_s_form[redis]",
        (
            "workers/src/docfleet/workers/shared/infrastructure/celery/intake.py",
            "                accept_original(message)\n",
            "",
        ),
    ),
    mutant(
        "unknown keywords of a callback are passed over",
        "tests/faults/test_operations.py::test_messages_of_a_newer_version[redis]",
        (
            "workers/src/docfleet/workers/callback/tasks.py",
            "pipeline_id: str | None = None, **_: Any\n) -> dict[str, Any]:\n" + '    """All batches of an ETL',
            "pipeline_id: str | None = None\n) -> dict[str, Any]:\n" + '    """All batches of an ETL',
        ),
        # The errback would finalize in its place.
        (
            "workers/src/docfleet/workers/callback/tasks.py",
            '**_: Any\n) -> dict[str, Any]:\n    """A batch',
            '\n) -> dict[str, Any]:\n    """A batch',
        ),
    ),
    mutant(
        "a node has a name of its own",
        "tests/faults/test_operations.py::test_workers_of_one_name[rabbitmq]",
        (
            "workers/src/docfleet/workers/launch.py",
            'node = f"{worker_type.value}-{uuid.uuid4().hex[:8]}@{socket.gethostname()}"',
            'node = f"{worker_type.value}@{socket.gethostname()}"',
        ),
    ),
    mutant(
        "a companion that dies is followed by another",
        "tests/acceptance/workers/test_shutdown.py::test_a_companion_that_dies_is_followed_by_another[redis]",
        ("workers/src/docfleet/workers/launch.py", "    watch_companion(app, companion)\n", ""),
    ),
    mutant(
        "notifications: one worker probes a host",
        "tests/integration/workers/notification/test_host_breaker.py::test_the_breaker_is_one_for_all_workers_and_lets_one_probe",
        (
            "workers/src/docfleet/workers/notification/host_breaker.py",
            '"1", nx=True, px=self._probe_ms',
            '"1", px=self._probe_ms',
        ),
    ),
    mutant(
        "logs: a message goes back when the backend is away",
        "tests/unit/workers/log_consumer/test_delivery.py::test_a_backend_that_is_away_puts_the_message_back",
        (
            "workers/src/docfleet/workers/log_consumer/delivery.py",
            "except (DependencyError, SoftTimeLimitExceeded) as error:",
            "except ZeroDivisionError as error:",
        ),
    ),
    mutant(
        "logs: a message whose child dies goes back",
        "tests/faults/test_logs.py::test_a_consumer_dies_over_a_message[redis-logs.taken-kill]",
        ("workers/src/docfleet/workers/log_consumer/tasks.py", "    reject_on_worker_lost=True,\n", ""),
    ),
    mutant(
        "a result beyond its bound is not read",
        "tests/unit/workers/shared/workflow/connectors/test_destination.py::test_a_result_beyond_its_bound_is_refused_before_it_is_read",
        (
            "workers/src/docfleet/workers/shared/workflow/connectors/destination.py",
            "if size > result_bytes:",
            "if False:",
        ),
    ),
    mutant(
        "trouble of the other machine keeps its name",
        "tests/unit/workers/shared/clients/test_transport.py::test_trouble_of_the_other_machine_keeps_its_name",
        (
            "workers/src/docfleet/workers/shared/clients/transport.py",
            "if isinstance(named, MachineTrouble):",
            "if False:",
        ),
    ),
    mutant(
        "a lack of descriptors of our own is not the dependency's",
        "tests/unit/workers/shared/clients/test_transport.py::test_a_lack_of_descriptors_of_our_own_is_not_the_dependencys",
        (
            "workers/src/docfleet/workers/shared/infrastructure/patterns/breaker.py",
            " and not isinstance(error, MachineTrouble)",
            "",
        ),
    ),
)
