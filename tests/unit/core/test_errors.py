"""The error tree: codes are unique and lead back to their class."""

from __future__ import annotations

from docfleet.core import errors
from docfleet.core.errors import DocfleetError


def test_error_codes_are_unique_and_come_back() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, DocfleetError)]
    codes = [kind.code for kind in classes]
    assert len(codes) == len(set(codes))
    for kind in classes:
        assert type(errors.error_from_code(kind.code, "m")) is kind
        assert kind.__doc__
