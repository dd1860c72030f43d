"""The data folder of an embedded system: its lock, its generated keys, and its layout.

::

    .docfleet/
        lock            held while a system runs; names its process
        config.json     the generated keys, mode 0600
        system.json     address and key of the running system, mode 0600
        docfleet.db     the backend's SQLite database
        storage/        the documents of running executions
        valkey/         the broker's append-only file
        logs/           one log per process
        run/            socket and ready files, the backend's port
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from docfleet.core.errors import ConfigurationError, Conflict

DEFAULT = Path(".docfleet")
SYSTEM_FILE = "system.json"
KEYS = ("INTERNAL_SERVICE_API_KEY", "RUNNER_API_KEY", "METRICS_API_KEY", "ENCRYPTION_KEY")
_NEWER_KEYS = frozenset({"METRICS_API_KEY"})
"""A folder that an earlier version made has none of these."""
SOCKET_LIMIT_BYTES = 100
"""sun_path holds 108 bytes on Linux and 104 on macOS, the terminating zero included."""
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+\Z")
_HANDOVER_SECONDS = 8.0


@dataclass(frozen=True)
class DataFolder:
    """An open data folder. ``lock_fd`` holds the lock until it and every inherited copy of it are closed."""

    path: Path
    lock_fd: int
    keys: dict[str, str]

    @classmethod
    def open(cls, path: Path, holder: str) -> Self:
        """Create the folder if it is missing, take its lock, read or generate its keys.

        ``holder`` describes this process in the lock file. Raises ``Conflict`` naming the process that holds
        the lock, ``ConfigurationError`` when the folder cannot be used.
        """
        path = path.expanduser().absolute()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in ("logs", "run", "storage", "valkey"):
                (path / name).mkdir(mode=0o700, exist_ok=True)
            lock_fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"the data folder {path} cannot be used: {error.strerror or error}; choose another one with --data"
            ) from error
        try:
            _lock(lock_fd, path, holder)
            return cls(path, lock_fd, _keys(path / "config.json"))
        except BaseException:
            os.close(lock_fd)
            raise

    def announce(self, system: dict[str, str]) -> None:
        """Write the address of the running system; other commands read it with ``announced``."""
        _write_private(self.path / SYSTEM_FILE, system)

    def close(self) -> None:
        """Release the lock."""
        (self.path / SYSTEM_FILE).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._socket_folder().rmdir()
        os.close(self.lock_fd)

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.path / "logs"

    @property
    def storage(self) -> Path:
        """The default EXECUTION_STORAGE_ROOT."""
        return self.path / "storage"

    def ready_file(self, name: str) -> Path:
        """The file that a worker creates when it takes work."""
        return self.path / "run" / f"{name}.ready"

    def socket(self, name: str) -> Path:
        """A private Unix socket's path: in the folder, or in a private temporary folder (the same every time)
        where the folder's path is too long for a socket or has characters a URL would change."""
        inside = self.path / "run" / name
        if len(os.fsencode(inside)) <= SOCKET_LIMIT_BYTES and _PLAIN_PATH.match(str(inside)):
            return inside
        folder = self._socket_folder()
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise ConfigurationError(f"{folder} is not a private folder of this user: remove it")
        return folder / name

    def _socket_folder(self) -> Path:
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"docfleet-{os.getuid()}-{digest}"


def _lock(fd: int, path: Path, holder: str) -> None:
    deadline = time.monotonic() + _HANDOVER_SECONDS
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            text = os.pread(fd, 500, 0).decode(errors="replace").strip()
            if _is_alive(text) or time.monotonic() > deadline:
                raise Conflict(
                    f"the data folder {path} is in use by {text or 'another process'}: stop it, "
                    "or choose another folder with --data"
                ) from None
            time.sleep(0.1)  # the holder was killed; its lifeline is still ending the children
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"process {os.getpid()} ({holder}, since {time.strftime('%Y-%m-%d %H:%M:%S')})\n".encode(), 0)


def _is_alive(holder: str) -> bool:
    status = re.match(r"process (\d+) ", holder)
    if not status:
        return False
    try:
        os.kill(int(status[1]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _keys(path: Path) -> dict[str, str]:
    try:
        keys = _read_keys(path)
    except FileNotFoundError:
        keys = {"ENCRYPTION_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}
    missing = [name for name in KEYS if name not in keys]
    if missing:
        keys |= {name: secrets.token_urlsafe(32) for name in missing}
        _write_private(path, keys)
    return keys


def announced(path: Path) -> dict[str, str] | None:
    """Address and key of the system that runs in the data folder; None when there is none."""
    try:
        content = json.loads((path.expanduser() / SYSTEM_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _write_private(path: Path, content: dict[str, str]) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _read_keys(path: Path) -> dict[str, str]:
    try:
        keys = json.loads(path.read_text(encoding="utf-8"))
        return {name: str(keys[name]) for name in KEYS if name in keys or name not in _NEWER_KEYS}
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path} is damaged ({type(error).__name__}: {error}): restore it; without its ENCRYPTION_KEY the stored "
            "credentials cannot be read, and a new data folder is needed"
        ) from error
