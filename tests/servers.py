"""Servers that a test can kill, stop, pause and start again: each on a free port of the loopback, its data in a folder.

A server that ends and starts again has its port and its data back. All of them end with this process, however it ends.
"""

from __future__ import annotations

import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from docfleet.cli.embedded.supervisor import Lifeline
from docfleet.cli.embedded.valkey import answers, valkey_command
from docfleet.core.errors import ConfigurationError
from tests.waiting import until

START_SECONDS = 60.0


class NotInstalled(Exception):
    """The programs of a server are not on this machine."""


class Process:
    """A program that leads a process group of its own. Starts and ends as often as a test likes."""

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        folder: Path,
        lifeline: Lifeline,
        **user: Any,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = command
        self._environment = dict(environment)
        self._folder = folder
        self._lifeline = lifeline
        self._user = user
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    @property
    def pid(self) -> int:
        """Of the leader; raises where it has never run."""
        assert self.process is not None, f"{self.name} has not been started"
        return self.process.pid

    @property
    def runs(self) -> bool:
        """False when the leader has ended."""
        return self.process is not None and self.process.poll() is None

    def log_tail(self) -> str:
        """The end of what it wrote."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def start(self) -> None:
        """Start it; does not wait until it answers."""
        self.bury()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._user,
            )
        self.starts += 1
        self._lifeline.add(self.process.pid, kill=True)

    def bury(self) -> None:
        """SIGKILL what is left of the group, as when a pod ends."""
        if self.process is not None:
            self.signal(signal.SIGKILL)
            self.process.wait()
            self._lifeline.remove(self.process.pid)
            self.process = None

    def signal(self, number: signal.Signals) -> None:
        """To the whole group."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

    def terminate(self, number: signal.Signals, seconds: float) -> None:
        """Ask the leader to end; SIGKILL of the group after ``seconds``."""
        if self.process is not None and self.runs:
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        self.bury()


class Server:
    """One server. Subclasses say how it starts and how one knows that it answers."""

    stop_signal = signal.SIGTERM
    process: Process

    def answers(self) -> None:
        """Raise ``OSError`` or ``psycopg.OperationalError`` while it does not take connections."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it where it does not run, and wait until it answers."""
        if not self.process.runs:
            self.process.start()
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.answers()
                return
            except (OSError, psycopg.OperationalError) as error:
                if not self.process.runs or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"{self.process.name} does not answer ({error}):\n{self.process.log_tail()}"
                    ) from None
                time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, as when a machine is lost; the data stay."""
        self.process.bury()

    def stop(self, seconds: float = 20.0) -> None:
        """In order."""
        self.process.terminate(self.stop_signal, seconds)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """The end of a pause."""
        self.process.signal(signal.SIGCONT)


class Valkey(Server):
    """A Valkey server that keeps what it was told in its append-only file. Databases 0 to 15."""

    def __init__(self, folder: Path, lifeline: Lifeline) -> None:
        folder.mkdir(parents=True)
        self.port = free_port()
        command = [*valkey_command(folder / "unused.sock", folder)]
        command[command.index("--port") + 1] = str(self.port)
        at = command.index("--unixsocket")
        del command[at : at + 4]
        self.process = Process("valkey", [*command, "--bind", "127.0.0.1"], os.environ, folder, lifeline)

    def url(self, database: int) -> str:
        """``redis://…`` of one database."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def answers(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
            connection.sendall(b"PING\r\n")
            if not connection.recv(64).startswith(b"+PONG"):
                raise ConnectionError("it loads its data")


class Postgres(Server):
    """A PostgreSQL server. ``url`` is of a user who may create databases."""

    stop_signal = signal.SIGINT

    def __init__(self, folder: Path, lifeline: Lifeline) -> None:
        programs = _postgres_programs()
        folder.mkdir(parents=True)
        user = _unprivileged("postgres")
        as_user: dict[str, Any] = {}
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
            as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        password, data = secrets.token_hex(16), folder / "data"
        secret = folder / "password"
        secret.write_text(password)
        secret.chmod(0o644 if user else 0o600)
        subprocess.run(
            [
                *(str(programs / "initdb"), "-D", str(data), "-U", "docfleet", "-A", "scram-sha-256"),
                *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", f"--pwfile={secret}"),
            ],
            check=True,
            capture_output=True,
            cwd=folder,
            **as_user,
        )
        secret.unlink()
        self.port = free_port()
        # No fsync: a killed process, which is what the tests have, loses nothing that was written.
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(programs / "postgres"), "-D", str(data), *options]
        self.process = Process("postgres", command, os.environ, folder, lifeline, **as_user)
        self.url = f"postgresql://docfleet:{password}@127.0.0.1:{self.port}/postgres"

    def kill(self) -> None:
        super().kill()
        (Path(self.process.log).parent / "data" / "postmaster.pid").unlink(missing_ok=True)

    def answers(self) -> None:
        psycopg.connect(self.url, connect_timeout=5).close()


class Mariadb(Server):
    """A MariaDB server. ``url`` is of a user who may do everything."""

    def __init__(self, folder: Path, lifeline: Lifeline) -> None:
        install = shutil.which("mariadb-install-db")
        server = next((path for name in ("mariadbd", "/usr/sbin/mariadbd") if (path := shutil.which(name))), None)
        if install is None or server is None:
            raise NotInstalled("no MariaDB: there is no mariadbd or no mariadb-install-db")
        folder.mkdir(parents=True)
        data, user = folder / "data", pwd.getpwuid(os.getuid()).pw_name
        command = [install, "--no-defaults", f"--user={user}", f"--datadir={data}"]
        command += ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        self.port, password = free_port(), secrets.token_hex(16)
        secret = folder / "first.sql"
        secret.write_text(
            f"CREATE USER IF NOT EXISTS docfleet@'%' IDENTIFIED BY '{password}';\n"
            "GRANT ALL PRIVILEGES ON *.* TO docfleet@'%' WITH GRANT OPTION;\n"
            "DELETE FROM mysql.global_priv WHERE User NOT IN ('docfleet', 'mariadb.sys');\nFLUSH PRIVILEGES;\n"
        )
        secret.chmod(0o600)
        certificate, key = certificate_of(folder, "localhost")
        self.certificate = certificate
        options = {
            **{"user": user, "datadir": data, "bind-address": "127.0.0.1", "port": self.port},
            **{"socket": folder / "socket", "pid-file": folder / "pid", "init-file": secret},
            **{"ssl-cert": certificate, "ssl-key": key, "innodb-flush-log-at-trx-commit": 2},
            **{"innodb-buffer-pool-size": "32M", "performance-schema": "OFF", "max-connections": 60},
        }
        settings = [f"--{name}={value}" for name, value in options.items()]
        self.process = Process(
            "mariadb", [server, "--no-defaults", "--skip-name-resolve", *settings], os.environ, folder, lifeline
        )
        self.url = f"mysql://docfleet:{password}@127.0.0.1:{self.port}/mysql"

    def answers(self) -> None:
        # A server that takes connections speaks first.
        with socket.create_connection(("127.0.0.1", self.port), timeout=2.0) as connection:
            if not connection.recv(1):
                raise ConnectionError("it is starting")


class Rabbitmq(Server):
    """A RabbitMQ node of its own, with an Erlang port mapper of its own: nothing is left behind or shared."""

    def __init__(self, folder: Path, lifeline: Lifeline) -> None:
        program = _rabbitmq_program()
        mapper = shutil.which("epmd")
        if program is None or mapper is None:
            raise NotInstalled("no RabbitMQ: there is no rabbitmq-server or no epmd")
        folder.mkdir(parents=True)
        self.port, distribution, self._mapper_port = free_port(), free_port(), free_port()
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console.level = warning\n")
        (folder / "enabled_plugins").write_text("[].\n")
        self._environment = {
            **os.environ,
            "HOME": str(folder),  # the Erlang cookie
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"docfleet-{secrets.token_hex(4)}@localhost",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        self._mapper = Process(
            "epmd",
            [mapper, "-address", "127.0.0.1", "-port", str(self._mapper_port)],
            self._environment,
            folder,
            lifeline,
        )
        self.process = Process("rabbitmq", [program], self._environment, folder, lifeline)
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        if not self._mapper.runs:
            self._mapper.start()
            _until_connected(self._mapper_port)
        super().start()

    def stop(self, seconds: float = 20.0) -> None:
        super().stop(seconds)
        self._mapper.bury()

    def control(self, *arguments: str) -> str:
        """What ``rabbitmqctl`` prints; ``stop_app``, ``start_app``, ``set_vm_memory_high_watermark`` and such."""
        program = Path(self.process._command[0]).with_name("rabbitmqctl")
        done = subprocess.run(
            [str(program), "-n", self._environment["RABBITMQ_NODENAME"], *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def answers(self) -> None:
        # The port opens before the node takes logins: the protocol header is answered when it does.
        with socket.create_connection(("127.0.0.1", self.port), timeout=2.0) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            if not connection.recv(1):
                raise ConnectionError("it is starting")


@contextmanager
def valkey_socket() -> Iterator[Path]:
    """The socket of a Valkey that nobody else uses."""
    # Not below pytest's folder: the path of a socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="docfleet-") as name:
        socket_path, data = Path(name) / "socket", Path(name) / "data"
        data.mkdir()
        try:
            command = valkey_command(socket_path, data)
        except ConfigurationError as error:
            skip_or_fail(str(error))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            until(lambda: answers(socket_path), START_SECONDS, what="the Valkey server does not answer")
            yield socket_path
        finally:
            process.kill()
            process.wait()


def certificate_of(folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key, for a server of this name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key_file.write_bytes(key.private_bytes(*form))
    return certificate_file, key_file


def broker_at(socket_path: Path) -> str:
    """The URL of the Valkey there as Celery's broker."""
    return f"redis+socket://{socket_path}?virtual_host=0"


def free_port() -> int:
    """A TCP port of the loopback nobody uses, below those that the system gives to outgoing connections.

    One of those could be taken before the server binds it.
    """
    while True:
        port = random.randrange(16_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def require(start: Callable[[], Any]) -> Any:
    """``start()``; where the programs are missing, see ``skip_or_fail``."""
    try:
        return start()
    except NotInstalled as error:
        skip_or_fail(str(error))


def skip_or_fail(reason: str) -> NoReturn:
    """The test is skipped, and fails with ``REQUIRE_SERVICES=1``."""
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"{reason} (REQUIRE_SERVICES=1)", pytrace=False)
    pytest.skip(reason)


def _until_connected(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _postgres_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    on_path = shutil.which("initdb")
    if not found and not on_path:
        raise NotInstalled("no PostgreSQL: there is no initdb in /usr/lib/postgresql or on PATH")
    return found[-1].parent if found else Path(on_path or "").parent


def _rabbitmq_program() -> str | None:
    installed = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return str(installed) if installed.exists() else shutil.which("rabbitmq-server")


def _unprivileged(preferred: str) -> pwd.struct_passwd | None:
    """Whom to run as: PostgreSQL refuses root."""
    if os.getuid() != 0:
        return None
    for name in (preferred, "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NotInstalled("no PostgreSQL: it refuses to run as root, and there is no user nobody")
