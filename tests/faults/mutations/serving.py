"""Guards of the listeners: what a peer may send, how long it may be silent, and whose place it takes."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

PROTOCOL = "serving/src/docfleet/serving/protocol.py"
PARSER = "serving/src/docfleet/serving/parser.py"
LISTENER = "serving/src/docfleet/serving/listener.py"
TESTS = "tests/integration/serving"
TOO_LARGE = f"{TESTS}/test_protocol.py::test_a_head_that_is_too_large_is_refused_and_says_the_limit"

MUTANTS = (
    mutant(
        "headers together are bounded",
        f"{TOO_LARGE}[headers that together are long-1500]",
        (PROTOCOL, "        if self._parsed > limits.header_bytes:\n", "        if False:\n"),
    ),
    mutant(
        "a header that does not end is bounded",
        f"{TOO_LARGE}[a header without an end-1500]",
        (PROTOCOL, "if self._unparsed > self._listener.limits.header_bytes", "if False"),
    ),
    mutant(
        "the number of headers is bounded",
        f"{TOO_LARGE}[many headers-1073741824]",
        (PROTOCOL, "if len(self.headers) >= limits.header_count:", "if False:"),
    ),
    mutant(
        "a URL is bounded",
        f"{TOO_LARGE}[a long URL-1073741824]",
        (PROTOCOL, "        if self._parsed > limit:\n", "        if False:\n"),
    ),
    mutant(
        "a Host that is none is refused",
        f"{TESTS}/test_protocol.py::test_a_host_that_is_none_is_refused[a:b-400]",
        (PROTOCOL, "if fault := host.fault(", "if False and host.fault("),
    ),
    mutant(
        "an address in a Host is an address",
        f"{TESTS}/test_protocol.py::test_a_host_that_is_none_is_refused[[1.2.3.4]-400]",
        ("serving/src/docfleet/serving/host.py", ' or not _is_address(found["address"])', ""),
    ),
    mutant(
        "a silent peer has its time",
        f"{TESTS}/test_protocol.py::test_a_head_has_its_time[-0]",
        (PROTOCOL, "if now - self._since > limits.header_seconds:", "if False:"),
    ),
    mutant(
        "line ends are no request",
        f"{TESTS}/test_protocol.py::test_line_ends_do_not_keep_a_connection",
        (
            PROTOCOL,
            "        self._unparsed += len(data)\n",
            "        self._unparsed += len(data)\n        self._since = self.loop.time()\n",
        ),
    ),
    mutant(
        "a body has to make progress",
        f"{TESTS}/test_protocol.py::test_a_body_that_stalls_ends[y]",
        (PROTOCOL, "if self._arrived < limits.body_bytes:", "if not self._arrived:"),
    ),
    mutant(
        "only what the body holds is progress",
        f"{TESTS}/test_protocol.py::test_a_body_that_stalls_ends[;y]",
        (
            PROTOCOL,
            "        self._unparsed += len(data)\n",
            "        self._unparsed += len(data)\n        self._arrived += 1000 * len(data)\n",
        ),
    ),
    mutant(
        "a slow application is not a slow peer",
        f"{TESTS}/test_protocol.py::test_a_body_waits_for_a_slow_application",
        (PROTOCOL, "if self.flow.read_paused or self.cycle.waiting_for_100_continue:", "if False:"),
    ),
    mutant(
        "an answer that nobody takes ends",
        f"{TESTS}/test_protocol.py::test_an_answer_that_nobody_takes_ends",
        (PROTOCOL, "elif now - self._unsent_since > limits.answer_seconds:", "elif False:"),
    ),
    mutant(
        "requests that wait in a connection are bounded",
        f"{TESTS}/test_protocol.py::test_requests_that_wait_are_bounded",
        (PROTOCOL, "if len(self.pipeline) >= self._listener.limits.pipelined:", "if False:"),
    ),
    mutant(
        "a refused peer may read why",
        f"{TESTS}/test_protocol.py::test_a_refused_peer_may_send_to_its_end_and_read_why",
        (PROTOCOL, "        self.transport.write_eof()\n", "        self.transport.abort()\n"),
    ),
    mutant(
        "a handshake that does not end has its time",
        f"{TESTS}/test_protocol.py::test_a_handshake_that_does_not_end_has_its_time",
        (PROTOCOL, "elif now - self._since > self._listener.limits.header_seconds:", "elif False:"),
    ),
    mutant(
        "an offer of another protocol is ignored",
        f"{TESTS}/test_upgrade.py::test_a_body_may_come_after_its_head[False]",
        (PARSER, "if not self._receiver.ignores_upgrade:", "if True:"),
    ),
    mutant(
        "a head that comes again is no request",
        f"{TESTS}/test_upgrade.py::test_the_limits_hold_for_a_request_with_an_offer",
        (PROTOCOL, "        if self.ignores_upgrade:\n            return\n", ""),
    ),
    mutant(
        "a handshake has the method of one",
        f"{TESTS}/test_upgrade.py::test_a_handshake_has_the_method_of_one",
        (PROTOCOL, "return is_handshake and super()", "return super()"),
    ),
    mutant(
        "a WebSocket frees its place",
        f"{TESTS}/test_protocol.py::test_a_websocket_outlives_the_limits_and_frees_its_place",
        (
            PROTOCOL,
            '        """Free the place that its request took."""\n        super().connection_lost(exc)\n'
            "        self._listener.forget(self.transport)\n",
            "        super().connection_lost(exc)\n",
        ),
    ),
    mutant(
        "a silent peer makes place",
        f"{TESTS}/test_listener.py::test_silent_peers_lock_nobody_out",
        (
            LISTENER,
            "if len(self._open) >= self.limits.connections and not self._make_place():",
            "if len(self._open) >= self.limits.connections:",
        ),
    ),
    mutant(
        "connections are bounded",
        f"{TESTS}/test_listener.py::test_without_a_place_the_answer_says_so",
        (LISTENER, "            return False\n        self._open", "            pass\n        self._open"),
    ),
    mutant(
        "a request in work keeps its place",
        f"{TESTS}/test_listener.py::test_silent_peers_lock_nobody_out",
        (
            PROTOCOL,
            "        if self._is_busy:  # not so before the handshake of a WebSocket\n",
            "        if False:\n",
        ),
    ),
    mutant(
        "who waits longest goes first",
        f"{TESTS}/test_listener.py::test_the_one_that_waits_longest_goes_first",
        (
            LISTENER,
            "            self._waiting.pop(transport, None)\n            self._waiting[transport] = None",
            "            pass",
        ),
    ),
    mutant(
        "no listener takes places of another",
        f"{TESTS}/test_listener.py::test_a_full_listener_takes_nothing_from_another",
        (PROTOCOL, 'self._by_port[int(transport.get_extra_info("sockname")[1])]', "next(iter(self._by_port.values()))"),
    ),
    mutant(
        "internal routes stay on their own port",
        "tests/integration/backend/test_connections.py::test_workers_have_a_port_of_their_own",
        ("backend/src/docfleet/backend/http/own_port.py", "if port != self._port:", "if False:"),
    ),
    mutant(
        "the limit on descriptors is raised",
        "tests/integration/backend/test_connections.py::test_the_limit_on_descriptors_is_raised",
        ("core/src/docfleet/core/descriptors.py", "if soft < min(hard, MOST):", "if False:"),
    ),
    mutant(
        "a worker raises its limit on descriptors",
        "tests/acceptance/workers/test_descriptors.py::test_a_worker_raises_its_limit_and_reports_too_few",
        (
            "workers/src/docfleet/workers/launch.py",
            '    descriptors.ensure(DESCRIPTORS + DESCRIPTORS_PER_SLOT * slots, "CELERY_CONCURRENCY")\n',
            "",
        ),
    ),
    mutant(
        "connections fit the descriptors",
        "tests/integration/backend/test_connections.py::test_too_few_descriptors_are_reported_and_kept_to",
        ("serving/src/docfleet/serving/server.py", "min(connections, possible)", "connections"),
    ),
    mutant(
        "a body of the management API is bounded",
        "tests/integration/backend/http/test_body_sizes.py::test_every_body_is_bounded[sqlite]",
        ("backend/src/docfleet/backend/app.py", "        request_max_body_size=MAX_REQUEST_BYTES,\n", ""),
    ),
    mutant(
        "a body that is too large hears the bound",
        "tests/integration/backend/http/test_body_sizes.py::test_a_body_beyond_it_is_refused_with_the_bound[sqlite]",
        ("backend/src/docfleet/backend/http/problems.py", "elif status == 413:", "elif False:"),
    ),
    mutant(
        "a workflow file that is too large is not parsed",
        "tests/unit/cli/test_workflow_file.py::test_a_file_that_is_too_large_is_not_parsed",
        ("src/docfleet/cli/workflow_file.py", "if len(content) > MAX_REQUEST_BYTES:", "if False:"),
    ),
    mutant(
        "a body that is too large is not sent",
        "tests/unit/cli/test_transport.py::test_a_body_that_is_too_large_is_not_sent",
        ("src/docfleet/cli/transport.py", "if data is not None and len(data) > MAX_REQUEST_BYTES:", "if False:"),
    ),
    mutant(
        "a body of the runner is bounded",
        "tests/integration/runner/test_app.py::test_a_body_is_bounded",
        ("runner/src/docfleet/runner/app.py", "        request_max_body_size=MAX_REQUEST_BYTES,\n", ""),
    ),
    mutant(
        "a body that ends early is no fault of ours",
        "tests/integration/backend/test_connections.py::test_a_body_that_ends_early_is_no_fault_of_ours",
        ("backend/src/docfleet/backend/http/problems.py", "error.detail == _DISCONNECTED", "False"),
    ),
    mutant(
        "OPTIONS names every method",
        "tests/integration/backend/http/test_methods.py::test_allow_names_every_method_that_is_served[sqlite-OPTIONS]",
        ("backend/src/docfleet/backend/app.py", "        before_send=[allow.complete],\n", ""),
    ),
    mutant(
        "what needs no key is marked",
        "tests/integration/backend/http/test_openapi.py::test_what_needs_no_key_is_marked_and_nothing_else[sqlite]",
        ("backend/src/docfleet/backend/http/openapi.py", "if path in OPEN:\n", "if False:\n"),
    ),
    mutant(
        "bodies are described by their structs",
        "tests/integration/backend/http/test_openapi.py::test_each_body_is_the_schema_of_the_struct_that_decodes_it[sqlite]",
        ("backend/src/docfleet/backend/http/openapi.py", "        bodies.describe(request.app, described)\n", ""),
    ),
    mutant(
        "a stranger cannot tell an API from none",
        "tests/integration/backend/calls/test_callers.py::test_a_stranger_cannot_tell_an_api_from_none[sqlite-POST]",
        (
            "backend/src/docfleet/backend/calls/callers.py",
            "if key is None or key.organization_id != organization_id:",
            "if False:",
        ),
    ),
    mutant(
        "a key of another organization cannot tell a pipeline from none",
        "tests/integration/backend/calls/test_callers.py::test_a_stranger_cannot_tell_a_pipeline_from_none[sqlite]",
        (
            "backend/src/docfleet/backend/calls/callers.py",
            "if key is None or key.organization_id != organization_id:",
            "if key is None:",
        ),
    ),
    mutant(
        "a variable without a value is an error",
        "tests/unit/cli/test_variables.py::test_everything_that_is_missing_is_named_at_once",
        ("src/docfleet/cli/workflow_file.py", "    if variables.faults:\n", "    if False:\n"),
    ),
    mutant(
        "what a variable holds has no variables",
        "tests/unit/cli/test_variables.py::test_an_alias_is_replaced_once",
        ("src/docfleet/cli/variables.py", "if id(node) in self._done:", "if False:"),
    ),
    mutant(
        "a secret of a variable is in no message",
        "tests/unit/cli/test_variables.py::test_a_secret_is_in_no_message",
        ("src/docfleet/cli/variables.py", "        masking.remember(self._secrets)\n", ""),
    ),
    mutant(
        "a change shows no secret of a variable",
        "tests/unit/cli/test_variables.py::test_a_secret_is_in_no_message",
        ("src/docfleet/cli/commands/apply.py", "{mask_text(line)}", "{line}"),
    ),
    mutant(
        "a console goes on without a reader",
        "tests/unit/cli/show/test_terminal.py::test_a_console_goes_on_without_a_reader",
        (
            "src/docfleet/cli/show/terminal.py",
            "            self._stream.flush()\n        except BrokenPipeError:\n            discard(self._stream)",
            "            self._stream.flush()\n        except BrokenPipeError:\n            raise",
        ),
    ),
)
