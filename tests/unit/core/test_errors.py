"""The error tree: codes are unique and lead back to their class."""

from __future__ import annotations

from docfleet.core import errors
from docfleet.core.errors import DocfleetError


def test_error_codes_are_unique_and_come_back() -> None:
    tree = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, DocfleetError)]
    assert all(kind.__doc__ for kind in tree)
    classes = [kind for kind in tree if "code" in vars(kind)]
    assert {kind.__name__ for kind in set(tree) - set(classes)} == {"CallRefused", "DispatchFailed"}
    codes = [kind.code for kind in classes]
    assert len(codes) == len(set(codes))
    for kind in classes:
        assert type(errors.error_from_code(kind.code, "m")) is kind
