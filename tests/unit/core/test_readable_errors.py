"""A wrong value is named with those that are allowed, wherever it stands."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
import pytest

from docfleet.core.names import ApiName
from docfleet.core.readable_errors import readable_error


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(msgspec.Struct, rename="camel"):
    the_color: Color | None = None
    size: Annotated[Literal[1, 2], msgspec.Meta(description="size")] = 1


class Outer(msgspec.Struct):
    inner: Inner | None = None
    many: list[Inner] = []
    by_name: dict[str, Color] = {}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (["inner", "theColor"], "blue, red"),
        (["inner", "size"], "1, 2"),
        (["many", "0", "theColor"], "blue, red"),
        (["by_name", "any"], "blue, red"),
    ],
)
def test_the_allowed_values_follow_the_fault(path: list[str], values: str) -> None:
    assert readable_error("Invalid enum value 'x'", Outer, path) == f"Invalid enum value 'x': use one of {values}"


def test_without_a_type_or_a_way_the_fault_stays_as_it_is() -> None:
    fault = "Invalid enum value 'x'"
    assert readable_error(fault) == readable_error(fault, Outer, ["nothing", "there"]) == fault
    assert readable_error("Expected `str`, got `int`", Outer, ["inner", "theColor"]) == "Expected `str`, got `int`"


def test_a_rule_for_a_name_stands_for_its_expression() -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert("a b", ApiName)
    assert readable_error(str(refused.value)) == "Expected 1 to 100 letters, digits, '-' and '_'"
