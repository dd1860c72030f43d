"""Which file ``docfleet executions evidence ID FILE`` means."""

from __future__ import annotations

from typing import Any

import pytest

from docfleet.cli.commands.executions import _file
from docfleet.core.errors import InvalidInput, NotFound
from docfleet.core.management.executions import FileOfExecution
from docfleet.core.status import ExecutionStatus

FILES = [
    FileOfExecution(f"id-{number}", number, name, f"{folder}/{name}", ExecutionStatus.COMPLETED)
    for number, (folder, name) in enumerate([("a", "1.pdf"), ("b", "1.pdf"), ("a", "3")], start=1)
]


class Client:
    def files(self, execution_id: str) -> list[FileOfExecution]:
        return FILES


@pytest.mark.parametrize(("wanted", "number"), [("id-2", 2), ("b/1.pdf", 2), ("2", 2), ("3", 3)])
def test_a_file_is_meant_by_id_path_name_or_number(wanted: str, number: int) -> None:
    client: Any = Client()
    assert _file(client, "e", wanted).file_number == number


def test_a_name_of_two_files_is_refused() -> None:
    client: Any = Client()
    with pytest.raises(InvalidInput, match="2 files are named"):
        _file(client, "e", "1.pdf")
    with pytest.raises(NotFound, match="executions show e"):
        _file(client, "e", "none")
