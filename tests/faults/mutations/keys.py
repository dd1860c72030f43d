"""Guards of keys and secrets: roles, the key of metrics, who gets which setting, idempotency keys."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

_GUARD = "backend/src/docfleet/backend/http/guard.py"
_ROLES = "backend/src/docfleet/backend/http/roles.py"
_SERVICE = "backend/src/docfleet/backend/executions/service.py"
_CALLS = "backend/src/docfleet/backend/calls/service.py"
_SYSTEM = "src/docfleet/cli/embedded/system.py"
_TEST_ROLES = "tests/integration/backend/http/test_roles.py"
_TEST_CALLS = "tests/integration/backend/calls/test_service.py"
_TEST_SERVICE = "tests/integration/backend/executions/test_service.py"
_TEST_WHY = (
    "tests/integration/backend/executions/test_why.py"
    "::test_an_execution_that_the_broker_has_not_taken_waits_for_the_broker[sqlite-sweep]"
)
_TEST_ENVIRONMENTS = (
    "tests/acceptance/cli/test_environments.py"
    "::test_every_process_has_the_settings_that_it_reads_and_no_secret_of_another"
)

MUTANTS = (
    mutant(
        "a role that is too low opens nothing",
        f"{_TEST_ROLES}::test_a_key_opens_what_its_role_allows_and_nothing_else[sqlite-viewer]",
        (_GUARD, "key.role is None or not Role(key.role).includes(needed)", "key.role is None"),
    ),
    mutant(
        "a key without a role opens no management call",
        f"{_TEST_ROLES}::test_a_key_opens_what_its_role_allows_and_nothing_else[sqlite-None]",
        (_GUARD, "key.role is None or not Role(key.role)", "not Role(key.role or Role.ADMIN)"),
    ),
    mutant(
        "a route has a least role",
        f"{_TEST_ROLES}::test_every_route_of_the_management_api_has_its_least_role[sqlite]",
        (_ROLES, '    "GET /api/v1/pipelines/{pipeline_id}/ticks": _VIEWER,\n', ""),
    ),
    mutant(
        "a route without a least role wants the internal key",
        f"{_TEST_ROLES}::test_a_key_of_an_organization_opens_nothing_beside_it[sqlite]",
        (_ROLES, 'LEAST_ROLE.get(f"{method} {path}", INTERNAL_KEY)', 'LEAST_ROLE.get(f"{method} {path}", _VIEWER)'),
    ),
    mutant(
        "another organization's key is a wrong key",
        f"{_TEST_ROLES}::test_another_organizations_key_gets_the_answer_of_a_wrong_key[sqlite]",
        (_GUARD, 'given.organization_id not in ("", key.organization_id)', "False"),
    ),
    mutant(
        "a key of an organization means its own",
        f"{_TEST_ROLES}::test_a_live_log_opens_to_keys_of_its_organization_with_a_role[sqlite]",
        (_GUARD, "return str(key.organization_id)", "return given.organization_id"),
    ),
    mutant(
        "the key of metrics opens metrics only",
        f"{_TEST_ROLES}::test_the_key_of_metrics_opens_metrics_and_nothing_else",
        (_GUARD, 'handler.opt.get("metrics") and _is_one_of', "_is_one_of"),
    ),
    mutant(
        "a role belongs to a key of the organization",
        f"{_TEST_ROLES}::test_an_admin_makes_keys_and_a_role_belongs_to_the_organization[sqlite]",
        (
            "backend/src/docfleet/backend/http/management/keys.py",
            "data.role is not None and data.scope is not Scope.PLATFORM",
            "False",
        ),
    ),
    mutant(
        "the key of metrics is not the internal key",
        "tests/integration/backend/test_settings.py"
        "::test_a_wrong_setting_is_named[METRICS_API_KEY-kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk]",
        ("backend/src/docfleet/backend/settings.py", "if self.metrics_api_key in self.keys:", "if False:"),
    ),
    mutant(
        "a setting of another process is known",
        "tests/architecture/test_settings.py::test_no_process_refuses_a_setting_of_another[general]",
        (
            "core/src/docfleet/core/settings.py",
            " and name not in names and name not in EVERY_SETTING:",
            " and name not in names:",
        ),
    ),
    mutant(
        "a process gets only what it reads",
        "tests/architecture/test_settings.py::test_a_process_gets_the_secrets_that_it_needs_and_no_others[general]",
        ("core/src/docfleet/core/settings.py", "if name in read or name not in EVERY_SETTING}", "}"),
    ),
    mutant(
        "the embedded Valkey gets no setting",
        "tests/unit/cli/embedded/test_system.py::test_each_process_is_started_with_the_settings_that_it_reads",
        (_SYSTEM, 'environment_of("valkey", environment())', "environment()"),
    ),
    mutant(
        "the runner gets its own settings", _TEST_ENVIRONMENTS, (_SYSTEM, 'environment_of("runner", shared)', "shared")
    ),
    mutant("a worker gets its own settings", _TEST_ENVIRONMENTS, (_SYSTEM, "environment_of(worker, own)", "own")),
    mutant(
        "the lifeline gets no setting",
        _TEST_ENVIRONMENTS,
        (
            "src/docfleet/cli/embedded/supervisor.py",
            '            env=environment_of("lifeline", environment()),\n',
            "",
        ),
    ),
    mutant(
        "tools get none of the runner's environment",
        _TEST_ENVIRONMENTS,
        ("runner/src/docfleet/runner/engines/process.py", "    return kept | {", "    return dict(ours) | {"),
    ),
    mutant(
        "an execution with an idempotency key waits for the broker",
        f"{_TEST_SERVICE}::test_with_an_idempotency_key_an_execution_waits_for_the_broker[sqlite-workflow]",
        (
            _SERVICE,
            "        if row.idempotency_key is not None:\n            since",
            "        if False:\n            since",
        ),
    ),
    mutant(
        "an execution that waits for the broker says so",
        _TEST_WHY,
        (
            _SERVICE,
            "due.values(redispatched_at=DUE, waiting=waiting)",
            "due.values(redispatched_at=DUE)",
        ),
    ),
    mutant(
        "an execution that was sent does not wait for the broker any more",
        _TEST_WHY,
        ("backend/src/docfleet/backend/executions/sweep.py", "        if is_unsent(execution):", "        if False:"),
    ),
    mutant(
        "a repeat sends what could not be sent",
        f"{_TEST_SERVICE}::test_a_repeat_sends_what_the_first_call_could_not[sqlite-workflow]",
        (_SERVICE, "if not created.new and not is_unsent(row):", "if not created.new:"),
    ),
    mutant(
        "a repeat sends nothing that was sent",
        f"{_TEST_SERVICE}::test_an_idempotency_key_creates_one_execution[sqlite]",
        (_SERVICE, "if not created.new and not is_unsent(row):", "if False:"),
    ),
    mutant(
        "what a repeat has sent is not due any more",
        f"{_TEST_SERVICE}::test_a_repeat_sends_what_the_first_call_could_not[sqlite-workflow]",
        (_SERVICE, "    if not created.new:\n        with", "    if False:\n        with"),
    ),
    mutant(
        "calls with one key at once are one execution",
        f"{_TEST_CALLS}::test_calls_with_one_key_at_the_same_time_are_one_execution[postgresql]",
        (_SERVICE, "        if request.idempotency_key is None:\n            raise\n", "        raise\n"),
    ),
    mutant(
        "an idempotency key is for the same files",
        f"{_TEST_CALLS}::test_a_repeated_upload_is_the_execution_of_the_first_one[sqlite]",
        (_SERVICE, '"upload_manifest": same}', '"upload_manifest": None}'),
    ),
    mutant(
        "the files of a repeat are discarded",
        f"{_TEST_CALLS}::test_calls_with_one_key_at_the_same_time_are_one_execution[sqlite]",
        (_CALLS, "            area.discard()\n", "            pass\n"),
    ),
    mutant(
        "callers know nothing of each other's idempotency keys",
        f"{_TEST_CALLS}::test_a_key_of_one_caller_is_none_of_another[sqlite]",
        (_CALLS, 'return f"{target_id}:{hashlib', 'return f"{hashlib'),
    ),
    mutant(
        "a repeat needs no slot",
        f"{_TEST_CALLS}::test_a_repeat_needs_no_slot",
        (_CALLS, "            if known is not None:\n                return known\n", ""),
    ),
    mutant(
        "a repeat is admitted where there is no slot",
        f"{_TEST_CALLS}::test_a_repeat_needs_no_slot",
        (_CALLS, "if self._is_known(caller, key_within(caller.target.id, idempotency_key)):", "if False:"),
    ),
    mutant(
        "a repeat gets the results again",
        f"{_TEST_CALLS}::test_a_repeated_upload_is_the_execution_of_the_first_one[sqlite]",
        (
            "backend/src/docfleet/backend/http/calls/deployment_api.py",
            "once = is_connected and key is None and not",
            "once = is_connected and not",
        ),
    ),
)
