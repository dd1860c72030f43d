"""The data folder: one system at a time, keys that stay, sockets that fit."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from docfleet.cli.connection import connect
from docfleet.cli.embedded.data_folder import KEYS, DataFolder, announced
from docfleet.core.errors import ConfigurationError, Conflict


def test_a_running_system_announces_itself_privately_until_it_ends(tmp_path: Path) -> None:
    data = DataFolder.open(tmp_path / "data", "a test")
    data.announce({"url": "http://127.0.0.1:1", "organization": "default", "key": "secret"})
    assert os.stat(tmp_path / "data" / "system.json").st_mode & 0o077 == 0
    found = announced(tmp_path / "data")
    assert found is not None and found["key"] == "secret"
    assert connect(None, None, None, tmp_path / "data").organization_id == "default"
    data.close()
    assert announced(tmp_path / "data") is None


def test_a_second_opener_learns_who_holds_the_folder(tmp_path: Path) -> None:
    first = DataFolder.open(tmp_path / "d", "docfleet dev")
    try:
        with pytest.raises(Conflict, match=rf"in use by process {os.getpid()} \(docfleet dev, since "):
            DataFolder.open(tmp_path / "d", "docfleet run x")
    finally:
        first.close()
    DataFolder.open(tmp_path / "d", "again").close()


def test_keys_are_private_random_and_kept(tmp_path: Path) -> None:
    first = DataFolder.open(tmp_path / "d", "a")
    first.close()
    second = DataFolder.open(tmp_path / "d", "b")
    second.close()
    other = DataFolder.open(tmp_path / "e", "c")
    other.close()
    assert first.keys == second.keys
    assert set(first.keys) == set(KEYS)
    assert not set(first.keys.values()) & set(other.keys.values())
    assert len(first.keys["INTERNAL_SERVICE_API_KEY"]) >= 32
    assert len(base64.urlsafe_b64decode(first.keys["ENCRYPTION_KEY"])) == 32
    assert stat.S_IMODE((tmp_path / "d" / "config.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o700


def test_a_folder_of_an_earlier_version_gets_the_keys_it_lacks(tmp_path: Path) -> None:
    first = DataFolder.open(tmp_path, "a")
    first.close()
    older = {name: key for name, key in first.keys.items() if name != "METRICS_API_KEY"}
    (tmp_path / "config.json").write_text(json.dumps(older))
    for _ in range(2):
        again = DataFolder.open(tmp_path, "b")
        again.close()
        assert {name: again.keys[name] for name in older} == older
        assert len(again.keys["METRICS_API_KEY"]) >= 32
        assert json.loads((tmp_path / "config.json").read_text()) == again.keys
    assert stat.S_IMODE((tmp_path / "config.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"RUNNER_API_KEY": "x"})])
def test_damaged_keys_are_refused_and_not_replaced(tmp_path: Path, content: str) -> None:
    DataFolder.open(tmp_path, "a").close()
    config = tmp_path / "config.json"
    config.write_text(content)
    with pytest.raises(ConfigurationError, match="is damaged"):
        DataFolder.open(tmp_path, "a")
    assert config.read_text() == content


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        DataFolder.open(tmp_path / "file" / "d", "a")


@pytest.mark.parametrize("name", ["d" * 120, "with space", "ü", "50%3F"])
def test_a_socket_path_that_would_not_fit_goes_to_a_private_place(tmp_path: Path, name: str) -> None:
    folder = DataFolder.open(tmp_path / name, "a")
    try:
        path = folder.socket("valkey.sock")
        assert len(os.fsencode(path)) < 107
        assert tmp_path not in path.parents
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert path == folder.socket("valkey.sock")
        path.parent.chmod(0o755)
        with pytest.raises(ConfigurationError, match="not a private folder"):
            folder.socket("valkey.sock")
    finally:
        folder.close()
        assert not path.parent.exists(), "it stays behind"


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    code = f"from pathlib import Path; from docfleet.cli.embedded.data_folder import DataFolder as D; import os; \
D.open(Path({str(tmp_path)!r}), 'x'); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    DataFolder.open(tmp_path, "y").close()
