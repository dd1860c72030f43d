"""Each file system connector, on an empty place of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from docfleet.connectors.base import FileSystemConnector
from tests.contract.connectors.filesystems.stores import STORES, Open, Store


@pytest.fixture(params=STORES, ids=lambda store: store.name)
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.param
    return found


@pytest.fixture
def opened(store: Store, tmp_path: Path) -> Iterator[Open]:
    with store.place(tmp_path) as found:
        yield found


@pytest.fixture
def files(opened: Open) -> Iterator[FileSystemConnector]:
    connector = opened()
    yield connector
    connector.close()
