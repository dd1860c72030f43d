"""Guards of quotas."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

_ADMISSION = "backend/src/docfleet/backend/quotas/admission.py"
_REPOSITORY = "backend/src/docfleet/backend/quotas/repository.py"
_REGISTER = "backend/src/docfleet/backend/executions/register.py"
_ADMITTING = "tests/integration/backend/quotas/test_admission.py"
_COUNTING = "tests/integration/backend/quotas/test_counting.py"
_NO_LOCK = (
    _REPOSITORY,
    '    connection.execute(_LOCK, {"organization_id": organization_id})\n',
    "    return\n",
)

MUTANTS = (
    mutant(
        "an execution is admitted by the quotas of its organization",
        f"{_ADMITTING}::test_no_more_executions_are_open_at_once",
        (
            "backend/src/docfleet/backend/executions/service.py",
            "    admission.admit(connection, settings, row, None if is_listed_later else row.reserved_files)\n",
            "",
        ),
    ),
    mutant(
        "creations of an organization with quotas decide one after the other",
        f"{_ADMITTING}::test_two_creations_do_not_both_get_the_last_execution[postgresql]",
        _NO_LOCK,
    ),
    mutant(
        "calls of an organization with quotas decide one after the other",
        f"{_ADMITTING}::test_two_calls_do_not_both_get_the_last_files[postgresql]",
        _NO_LOCK,
    ),
    mutant(
        "listings of an organization with quotas are registered one after the other",
        f"{_ADMITTING}::test_two_listings_do_not_both_get_the_last_files[postgresql]",
        (
            _ADMISSION,
            "        return math.inf\n"
            "    if limits.files_per_day:\n"
            "        repository.lock(connection, organization_id)\n",
            "        return math.inf\n",
        ),
    ),
    mutant(
        "a call reserves its files",
        f"{_ADMITTING}::test_two_calls_do_not_both_get_the_last_files",
        (_REPOSITORY, "return self.counted_files + self.reserved_files", "return self.counted_files"),
    ),
    mutant(
        "a file that is counted is no longer reserved",
        f"{_COUNTING}::test_files_of_a_call_are_reserved_until_they_are_counted",
        (
            _REGISTER,
            "execution.reserved_files - sum(rejection_of(file) is None for file, _ in accepted))",
            "execution.reserved_files)",
        ),
        (_REGISTER, "        reserved_files=0,\n", ""),
    ),
    mutant(
        "a listing is cut at what is left of the day",
        f"{_ADMITTING}::test_a_listing_longer_than_what_is_left_is_cut_and_the_next_run_takes_the_rest",
        (_REGISTER, "is_processed and processed >= quota:", "is_processed and False:"),
    ),
    mutant(
        "files that a batch adds are cut at what is left of the day",
        f"{_ADMITTING}::test_files_that_a_batch_of_another_orchestrator_adds_are_counted_and_left_out",
        (
            "backend/src/docfleet/backend/executions/additions.py",
            "        if not is_processed or room > 0:\n",
            "        if True:\n",
        ),
    ),
    mutant(
        "what a call was admitted for is registered",
        f"{_ADMITTING}::test_an_admitted_call_is_processed_whatever_happens_meanwhile",
        (
            _REGISTER,
            "    is_admitted = execution.api_deployment_id is not None or None not in skips\n",
            "    is_admitted = None not in skips\n",
        ),
    ),
    mutant(
        "the pages of a day end what is registered",
        f"{_ADMITTING}::test_once_the_pages_are_used_up_what_is_registered_is_finished_and_no_more_is_registered",
        (
            _ADMISSION,
            "    if limits.pages_per_day and used.pages >= limits.pages_per_day:\n        return 0\n",
            "",
        ),
    ),
    mutant(
        "the pages of a file are counted once",
        f"{_COUNTING}::test_a_file_whose_pages_are_written_is_not_counted_again",
        (
            "backend/src/docfleet/backend/usage/repository.py",
            "    return sum(connection.scalars(statement, rows))\n",
            '    connection.execute(statement, rows)\n    return sum(row["pages_processed"] for row in rows)\n',
        ),
    ),
    mutant(
        "files of a retry are counted when it starts",
        f"{_COUNTING}::test_a_retry_counts_its_files_once_it_starts",
        (
            _REGISTER,
            "    if execution.retry_of is not None:\n        # Its files",
            "    if False:\n        # Its files",
        ),
    ),
    mutant(
        "a quota is the operator's to set",
        f"{_ADMITTING}::test_quotas_are_the_operators_to_set",
        (
            "backend/src/docfleet/backend/http/management/organizations.py",
            "    repository.check_own_setting(key)\n",
            "",
        ),
    ),
    mutant(
        "a call without room is refused before its body is read",
        f"{_ADMITTING}::test_a_call_is_refused_when_its_files_do_not_fit",
        ("backend/src/docfleet/backend/calls/service.py", "        if limits.are_set:\n", "        if False:\n"),
    ),
    mutant(
        "schedulers lock organizations in one order",
        f"{_ADMITTING}::test_schedulers_at_once_do_not_wait_for_each_other",
        (
            "backend/src/docfleet/backend/executions/ticker.py",
            "            rows = sorted(rows, key=lambda row: row.organization_id)\n",
            "",
        ),
    ),
)
