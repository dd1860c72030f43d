"""Guards of the core."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

MUTANTS = (
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
