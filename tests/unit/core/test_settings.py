"""Settings read from the environment name the variable that is wrong."""

from __future__ import annotations

import msgspec
import pytest

from docfleet.core.errors import ConfigurationError
from docfleet.core.settings import read_settings


class Example(msgspec.Struct, frozen=True, rename=str.upper):
    example_port: int
    example_name: str = "x"


def test_settings_name_the_variable_that_is_wrong() -> None:
    assert read_settings(Example, {"EXAMPLE_PORT": "80", "OTHER": "1"}) == Example(80)
    with pytest.raises(ConfigurationError, match="EXAMPLE_PORT is missing"):
        read_settings(Example, {"EXAMPLE_PORT": " "})
    with pytest.raises(ConfigurationError, match="EXAMPLE_PORT is malformed"):
        read_settings(Example, {"EXAMPLE_PORT": "eighty"})
    with pytest.raises(ConfigurationError, match=r"EXAMPLE_PROT.*did you mean EXAMPLE_PORT"):
        read_settings(Example, {"EXAMPLE_PORT": "1", "EXAMPLE_PROT": "2"}, prefixes=("EXAMPLE_",))
