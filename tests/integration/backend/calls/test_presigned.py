"""Presigned URLs against a TLS server on the loopback, which only a setting opens."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from docfleet.backend.calls import presigned
from docfleet.backend.calls.presigned import Rules
from docfleet.backend.calls.refusals import CallRefused
from docfleet.backend.calls.staging import Area
from docfleet.core.outbound import is_public

HOST = "files.localhost.test"
SLOW = ("/slow.pdf", "/drip.pdf")
"""Each read of these is quick; only a limit on the whole of it ends them early."""


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        assert self.headers["Host"].startswith(HOST)
        if path == "/away.pdf":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/")
            self.end_headers()
        elif path == "/denied.pdf":
            self.send_error(403)
        elif path.startswith("/status/"):
            self.send_response_only(int(path.rpartition("/")[2]), "odd")
            self.end_headers()
        elif path == "/length.pdf":
            self.send_response(200)
            self.send_header("Content-Length", "many")
            self.end_headers()
            self.wfile.write(b"%PDF-1.4 ")
        elif path == "/drip.pdf":
            self._drip()
        elif path == "/broken.pdf":
            self.send_error(500)
        elif path == "/slow.pdf":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(50):
                    self.wfile.write(b"x")
                    time.sleep(0.1)
            except OSError:
                return
        elif path == "/cut.pdf":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"x" * 10)
        elif path == "/big.pdf":
            self.send_response(200)
            self.end_headers()
            try:
                self.wfile.write(b"x" * 1_100_000)
            except OSError:
                return
        else:
            content = b"%PDF-1.4 " + self.path.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def _drip(self) -> None:
        """Headers without end, a byte at a time, each well within any time-out of a single read."""
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
            for _ in range(50):
                self.wfile.write(b"x")
                time.sleep(0.1)
        except OSError:
            return

    def log_message(self, *args: Any) -> None:
        pass


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    pem = _certificate(tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    listening.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield listening.server_address[1], pem
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names resolve to."""
    known = {HOST: ["127.0.0.1"]}
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        if host in known:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


@pytest.fixture
def opened(request: pytest.FixtureRequest, server: tuple[int, Path], limited_api: Any) -> Any:
    callspec = getattr(request.node, "callspec", None)
    slow = callspec is not None and callspec.params.get("path") in SLOW
    return limited_api(
        api_presigned_allowed_hosts=f"*.localhost.test, other.test, {HOST}",
        api_presigned_allowed_networks="127.0.0.1/32",
        api_presigned_ca_file=str(server[1]),
        api_presigned_max_file_size_mb=1,
        # It is for all files of a call together.
        api_presigned_timeout_seconds=1.0 if slow else 30.0,
    )


def _send(api: Any, invoices: Any, *urls: str) -> Any:
    headers = {"Authorization": f"Bearer {invoices.key}"}
    return api.client.post(invoices.path, json={"presigned_urls": list(urls)}, headers=headers)


def test_files_are_fetched_in_order(opened: Any, server: tuple[int, Path]) -> None:
    invoices = opened.publish()
    root = f"https://{HOST}:{server[0]}"
    answer = _send(opened, invoices, f"{root}/a/one.pdf?X-Amz-Signature=s%2F1", f"{root}/two%2F..%00.pdf", f"{root}/")
    assert answer.status_code == 200, answer.text
    files = opened.recorder.sent[-1][1][3]
    assert list(files) == ["one.pdf", "two_.._.pdf", "document"]
    staged = opened.folder / "storage" / files["one.pdf"]["file_path"]
    assert staged.read_bytes() == b"%PDF-1.4 /a/one.pdf?X-Amz-Signature=s%2F1"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/away.pdf", 400),
        ("/denied.pdf", 403),
        ("/broken.pdf", 502),
        ("/slow.pdf", 504),
        ("/cut.pdf", 502),
        ("/drip.pdf", 504),
        ("/big.pdf", 413),
        ("/status/401", 400),
        ("/status/404", 404),
        ("/status/429", 400),
        ("/status/499", 400),
        ("/status/599", 502),
    ],
)
def test_what_goes_wrong_has_its_status_and_leaves_nothing(
    opened: Any, server: tuple[int, Path], path: str, status: int
) -> None:
    invoices = opened.publish()
    root = f"https://{HOST}:{server[0]}"
    answer = _send(opened, invoices, f"{root}/good.pdf", root + path)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["attr"] == "presigned_urls" and "169.254" not in answer.text
    assert not [path for path in (opened.folder / "storage").rglob("*") if path.is_file()]


def test_a_length_that_is_no_number_is_no_fault_of_ours(opened: Any, server: tuple[int, Path]) -> None:
    answer = _send(opened, opened.publish(), f"https://{HOST}:{server[0]}/length.pdf")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("host", ["a..localhost.test", "x" * 64 + ".localhost.test"])
def test_a_host_that_cannot_be_looked_up_is_refused(opened: Any, host: str) -> None:
    answer = _send(opened, opened.publish(), f"https://{host}/a.pdf")
    assert answer.status_code == 400 and "no host name" in answer.json()["errors"][0]["detail"], answer.text


def test_a_name_that_leads_inside_is_refused(
    opened: Any, server: tuple[int, Path], names: dict[str, list[str]]
) -> None:
    invoices = opened.publish()
    for addresses in (["10.0.0.1"], ["93.184.216.34", "169.254.169.254"], ["127.0.0.2"], ["0.0.0.0"]):
        names["other.test"] = addresses
        answer = _send(opened, invoices, "https://other.test/a.pdf")
        assert answer.status_code == 400 and "not public" in answer.json()["errors"][0]["detail"]


def test_a_certificate_of_another_name_is_refused(
    opened: Any, server: tuple[int, Path], names: dict[str, list[str]]
) -> None:
    names["wrong.localhost.test"] = ["127.0.0.1"]
    answer = _send(opened, opened.publish(), f"https://wrong.localhost.test:{server[0]}/a.pdf")
    assert answer.status_code == 502


def test_the_connection_goes_to_the_address_that_was_checked(
    server: tuple[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        # The name moves inside after the first answer.
        asked.append(host)
        address = "127.0.0.1" if host == "127.0.0.1" or asked.count(host) == 1 else "10.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    rules = Rules((HOST,), (ipaddress.ip_network("127.0.0.0/8"),), 1, 5.0, str(server[1]))
    area = Area(tmp_path, "o", "w", "e")
    url = presigned._check(f"https://{HOST}:{server[0]}/a.pdf", rules)
    presigned._fetch(url, area, rules, time.monotonic() + 5)
    assert asked.count(HOST) == 1 and area.files[0].name == "a.pdf"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("192.0.2.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://bucket.s3.amazonaws.com/k?X=1", True),
        ("https://bucket.with.dots.s3.eu-west-1.amazonaws.com/k", True),
        ("https://s3.us-east-1.amazonaws.com/bucket/k", True),
        ("https://s3-eu-west-1.amazonaws.com/bucket/k", True),
        ("https://bucket.s3.dualstack.us-west-2.amazonaws.com/k", True),
        ("https://bucket.s3.cn-north-1.amazonaws.com.cn/k", True),
        ("http://bucket.s3.amazonaws.com/k", False),
        ("https://evil-s3.amazonaws.com.evil.org/k", False),
        ("https://ec2.amazonaws.com/k", False),
        ("https://s3.amazonaws.com.evil.org", False),
        ("https://mys3.amazonaws.com/k", False),
        ("https://s3.amazonaws.com:8443/k", False),
        ("https://s3.amazonaws.com:99999/k", False),
        ("https://u:p@s3.amazonaws.com/k", False),
        ("https://s3.amazonaws.com/\r\nX: y", False),
        ("https://[::1]/k", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("", False),
    ],
)
def test_which_urls_are_taken_by_default(url: str, allowed: bool) -> None:
    rules = Rules((), (), 1, 1.0, None)
    if allowed:
        presigned._check(url, rules)
        return
    with pytest.raises(CallRefused):
        presigned._check(url, rules)
