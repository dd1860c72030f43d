"""The reference is what the code says, and the code says everything."""

from __future__ import annotations

import msgspec
import pytest

from docfleet.core.exit_codes import ExitCode
from docs.generator import setting_names
from docs.generator.__main__ import FOLDER, PAGES
from docs.generator.log_events import events
from docs.generator.meanings import EXIT_CODES, LOG_EVENTS
from docs.generator.settings import TITLES, rows, settings_types
from docs.generator.sources import defined, field_docstrings


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_generator_writes(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == PAGES[name](), "run `make docs`"


def test_the_table_of_settings_is_what_the_generator_writes() -> None:
    assert setting_names.PATH.read_text("utf-8") == setting_names.render(), "run `make docs`"


def test_every_type_of_settings_belongs_to_a_process() -> None:
    assert {kind.__name__ for kind in settings_types()} == {*setting_names.PROCESSES, "FaultSettings"}


def test_every_page_of_the_reference_is_known() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*PAGES, "tool-protocol.md", "quality.md"}


@pytest.mark.parametrize("kind", settings_types(), ids=lambda kind: kind.__name__)
def test_every_setting_has_a_docstring(kind: type[msgspec.Struct]) -> None:
    assert [variable for variable, *_, meaning in rows(kind) if not meaning] == []
    assert set(field_docstrings(kind)) == {field.name for field in msgspec.structs.fields(kind)}


def test_every_type_of_settings_has_a_title() -> None:
    assert [kind.__name__ for kind in settings_types()] == list(TITLES)


def test_every_log_event_has_a_meaning_and_every_meaning_an_event() -> None:
    assert {name for named in events().values() for name in named} == set(LOG_EVENTS)


def test_every_exit_code_has_a_meaning() -> None:
    assert set(EXIT_CODES) == set(ExitCode)


def test_a_name_without_one_home_is_an_error_that_says_so() -> None:
    with pytest.raises(LookupError, match="no module"):
        defined("there_is_no_such_name")
