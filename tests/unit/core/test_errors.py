"""The error tree: codes are unique and lead back to their class."""

from __future__ import annotations

from docfleet.core import errors
from docfleet.core.error_codes import error_from_code
from docfleet.core.errors import DocfleetError


def test_error_codes_are_unique_and_come_back() -> None:
    tree = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, DocfleetError)]
    assert all(kind.__doc__ for kind in tree)
    classes = [kind for kind in tree if "code" in vars(kind)]
    assert {kind.__name__ for kind in set(tree) - set(classes)} == {"DispatchFailed"}
    codes = [kind.code for kind in classes]
    assert len(codes) == len(set(codes))
    for kind in classes:
        assert type(error_from_code(kind.code, "m")) is kind


def test_a_message_holds_no_control_characters() -> None:
    error = DocfleetError("Protocol Error: \x00\x1b[31m\x9b\r\n\tend é")
    assert error.message == str(error) == "Protocol Error: \ufffd\ufffd[31m\ufffd\ufffd\n\tend é"
