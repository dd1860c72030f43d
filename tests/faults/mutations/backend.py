"""Guards of the backend: calls, uploads, keys, files, the start."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

PARTS = "backend/src/docfleet/backend/http/calls/parts.py"
PARTS_TESTS = "tests/integration/backend/http/calls/test_parts.py"
REFUSED = f"{PARTS_TESTS}::test_what_is_not_so_encoded_is_refused"

MUTANTS = (
    mutant(
        "a dispatch loads no result backend",
        "tests/integration/backend/platform/test_dispatch.py::test_the_workers_result_backend_is_not_loaded_by_a_dispatch",
        ("backend/src/docfleet/backend/platform/dispatch.py", '        self._app.backend_cls = "disabled"\n', ""),
    ),
    mutant(
        "a broker that takes nothing is waited for seconds",
        "tests/faults/test_brokers.py::test_the_publisher_is_blocked_when_an_execution_is_accepted[rabbitmq]",
        (
            "backend/src/docfleet/backend/platform/dispatch.py",
            '"confirm_publish": True, **waits}',
            '"confirm_publish": True}',
        ),
    ),
    mutant(
        "what failed of an API's call stays for a retry",
        "tests/integration/backend/calls/test_staging.py::test_an_apis_files_run_again_and_are_polled_under_the_new_id[sqlite]",
        (
            "backend/src/docfleet/backend/calls/staging.py",
            "kept = _kept(database, undone)",
            "kept: dict[str, set[str]] = {}",
        ),
    ),
    mutant(
        "what failed of an API's call stays through sweeps",
        "tests/integration/backend/calls/test_staging.py::test_of_an_apis_files_those_that_succeeded_go_with_their_execution[sqlite]",
        ("backend/src/docfleet/backend/calls/staging.py", "if past is False]", "if past is ...]"),
    ),
    mutant(
        "what succeeded of an API's call goes at once",
        "tests/integration/backend/calls/test_staging.py::test_of_an_apis_files_those_that_succeeded_go_with_their_execution[sqlite]",
        (
            "backend/src/docfleet/backend/calls/staging.py",
            "        if path.name not in kept:\n",
            "        if not kept:\n",
        ),
    ),
    mutant(
        "uploads go when their time has passed",
        "tests/integration/backend/calls/test_staging.py::test_an_apis_files_are_gone_after_their_time_and_a_retry_says_so",
        (
            "backend/src/docfleet/backend/calls/staging.py",
            "executions.c.finished_at < db_now() - self._keep_seconds",
            "executions.c.finished_at < 0.0",
        ),
    ),
    mutant(
        "a database that comes later is waited for",
        "tests/integration/backend/test_startup.py::test_a_database_that_comes_later_is_waited_for",
        ("backend/src/docfleet/backend/startup.py", "if time.monotonic() >= deadline:", "if True:"),
    ),
    mutant(
        "the wait for a database is bounded",
        "tests/integration/backend/test_startup.py::test_a_database_that_stays_away_ends_the_wait",
        (
            "backend/src/docfleet/backend/startup.py",
            "if time.monotonic() >= deadline:",
            "if time.monotonic() >= deadline + 60:",
        ),
    ),
    mutant(
        "a taken port is said in a line",
        "tests/integration/backend/test_startup.py::test_a_taken_port_is_one_line",
        ("serving/src/docfleet/serving/listener.py", "        raise DependencyError(\n", "        raise OSError(\n"),
    ),
    mutant(
        "a network that is none is refused at start",
        "tests/integration/backend/test_startup.py::test_a_network_that_is_none_is_refused[x]",
        ("backend/src/docfleet/backend/settings.py", "        _ = self.presigned_networks\n", ""),
    ),
    mutant(
        "a paused pipeline is refused by the backend",
        "tests/integration/backend/schedules/test_repository.py::test_a_pause_drops_what_is_queued_and_refuses_every_run[sqlite]",
        (
            "backend/src/docfleet/backend/pipelines/repository.py",
            "        statement = statement.where(pipelines.c.active)\n",
            "        pass\n",
        ),
    ),
    mutant(
        "a number no column holds is cut",
        "tests/integration/backend/executions/test_reports.py::test_a_number_no_column_holds_costs_its_neighbours_nothing[postgresql]",
        ("backend/src/docfleet/backend/usage/repository.py", "min(outcome.pages, MAX_PAGES)", "outcome.pages"),
    ),
    mutant(
        "logs: subprotocols open a WebSocket only for a browser that says so",
        "tests/integration/backend/http/management/test_live_logs.py::test_a_browser_says_who_it_is_in_subprotocols",
        ("backend/src/docfleet/backend/http/guard.py", "if SUBPROTOCOL not in protocols:", "if not protocols:"),
    ),
    mutant(
        "presigned URLs: the guard makes the connection",
        "tests/unit/backend/calls/test_presigned.py::test_the_connected_address_is_looked_at",
        (
            "backend/src/docfleet/backend/calls/presigned.py",
            "return rules.outbound.connect(host, port, deadline)",
            "return socket.create_connection((str(rules.outbound.resolve(host, port)[0]), port))",
        ),
    ),
    mutant(
        "a part is encoded as it says",
        f"{REFUSED}[61-quoted-printable-50 =X-400]",
        (PARTS, "if _HEX_FAULT.search(lines):", "if False:"),
    ),
    mutant(
        "base64 is complete",
        f"{REFUSED}[61-base64-aGVsbG8-400]",
        (PARTS, "        if self._rest:\n", "        if False:\n"),
    ),
    mutant(
        "an encoded line is bounded",
        f"{REFUSED}[61-quoted-printable-sent8-400]",
        (PARTS, "if len(self._rest) > _MAX_LINE_BYTES:", "if False:"),
    ),
    mutant(
        "only charsets of texts are decoded",
        f"{PARTS_TESTS}::test_a_field_has_its_charset[unicode_escape]",
        (PARTS, "return name if _CHARSET.fullmatch(name) else None", "return name"),
    ),
)
