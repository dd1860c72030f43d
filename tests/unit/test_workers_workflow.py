"""Patterns, discovery, batches, leases."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docfleet.connectors.filesystems.local import LocalFileSystem
from docfleet.core.batch_calls import FileClaim, RenewRequest, RenewResponse
from docfleet.core.errors import BackendUnavailable, ConfigurationError, EmptyFile, Fenced, SourceNotFound
from docfleet.core.execution import SourceConfig
from docfleet.core.files import FileHashData, WorkerFileData
from docfleet.workers.shared.workflow.connectors.discovery import SourceOptions, discover
from docfleet.workers.shared.workflow.connectors.filters import GROUPS, name_filter
from docfleet.workers.shared.workflow.connectors.source import ConnectorSource
from docfleet.workers.shared.workflow.execution.batching import batch_count, batch_of, create_batches
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper


@pytest.mark.parametrize(
    ("patterns", "name", "wanted"),
    [
        ([], "a.xyz", True),
        (["*"], "a", True),
        (["PDF documents"], "A.PDF", True),
        (["PDF documents"], "a.docx", False),
        (["*.pdf", "text files"], "notes.TXT", True),
        ([".pdf"], "a.pdf", True),
        (["pdf"], "a.pdf", True),
        (["pdf"], "pdf", False),
        (["invoice-??.pdf"], "invoice-01.pdf", True),
        (["report.csv"], "report.csv", True),
        (["report.csv"], "other.csv", False),
    ],
)
def test_patterns(patterns: list[str], name: str, wanted: bool) -> None:
    assert name_filter(patterns)(name) is wanted


def test_the_original_offers_seventeen_groups() -> None:
    assert len(GROUPS) == 17


@given(st.integers(0, 300), st.integers(0, 40))
def test_round_robin(files: int, parallel: int) -> None:
    count = batch_count(files, parallel)
    assert count == (min(max(parallel, 1), files))
    sizes = [0] * count
    for number in range(1, files + 1):
        sizes[batch_of(number, count)] += 1
    assert sum(sizes) == files
    assert not sizes or max(sizes) - min(sizes) <= 1
    assert all(sizes)


def test_seven_files_in_three_batches() -> None:
    batches = [[n - 1 for n in range(1, 8) if batch_of(n, 3) == b] for b in range(3)]
    assert batches == [[0, 3, 6], [1, 4], [2, 5]]


def test_a_message_does_not_grow_with_the_files() -> None:
    data = WorkerFileData(workflow_id="w", execution_id="e", organization_id="o")
    assert [batch.batch_index for batch in create_batches(data, 3)] == [0, 1, 2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(["b.pdf", "a.pdf", "sub/c.pdf", "sub/deep/d.txt", "e.txt"]):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (number + 1))
        os.utime(path, (1000 + number, 1000 + number))
    return tmp_path


def listed(folder: Path, **settings: Any) -> list[str]:
    options = SourceOptions.from_settings(settings)
    connector = LocalFileSystem({"path": str(folder)})
    return [file.file_path for file in discover(connector, options, "local")]


def test_discovery_options(folder: Path) -> None:
    assert set(listed(folder)) == {"a.pdf", "b.pdf", "e.txt"}
    assert set(listed(folder, processSubDirectories=True, fileExtensions=["*.pdf"])) == {"a.pdf", "b.pdf", "sub/c.pdf"}
    assert listed(folder, process_sub_directories=True, folders=["/sub", "/sub/deep"]) == [
        "sub/c.pdf",
        "sub/deep/d.txt",
    ]
    assert listed(folder, fileProcessingOrder="oldest_first") == ["b.pdf", "a.pdf", "e.txt"]
    assert listed(folder, fileProcessingOrder="newest_first") == ["e.txt", "a.pdf", "b.pdf"]


@pytest.mark.parametrize("wrong", [{"maxFiles": 0}, {"maxFiles": "many"}, {"fileProcessingOrder": "random"}])
def test_wrong_options_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        SourceOptions.from_settings(wrong)


def test_a_missing_folder_is_an_error_never_an_empty_listing(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="gone"):
        listed(tmp_path / "gone")
    with pytest.raises(SourceNotFound, match="nowhere"):
        listed(tmp_path, folders=["nowhere"])


def test_fetching_hashes_on_the_way_and_refuses_nothing_to_read(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.txt").write_bytes(b"hello")
    (source / "empty.txt").touch()
    fetcher = ConnectorSource(SourceConfig(connector_id="local", connector_settings={"path": str(source)}))
    target = tmp_path / "SOURCE"
    digest = fetcher.fetch(FileHashData(file_name="a.txt", file_path="a.txt"), target)
    assert digest == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert target.read_bytes() == b"hello"
    with pytest.raises(EmptyFile):
        fetcher.fetch(FileHashData(file_name="empty.txt", file_path="empty.txt"), tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SOURCE", "in"]


class Renewals:
    """A file client's double: answers renewals as told."""

    def __init__(self, *answers: RenewResponse | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[RenewRequest] = []

    def renew(self, execution_id: str, request: RenewRequest) -> RenewResponse:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else RenewResponse()
        if isinstance(answer, Exception):
            raise answer
        return answer


def claim(number: int) -> FileClaim:
    return FileClaim(file_execution_id=f"f{number}", attempt=1, file=FileHashData(file_name="a", file_path="a"))


def wait_for(condition: Any, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)


def test_a_renewed_lease_outlives_its_length() -> None:
    client: Any = Renewals()
    with LeaseKeeper(client, "e", "me", 0.3) as leases:
        leases.add([claim(1)], time.monotonic())
        wait_for(lambda: len(client.requests) >= 5)
        leases.require("f1")


def test_a_lost_lease_fences_the_file_and_only_it() -> None:
    client: Any = Renewals(RenewResponse(lost=["f1"]))
    with LeaseKeeper(client, "e", "me", 0.3) as leases:
        leases.add([claim(1), claim(2)], time.monotonic())
        wait_for(lambda: client.requests)
        wait_for(lambda: len(leases.held()) == 1)
        with pytest.raises(Fenced):
            leases.require("f1")
        leases.require("f2")


def test_a_lease_that_could_not_be_renewed_counts_as_lost() -> None:
    client: Any = Renewals(*[BackendUnavailable("away")] * 100)
    with LeaseKeeper(client, "e", "me", 0.3) as leases:
        leases.add([claim(1)], time.monotonic())
        leases.require("f1")
        wait_for(lambda: len(client.requests) >= 4)
        with pytest.raises(Fenced):
            leases.require("f1")


def test_a_lease_is_as_old_as_its_request() -> None:
    """The database counts from the request, so an answer that was long under way does not make the lease longer."""
    client: Any = Renewals()
    leases = LeaseKeeper(client, "e", "me", 60.0)
    leases.add([claim(1), claim(2)], time.monotonic() - 61)
    with pytest.raises(Fenced):
        leases.require("f1")
    assert not leases.is_lost("f1"), "late, and may still be renewed"
    leases.renewed(leases.held(), ["f2"], time.monotonic() - 1)
    leases.require("f1")
    assert leases.is_lost("f2")


def test_a_stopped_execution_fences_everything() -> None:
    client: Any = Renewals(RenewResponse(stop=True))
    with LeaseKeeper(client, "e", "me", 0.3) as leases:
        leases.add([claim(1)], time.monotonic())
        wait_for(lambda: leases.stopped)
        with pytest.raises(Fenced):
            leases.require("f1")
