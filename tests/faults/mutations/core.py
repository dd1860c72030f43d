"""Guards of the core."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

MUTANTS = (
    mutant(
        "storage: a key that is taken is not replaced",
        "tests/contract/core/storages/test_storages.py::test_the_first_content_stays_when_it_has_to_be_absent[s3]",
        (
            "core/src/docfleet/core/storages/objects.py",
            'content, mode="create", use_multipart=False)',
            "content, use_multipart=False)",
        ),
    ),
    mutant(
        "storage: a taken file of a folder is not replaced",
        "tests/contract/core/storages/test_storages.py::test_the_first_content_stays_when_it_has_to_be_absent[folder]",
        (
            "core/src/docfleet/core/storages/folder.py",
            "_write(draft, [content], flush), _link_if_absent, flush)",
            "_write(draft, [content], flush), _replace, flush)",
        ),
    ),
    mutant(
        "storage: a link is not uploaded",
        "tests/contract/core/storages/test_storages.py::test_no_regular_file_is_refused[folder-link]",
        (
            "core/src/docfleet/core/storages/folder.py",
            "            read_regular(path).close()\n",
            "            path.stat()\n",
        ),
    ),
    mutant(
        "storage: a key does not leave the storage",
        "tests/contract/core/storages/test_storages.py::test_no_key_leaves_the_storage[folder-a/../b]",
        (
            "core/src/docfleet/core/storages/base.py",
            "if not _NAME.match(name) or name.startswith(DRAFT):",
            "if not name:",
        ),
    ),
    mutant(
        "unknown fields are passed over",
        "tests/faults/test_operations.py::test_messages_of_a_newer_version[redis]",
        (
            "core/src/docfleet/core/wire.py",
            "class Wire(msgspec.Struct, kw_only=True, omit_defaults=True):",
            "class Wire(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):",
        ),
    ),
    mutant(
        "notifications: the connected address is looked at",
        "tests/unit/core/test_outbound.py::test_the_connected_address_is_looked_at",
        (
            "core/src/docfleet/core/outbound.py",
            'if not self.permits(ipaddress.ip_address(str(connection.getpeername()[0]).partition("%")[0])):',
            "if False:",
        ),
    ),
    mutant(
        "notifications: all addresses of a name are looked at",
        "tests/unit/core/test_outbound.py::test_one_of_several_addresses_that_is_inside_forbids_all",
        (
            "core/src/docfleet/core/outbound.py",
            "not all(self.permits(address) for address in addresses)",
            "not self.permits(addresses[0])",
        ),
    ),
    mutant(
        "notifications: a target that drips has its seconds (HTTP)",
        "tests/unit/providers/test_http.py::test_a_target_has_its_seconds_and_no_more[drip]",
        ("core/src/docfleet/core/outbound.py", "        self._connection.settimeout(left(self._deadline))\n", ""),
    ),
    mutant(
        "a shortage is found behind another error",
        "tests/unit/core/test_machine.py::test_a_shortage_is_found_behind_another_error",
        (
            "core/src/docfleet/core/machine.py",
            "current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)",
            "current = None",
        ),
    ),
    mutant(
        "messages hold no control characters",
        "tests/unit/core/test_errors.py::test_a_message_holds_no_control_characters",
        ("core/src/docfleet/core/errors.py", ".translate(_CONTROLS)", ""),
    ),
)
