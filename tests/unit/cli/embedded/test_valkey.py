"""The embedded Valkey server: private, durable, and honest where there is none."""

from __future__ import annotations

import platform
import stat
import subprocess
import time
from pathlib import Path

import pytest

from docfleet.cli.embedded.valkey import answers, valkey_command
from docfleet.core.errors import ConfigurationError


def test_where_there_is_no_server_one_line_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(ConfigurationError, match="set REDIS_URL") as caught:
        valkey_command(tmp_path / "v.sock", tmp_path)
    assert "\n" not in caught.value.message


def test_it_listens_on_its_private_socket_only_and_keeps_its_data(tmp_path: Path) -> None:
    redis = pytest.importorskip("redis")
    socket = Path("/tmp") / f"docfleet-test-{time.monotonic_ns()}.sock"
    command = valkey_command(socket, tmp_path)
    for attempt in range(2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 10
            while not answers(socket):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert stat.S_IMODE(socket.stat().st_mode) == 0o700
            with redis.Redis(unix_socket_path=str(socket)) as client:
                assert client.config_get("port") == {"port": "0"}
                assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
                if attempt:
                    assert client.lrange("queue", 0, -1) == [b"work"]
                else:
                    client.rpush("queue", "work")
        finally:
            process.kill()  # not even a goodbye: the append-only file has it
            process.wait()
            socket.unlink(missing_ok=True)
    assert not answers(socket)
