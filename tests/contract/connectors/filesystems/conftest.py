"""Each file system connector, on an empty place of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from docfleet.connectors.base import FileSystemConnector
from tests.contract.connectors.filesystems.stores import STORES, Place, Store


@pytest.fixture(params=STORES, ids=lambda store: store.name)
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.param
    return found


@pytest.fixture
def place(store: Store, tmp_path: Path) -> Iterator[Place]:
    with store.place(tmp_path) as found:
        yield found


@pytest.fixture
def files(place: Place) -> Iterator[FileSystemConnector]:
    connector = place.open()
    yield connector
    connector.close()


@pytest.fixture
def writable(store: Store, files: FileSystemConnector) -> FileSystemConnector:
    if not store.can_write:
        pytest.skip(f"{store.name} only reads")
    return files
