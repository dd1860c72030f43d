"""Guards of connectors and providers."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

SOURCES = "tests/unit/workers/shared/workflow/connectors/test_source.py"
STILLNESS = "workers/src/docfleet/workers/shared/workflow/connectors/stillness.py"

ROW_FILES = "tests/unit/connectors/rowfiles/test_connector.py"
ROW_FILES_SOURCE = "connectors/src/docfleet/connectors/rowfiles/connector.py"
DUCKDB_SOURCE = "connectors/src/docfleet/connectors/databases/duckdb.py"
ROW_FORMATS = "tests/unit/connectors/rowfiles/test_formats.py"

MUTANTS = (
    mutant(
        "rows as files: the attempt is looked at again before a file gets its name",
        f"{ROW_FILES}::test_a_writer_that_stood_still_writes_nothing",
        (ROW_FILES_SOURCE, "lambda: _require(self._held(target, path), row)", "lambda: None"),
    ),
    mutant(
        "rows as files: a later attempt is not overwritten",
        f"{ROW_FILES}::test_a_later_attempt_is_not_overwritten",
        (ROW_FILES_SOURCE, 'attempt_of(earlier.row.get("metadata")) > row.attempt', "False"),
    ),
    mutant(
        "rows as files: of two executions of one moment one goes",
        f"{ROW_FILES}::test_executions_at_once_leave_one_row_of_a_document[created2]",
        (ROW_FILES_SOURCE, "return not is_mutual or", "return is_mutual or not is_mutual or"),
    ),
    mutant(
        "rows as files: a damaged file is no row",
        f"{ROW_FILES}::test_a_damaged_file_is_not_success",
        (ROW_FILES_SOURCE, "if held is not None and not held.row:", "if False:"),
    ),
    mutant(
        "DuckDB: a later attempt is not overwritten",
        "tests/integration/connectors/databases/test_duckdb.py::test_the_key_is_unique_and_a_late_attempt_is_refused",
        (DUCKDB_SOURCE, 'attempt_of(table.value(earlier, "metadata")) > row.attempt', "False"),
    ),
    mutant(
        "DuckDB: a writer waits for the process that has the file open",
        "tests/integration/connectors/databases/test_duckdb.py::test_many_processes_make_one_table_and_one_row_a_key",
        (DUCKDB_SOURCE, "if time.monotonic() > deadline:", "if True:"),
    ),
    mutant(
        "CSV: a formula is a text",
        f"{ROW_FORMATS}::test_a_formula_is_a_text_to_a_spreadsheet_and_comes_back",
        (
            "connectors/src/docfleet/connectors/rowfiles/formats.py",
            "if self._escapes and isinstance(value, str) and _FORMULA.match(value) else value",
            "if False else value",
        ),
    ),
    mutant(
        "Parquet: numbers are of one type in all files",
        f"{ROW_FORMATS}::test_numbers_are_of_one_type_in_all_parquet_files",
        (
            "connectors/src/docfleet/connectors/rowfiles/parquet.py",
            "isinstance(value, int) and abs(value) > WHOLE_IN_DOUBLE:",
            "isinstance(value, int):",
        ),
    ),
    mutant(
        "a repeated row is a no-op (SQLite)",
        "tests/faults/test_child_kill.py::test_a_child_dies[redis-delivery.written]",
        (
            "connectors/src/docfleet/connectors/databases/sqlite.py",
            "return insert(table).values(values).on_conflict_do_nothing(index_elements=key)",
            "return insert(table).values(values)",
        ),
    ),
    mutant(
        "a repeated row is a no-op (MariaDB)",
        "tests/contract/connectors/databases/test_rows.py::test_the_delivery_key_makes_one_row[mariadb]",
        (
            "connectors/src/docfleet/connectors/databases/mysql.py",
            'parameters.get("client_flag", 0) & ~CLIENT.FOUND_ROWS',
            'parameters.get("client_flag", 0)',
        ),
    ),
    mutant(
        "a dropped unique key is noticed (MariaDB)",
        "tests/contract/connectors/databases/test_ledger.py::test_a_unique_key_that_is_dropped_is_replaced_by_the_ledger[mariadb]",
        (
            "connectors/src/docfleet/connectors/databases/mysql.py",
            "if row.layout.key_index is not None:",
            "if False:",
        ),
    ),
    mutant(
        "a number of JSON that is rounded is refused (MySQL)",
        "tests/integration/connectors/databases/test_mysql.py::test_numbers_of_json_that_mysql_would_round_are_refused",
        (
            "connectors/src/docfleet/connectors/databases/mysql.py",
            "            self._require_json(row, stored)\n",
            "            pass\n",
        ),
    ),
    mutant(
        "a quoted value is not shown (MariaDB)",
        "tests/integration/connectors/databases/test_mysql.py::test_another_unique_key_of_the_table_refuses_and_its_value_is_not_shown",
        (
            "connectors/src/docfleet/connectors/databases/mysql.py",
            'reason = quoted.sub(r"\\1 (not shown) ", reason)',
            "pass",
        ),
    ),
    mutant(
        "named locks are given back (MariaDB)",
        "tests/integration/connectors/databases/test_mysql.py::test_named_locks_are_given_back",
        ("connectors/src/docfleet/connectors/databases/mysql.py", "            self._unlock()\n", "            pass\n"),
    ),
    mutant(
        "a sink: attempt fence of a row",
        "tests/contract/connectors/databases/test_writers.py::test_an_attempt_that_wakes_up_late_changes_nothing[sqlite-True]",
        (
            "connectors/src/docfleet/connectors/databases/sql.py",
            "if attempt_of(earlier[0]) > row.attempt:",
            "if False:",
        ),
    ),
    mutant(
        "a sink: attempt fence of the ledger",
        "tests/contract/connectors/databases/test_writers.py::test_an_attempt_that_wakes_up_late_changes_nothing[sqlite-False]",
        (
            "connectors/src/docfleet/connectors/databases/sql.py",
            "if written is not None and written > row.attempt:",
            "if False:",
        ),
    ),
    mutant(
        "a sink: ledger",
        "tests/contract/connectors/databases/test_ledger.py::test_a_table_without_the_key_is_written_once_through_the_ledger[sqlite]",
        (
            "connectors/src/docfleet/connectors/databases/sql.py",
            "taken = layout.ledger is not None and not self._enter(connection, row, layout.ledger)",
            "taken = False",
        ),
    ),
    mutant(
        "a sink: the ledger forgets",
        "tests/contract/connectors/databases/test_ledger.py::test_the_ledger_forgets_what_nobody_repeats[sqlite]",
        (
            "connectors/src/docfleet/connectors/databases/schema.py",
            "    connection.execute(sa.delete(ledger).where(ledger.c.delivered_at < oldest))\n",
            "",
        ),
    ),
    mutant(
        "a sink: ledger in one transaction with the row",
        "tests/contract/connectors/databases/test_ledger.py::test_a_row_that_is_refused_is_not_in_the_ledger[sqlite]",
        (
            "connectors/src/docfleet/connectors/databases/sql.py",
            "            stored = None if taken else self._insert(",
            "            connection.commit(); connection.begin()\n"
            "            stored = None if taken else self._insert(",
        ),
    ),
    mutant(
        "a sink: unique key by conflict clause",
        "tests/contract/connectors/databases/test_rows.py::test_the_delivery_key_makes_one_row[sqlite]",
        ("connectors/src/docfleet/connectors/databases/sqlite.py", ".on_conflict_do_nothing(index_elements=key)", ""),
    ),
    mutant(
        "a sink: numbers exact",
        "tests/contract/connectors/databases/test_tables.py::test_a_column_of_numbers_takes_fractions_and_keeps_whole_numbers[postgresql]",
        (
            "connectors/src/docfleet/connectors/databases/types.py",
            "Decimal(repr(value)) if isinstance(value, float) else value",
            "value",
        ),
    ),
    mutant(
        "a table without a key has a ledger",
        "tests/faults/test_destinations.py::test_a_delivery_into_a_customers_table_is_not_reported[redis-worker-sqlite]",
        (
            "connectors/src/docfleet/connectors/databases/sql.py",
            "taken = layout.ledger is not None and not self._enter(connection, row, layout.ledger)",
            "taken = False",
        ),
    ),
    mutant(
        "a connection that was reaped is replaced",
        "tests/faults/test_databases.py::test_postgresql_reaps_connections[redis-idle]",
        ("connectors/src/docfleet/connectors/databases/sql.py", "if last or not (lost and idle):", "if True:"),
        (
            "workers/src/docfleet/workers/shared/workflow/execution/file_run.py",
            "DELIVERY_ATTEMPTS = 8\n",
            "DELIVERY_ATTEMPTS = 1\n",
        ),
    ),
    mutant(
        "a sink: lease asked before a file gets its name",
        "tests/integration/connectors/test_delivery.py::test_a_writer_without_a_lease_gives_nothing_a_name",
        (
            "connectors/src/docfleet/connectors/filesystems/local.py",
            "    if fence is not None:\n        fence.require()\n    try:\n        os.replace",
            "    try:\n        os.replace",
        ),
    ),
    mutant(
        "a sink: a successor removes what was begun",
        "tests/integration/connectors/test_delivery.py::test_a_writer_that_stands_still_and_wakes_up_late_changes_nothing",
        (
            "connectors/src/docfleet/connectors/filesystems/local.py",
            "    for temporary in temporaries_until(name, fence):\n        with suppress",
            "    for temporary in ():\n        with suppress",
        ),
    ),
    mutant(
        "a sink: only what is still ours is withdrawn",
        "tests/integration/connectors/test_delivery.py::test_what_somebody_changed_since_is_not_removed",
        (
            "connectors/src/docfleet/connectors/filesystems/local.py",
            "if _digest(parent, parts[-1]) != digest:",
            "if False:",
        ),
    ),
    mutant(
        "a sink: abandoned parts",
        "tests/integration/connectors/test_delivery.py::test_what_a_killed_writer_left_goes_with_the_next_delivery_once_it_is_old",
        (
            "connectors/src/docfleet/connectors/filesystems/local.py",
            "                    _remove_abandoned(parent)",
            "                    pass",
        ),
    ),
    mutant(
        "a sink: stale outputs are withdrawn",
        "tests/integration/connectors/test_delivery.py::test_a_repeat_with_fewer_outputs_leaves_no_stale_one",
        (
            "connectors/src/docfleet/connectors/delivery.py",
            "        _withdraw(connector, fence, notes, keep=set(targets.values()))",
            "        pass",
        ),
    ),
    mutant(
        "a sink: the note is written before the files",
        "tests/integration/connectors/test_delivery.py::test_a_file_that_fails_in_the_end_takes_back_what_an_attempt_delivered",
        (
            "connectors/src/docfleet/connectors/delivery.py",
            "        _note(notes, fence, {target: digests[path] for path, target in targets.items()})\n"
            "    locations = []",
            "        pass\n    locations = []",
        ),
    ),
    mutant(
        "outputs of files of one name are told apart",
        "tests/faults/test_destinations.py::test_files_of_one_name_and_of_one_content[redis-files-]",
        ("connectors/src/docfleet/connectors/delivery.py", "    tag = _tag(key)\n", '    tag = _tag("")\n'),
    ),
    mutant(
        "notifications: a target that drips has its seconds (SMTP)",
        "tests/unit/providers/test_http.py::test_a_target_has_its_seconds_and_no_more[drip]",
        (
            "providers/src/docfleet/providers/email.py",
            "        if self.file is None and self.sock is not None:",
            "        if False:",
        ),
    ),
    mutant(
        "notifications: a refusal is final",
        "tests/unit/providers/test_http.py::test_what_an_answer_means",
        (
            "providers/src/docfleet/providers/http.py",
            "if 400 <= status < 500 and status not in RETRYABLE_REFUSALS:",
            "if False:",
        ),
    ),
    mutant(
        "notifications: what Slack would obey is escaped",
        "tests/unit/providers/test_chats.py::test_slack_gets_the_original_s_text_and_nothing_it_would_obey",
        ("providers/src/docfleet/providers/envelope.py", '.replace("<", "&lt;")', ""),
    ),
    mutant(
        "what a listing leaves out changes the exit code",
        "tests/unit/cli/show/test_summary.py::test_entries_that_cannot_be_read_are_named_and_change_the_exit_code",
        ("src/docfleet/cli/show/summary.py", "if self.has_failures or self.unread else", "if self.has_failures else"),
    ),
    mutant(
        "what a listing leaves out reaches the backend",
        "tests/acceptance/executions/test_sources.py::test_no_entry_of_a_source_is_left_out_in_silence",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/orchestration.py",
            "            self._left_out = source.left_out\n",
            "",
        ),
    ),
    mutant(
        "a start keeps what was skipped before",
        "tests/integration/backend/executions/test_register.py::test_what_the_listing_left_out_is_kept_beside_what_was_skipped[sqlite]",
        (
            "backend/src/docfleet/backend/executions/left_out.py",
            "skipped={**execution.skipped, **left_out.counts},",
            "skipped=left_out.counts,",
        ),
    ),
    mutant(
        "a path that the system cannot read does not end the listing",
        "tests/unit/connectors/filesystems/test_local.py::test_a_path_that_the_system_cannot_read_is_left_out_alone",
        (
            "connectors/src/docfleet/connectors/filesystems/walk.py",
            "                if error.errno == errno.ENAMETOOLONG:\n                    self._skip(f",
            "                if False:\n                    self._skip(f",
        ),
    ),
    mutant(
        "a column is a matter of its field alone",
        "tests/unit/connectors/test_column_names.py::test_names_that_are_alike_are_columns_of_their_own",
        (
            "connectors/src/docfleet/connectors/column_names.py",
            "{stem.encode()[: MAX_NAME_BYTES - 1 - _HASH_DIGITS].decode('utf-8', 'ignore')}_{digest}",
            "{stem.encode()[: MAX_NAME_BYTES].decode('utf-8', 'ignore')}",
        ),
    ),
    mutant(
        "two fields of one column are refused",
        "tests/unit/connectors/test_column_names.py::test_two_fields_of_one_column_are_refused_and_named",
        ("connectors/src/docfleet/connectors/column_names.py", "if other != field:", "if False:"),
    ),
    mutant(
        "a number is never rounded to a scale",
        "tests/unit/connectors/test_columns.py::test_a_value_that_would_be_changed_is_refused",
        (
            "connectors/src/docfleet/connectors/columns.py",
            "    if _fraction_digits(exact) > scale:\n        raise",
            "    if False:\n        raise",
        ),
    ),
    mutant(
        "a date is never read by the order of the server",
        "tests/contract/connectors/databases/test_tables.py::test_what_a_narrow_type_would_change_is_refused",
        (
            "connectors/src/docfleet/connectors/databases/types.py",
            "        case sa.Date():\n            return ColumnKind.DATE\n",
            "",
        ),
    ),
    mutant(
        "what systems leave behind is no document",
        "tests/unit/workers/shared/workflow/connectors/test_discovery.py::test_what_systems_leave_behind_is_left_out_unread",
        (
            "connectors/src/docfleet/connectors/filesystems/walk.py",
            "if self._ignore is not None and self._ignore(encode_name(name)):",
            "if False:",
        ),
    ),
    mutant(
        "a file that is open for writing is not listed",
        f"{SOURCES}::test_a_file_that_a_program_writes_is_left_out_of_a_listing_and_refused[0.0]",
        (
            "connectors/src/docfleet/connectors/filesystems/local.py",
            "return error.errno == errno.EAGAIN",
            "return False",
        ),
    ),
    mutant(
        "a file that was just written is waited for",
        f"{SOURCES}::test_a_file_that_is_opened_for_each_line_is_left_out",
        (STILLNESS, "if self._seconds and entry.modified_at > time.time() - self._seconds:", "if False:"),
    ),
    mutant(
        "a file that changed meanwhile is left out",
        f"{SOURCES}::test_a_file_that_is_opened_for_each_line_is_left_out",
        (STILLNESS, "if state is None or _is_same(state, entry):", "if True:"),
    ),
    mutant(
        "a file that changes while it is read is refused",
        f"{SOURCES}::test_a_file_that_changes_while_it_is_read_is_refused",
        (
            "workers/src/docfleet/workers/shared/workflow/connectors/source.py",
            "        self._stillness.compare(file.file_path, before, size)\n",
            "",
        ),
    ),
    mutant(
        "the bounds of a domain are those of its base",
        "tests/contract/connectors/databases/test_tables.py::test_what_a_narrow_type_would_change_is_refused",
        (
            "connectors/src/docfleet/connectors/databases/types.py",
            "usable(connection, _base(connection, reflected))",
            "usable(connection, reflected.data_type)",
        ),
    ),
    mutant(
        "a row of a later execution is not replaced by an earlier one",
        "tests/contract/connectors/databases/test_documents.py::test_a_late_delivery_of_an_earlier_execution_changes_nothing",
        (
            "connectors/src/docfleet/connectors/rows.py",
            "one.created_at <= other.created_at and (other.status",
            "(other.status",
        ),
    ),
    mutant(
        "an error does not replace what was read before",
        "tests/contract/connectors/databases/test_documents.py::test_an_error_replaces_errors_only_and_is_replaced_by_what_can_be_read",
        ("connectors/src/docfleet/connectors/rows.py", '(other.status != "ERROR" or one.status == "ERROR")', "True"),
    ),
    mutant(
        "executions at once leave one row of a document",
        "tests/contract/connectors/databases/test_documents.py::test_executions_at_once_leave_one_row_of_a_document[postgresql]",
        (
            "connectors/src/docfleet/connectors/databases/sql.py",
            "        self._lock_schema(connection, document)\n",
            "        return\n",
        ),
    ),
    mutant(
        "verify does not miss what a later execution replaced",
        "tests/integration/backend/executions/test_verification.py::test_a_row_that_a_later_execution_replaced_is_not_missing[sqlite-path]",
        (
            "backend/src/docfleet/backend/executions/verification.py",
            "if target.on_change is OnChange.REPLACE and self._is_replaced(row, target.identity):",
            "if False:",
        ),
    ),
    mutant(
        "a file group that is none is refused",
        "tests/unit/workers/shared/workflow/connectors/test_discovery.py::test_wrong_options_are_named[wrong3]",
        ("core/src/docfleet/core/file_patterns.py", '" " in text or ', "False and "),
    ),
    mutant(
        "a test of a connector shows no secret",
        "tests/unit/connectors/test_probe.py::test_a_failure_leaves_nothing_and_shows_no_secret",
        (
            "connectors/src/docfleet/connectors/probe.py",
            'message = message.replace(secret, "***")',
            "pass",
        ),
    ),
    mutant(
        "a test that fails after its write removes what it wrote",
        "tests/unit/connectors/test_probe.py::test_a_failure_leaves_nothing_and_shows_no_secret",
        ("connectors/src/docfleet/connectors/probe.py", "if written and not removed:", "if False:"),
    ),
    mutant(
        "a test reads what it wrote",
        "tests/unit/connectors/test_probe.py::test_a_failure_leaves_nothing_and_shows_no_secret",
        ("connectors/src/docfleet/connectors/probe.py", "if stored.read() != content:", "if False:"),
    ),
    mutant(
        "a probe that fails drops its table",
        "tests/contract/connectors/databases/test_probe.py::test_a_probe_that_fails_says_why_and_leaves_nothing[sqlite]",
        (
            "connectors/src/docfleet/connectors/databases/trial.py",
            "        with suppress(DestinationError):  # the first error is the cause\n            drop(own)\n",
            "",
        ),
    ),
    mutant(
        "what cannot be read back is not called clean",
        "tests/integration/backend/executions/test_verification.py::test_a_destination_that_only_takes_files_says_so[sqlite]",
        ("backend/src/docfleet/backend/executions/verification.py", "if not info.can_read:", "if False:"),
    ),
    mutant(
        "an object is written only if it is absent",
        "tests/integration/connectors/filesystems/test_s3.py::test_a_writer_that_was_suspended_does_not_overwrite",
        (
            "connectors/src/docfleet/connectors/filesystems/objects/store.py",
            '    mode: Any = "create"\n',
            '    mode: Any = "overwrite"\n',
        ),
    ),
    mutant(
        "a suspended writer of a large object copies nothing",
        "tests/integration/connectors/filesystems/test_s3.py::test_a_writer_that_was_suspended_does_not_overwrite",
        (
            "connectors/src/docfleet/connectors/filesystems/objects/store.py",
            "if fence is not None and fence.attempt > 1:",
            "if False:",
        ),
    ),
    mutant(
        "a child of a process that used the object library is refused",
        "tests/integration/connectors/filesystems/test_s3.py::test_children_of_a_pool_work_where_the_parent_never_did[touched-3 3 3 3]",  # noqa: E501
        (
            "core/src/docfleet/core/object_library.py",
            "if _threads_of not in (None, os.getpid()):",
            "if False:",
        ),
    ),
    mutant(
        "credentials of a connector are not mixed with those of the environment",
        "tests/integration/connectors/filesystems/test_s3.py::test_credentials_are_never_mixed_with_those_of_the_environment",
        (
            "connectors/src/docfleet/connectors/filesystems/objects/s3.py",
            '            options["credential_provider"] = lambda: credentials\n',
            '            options |= {name: values.get(old) for name, old in (("access_key_id", "key"), ("secret_access_key", "secret"))}\n',  # noqa: E501
        ),
    ),
    mutant(
        "the marker of a folder is no file",
        "tests/integration/connectors/filesystems/test_s3.py::test_markers_of_folders_are_no_files",
        (
            "connectors/src/docfleet/connectors/filesystems/objects/listing.py",
            'if meta["size"] == 0 and self._is_marker(key):',
            "if False:",
        ),
    ),
    mutant(
        "an object is withdrawn only when it is the noted one",
        "tests/integration/connectors/filesystems/test_s3.py::test_a_file_is_withdrawn_when_it_is_the_noted_one",
        (
            "connectors/src/docfleet/connectors/filesystems/objects/store.py",
            "(current := _current(place)) is None or current[1] != digest",
            "_current(place) is None",
        ),
    ),
)
