"""What targets are sent, by real HTTP and SMTP on the loopback, and what is never sent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import smtplib
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any

import pytest
from sinks import Mailbox, Sink
from standardwebhooks import Webhook, WebhookVerificationError

from docfleet.core.errors import ConfigurationError
from docfleet.core.notify import EventData, NotificationEvent
from docfleet.core.outbound import ForbiddenAddress, Outbound
from docfleet.providers.base import NotificationBatch, TargetRejected, TargetUnavailable
from docfleet.providers.envelope import envelope, readable, slack_text
from docfleet.providers.http import parse_retry_after, post
from docfleet.providers.registry import open_provider, provider_names

LOOPBACK = Outbound(3.0, (ipaddress.ip_network("127.0.0.0/8"),))
AT = 1777957414.0


def event(**changes: Any) -> EventData:
    values: dict[str, Any] = {
        "event": NotificationEvent.COMPLETED,
        "type": "ETL",
        "pipeline_id": "p-1",
        "pipeline_name": "nightly",
        "status": "SUCCESS",
        "execution_id": "e-1",
        "timestamp": AT,
        "total_files": 3,
        "successful_files": 3,
    }
    return EventData(**(values | changes))


FAILED = {"event": NotificationEvent.FAILED, "status": "ERROR", "successful_files": 1, "failed_files": 2}


def batch(*events: EventData) -> NotificationBatch:
    return NotificationBatch(str(uuid.uuid4()), list(events or [event()]))


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    yield box
    box.shutdown()
    box.server_close()


def test_all_providers_are_installed() -> None:
    assert provider_names() == ("console", "email", "slack", "sms", "teams", "webhook")
    with pytest.raises(ConfigurationError, match="webhook"):
        open_provider("pigeon", {})


@pytest.mark.parametrize(
    ("settings", "header", "value"),
    [
        ({}, "authorization", None),
        ({"auth_type": "BEARER", "auth_key": "k"}, "authorization", "Bearer k"),
        ({"auth_type": "API_KEY", "auth_key": "k"}, "authorization", "k"),
        ({"auth_type": "CUSTOM_HEADER", "auth_key": "k", "auth_header": "X-Token"}, "x-token", "k"),
    ],
)
def test_a_webhook_has_the_original_s_body_and_authorization(
    sink: Sink, settings: dict[str, Any], header: str, value: str | None
) -> None:
    sent = batch(event(error_message=None))
    open_provider("webhook", {"url": f"{sink.url}/in?x=1", **settings}).send(sent, LOOPBACK)
    ((path, headers, body),) = sink.got
    assert path == "/in?x=1" and headers.get(header) == value and headers["content-type"] == "application/json"
    assert headers["webhook-id"] == headers["idempotency-key"] == sent.id and "webhook-signature" not in headers
    found = json.loads(body)
    assert found["summary"] == {"total": 1, "succeeded": 1, "failed": 0}
    assert found["events"][0]["timestamp"] == "2026 May 5 05:03:34 AM" and "pipeline_id" not in found["events"][0]
    flat = {key: found[key] for key in ("type", "pipeline_id", "pipeline_name", "status", "execution_id")}
    assert flat == {
        "type": "ETL", "pipeline_id": "p-1", "pipeline_name": "nightly", "status": "SUCCESS", "execution_id": "e-1",
    }  # fmt: skip
    assert found["additional_data"] == {"total_files": 3, "successful_files": 3, "failed_files": 0}
    assert found["timestamp"] == "2026-05-05T05:03:34+00:00" and "error_message" not in found


def test_a_batch_of_several_has_no_flat_keys() -> None:
    found = envelope(batch(event(), event(**FAILED, error_message="no tool")))
    assert set(found) == {"summary", "events"} and found["summary"] == {"total": 2, "succeeded": 1, "failed": 1}
    assert found["events"][1]["is_failure"] and found["events"][1]["error_message"] == "no tool"


def test_the_signature_is_that_of_standard_webhooks(sink: Sink) -> None:
    secret = "whsec_" + base64.b64encode(b"x" * 32).decode()
    open_provider("webhook", {"url": sink.url, "signing_secret": secret}).send(batch(), LOOPBACK)
    ((_, headers, body),) = sink.got
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"x" * 32, content, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert json.loads(body) == Webhook(secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (204, None),
        (301, TargetRejected),
        (400, TargetRejected),
        (401, TargetRejected),
        (404, TargetRejected),
        (410, TargetRejected),
        (408, TargetUnavailable),
        (425, TargetUnavailable),
        (429, TargetUnavailable),
        (500, TargetUnavailable),
        (503, TargetUnavailable),
    ],
)
def test_what_an_answer_means(sink: Sink, status: int, error: type[Exception] | None) -> None:
    target = open_provider("webhook", {"url": f"{sink.url}/s3cret"})
    sink.answer = lambda handler: handler.reply(status, Retry_After="7", Location=f"{sink.url}/elsewhere")
    if error is None:
        target.send(batch(), LOOPBACK)
        return
    with pytest.raises(error) as caught:
        target.send(batch(), LOOPBACK)
    assert str(status) in str(caught.value) and "s3cret" not in str(caught.value)
    if isinstance(caught.value, TargetUnavailable):
        assert caught.value.retry_after == 7 and caught.value.answered is (status < 500)
    assert len(sink.got) == 1, "a redirect is not followed"


def test_retry_after_is_seconds_or_a_date() -> None:
    assert parse_retry_after("120") == 120 and parse_retry_after(None) is None and parse_retry_after("soon") is None
    later = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
    assert 90 < (parse_retry_after(later) or 0) < 101
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0 and parse_retry_after("9" * 40) == 86_400


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1", "[::ffff:10.0.0.1]"]
)
def test_nothing_goes_inside_unless_it_is_allowed(sink: Sink, host: str) -> None:
    port = sink.server.server_address[1]
    for provider, settings in (
        ("webhook", {"url": f"http://{host}:{port}/"}),
        ("slack", {"url": f"http://{host}:{port}/"}),
        ("email", {"host": host.strip("[]"), "port": port, "sender": "a@b.c", "recipients": ["a@b.c"]}),
    ):
        with pytest.raises(TargetRejected, match="NOTIFICATION_ALLOWED_NETWORKS"):
            open_provider(provider, settings).send(batch(), Outbound(3.0))
    assert sink.got == []


def test_a_name_that_changes_its_address_gains_nothing(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    port = sink.server.server_address[1]
    answers = iter(["93.184.216.34", "127.0.0.1"])
    asked: list[str] = []

    def resolve(host: str, *args: Any, **kwargs: Any) -> Any:
        if host != "rebinding.example.org":
            return real(host, *args, **kwargs)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(TargetUnavailable):
        post(f"http://rebinding.example.org:{port}/", b"{}", {}, Outbound(0.3))
    assert asked == ["rebinding.example.org"] and sink.got == []


def test_the_connected_address_is_looked_at(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the way there was: a connection that ends up inside is closed before a byte is sent."""
    port = sink.server.server_address[1]
    monkeypatch.setattr(Outbound, "resolve", lambda *_: ["127.0.0.1"])
    with pytest.raises(ForbiddenAddress):
        Outbound(3.0).connect("example.org", port, time.monotonic() + 3)


def no_route() -> None:
    raise OSError("no route to host")


def test_one_of_several_addresses_that_is_inside_forbids_all(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(2, 1, 6, "", (address, 80)) for address in ("93.184.216.34", "192.168.0.1")]
    contacted: list[Any] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    monkeypatch.setattr(socket, "create_connection", lambda address, **_: contacted.append(address) or no_route())
    with pytest.raises(TargetRejected):
        post("http://two.example.org/", b"{}", {}, Outbound(1.0))
    assert contacted == []


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_a_target_has_its_seconds_and_no_more(kind: str) -> None:
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            while kind == "drip" and not over.wait(0.05):
                try:
                    connection.sendall(b"H")
                except OSError:
                    return
            over.wait(20)

    def accept() -> None:
        for _ in range(2):
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port = listener.getsockname()[1]
    try:
        for provider, settings in (
            ("webhook", {"url": f"http://127.0.0.1:{port}/"}),
            ("email", {"host": "127.0.0.1", "port": port, "sender": "a@b.c", "recipients": ["a@b.c"]}),
        ):
            began = time.monotonic()
            with pytest.raises(TargetUnavailable):
                open_provider(provider, settings).send(batch(), Outbound(0.6, LOOPBACK.networks))
            assert time.monotonic() - began < 18  # the target goes away after 20 s
    finally:
        over.set()
        listener.close()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TargetUnavailable, match="ConnectionRefusedError"):
        post(f"http://127.0.0.1:{port}/", b"{}", {}, LOOPBACK)


def test_slack_gets_the_original_s_text_and_nothing_it_would_obey(sink: Sink) -> None:
    error = "<!channel> & <https://evil|click>\nnext"
    sent = batch(event(), event(**FAILED, error_message=error))
    open_provider("slack", {"url": f"{sink.url}/services/T/B/x"}).send(sent, LOOPBACK)
    text = json.loads(sink.got[0][2])["text"]
    lines = text.splitlines()
    assert lines[0] == "*2 executions* (:white_check_mark: 1 succeeded  :x: 1 failed)" and lines[1] == "———"
    assert lines[2] == f"{readable(AT)} · *e-1* · ETL · nightly · SUCCESS · :white_check_mark: 3/3 files"
    assert lines[3].endswith("ERROR · :x: 2/3 files · _&lt;!channel&gt; &amp; &lt;https://evil|click&gt; next_")
    many = slack_text(batch(*[event()] * 30)).splitlines()
    assert len(many) == 2 + 25 + 2 and many[-1] == "_… and 5 more executions_"


def test_teams_gets_a_card(sink: Sink) -> None:
    open_provider("teams", {"url": f"{sink.url}/hook"}).send(batch(event(), event(**FAILED)), LOOPBACK)
    message = json.loads(sink.got[0][2])
    card = message["attachments"][0]["content"]
    assert card["type"] == "AdaptiveCard" and card["body"][0]["text"] == "2 executions (1 succeeded, 1 failed)"
    assert "nightly · ERROR" in card["body"][2]["inlines"][0]["text"]


def test_sms_is_asked_of_an_api_like_twilio_s(sink: Sink) -> None:
    settings = {"account_sid": "AC1", "auth_token": "t0ken-of-the-account", "sender": "+491", "recipient": "+492"}
    open_provider("sms", {**settings, "url": sink.url}).send(batch(event(error_message="x" * 900)), LOOPBACK)
    ((path, headers, body),) = sink.got
    assert path == "/2010-04-01/Accounts/AC1/Messages.json"
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"AC1:t0ken-of-the-account"
    assert body.startswith(b"From=%2B491&To=%2B492&Body=") and headers["idempotency-key"]


def test_a_mail_says_what_happened_and_can_be_told_from_its_repeat(mailbox: Mailbox) -> None:
    settings = {
        "host": "127.0.0.1",
        "port": mailbox.server_address[1],
        "security": "none",
        "sender": "docfleet@example.org",
        "recipients": ["one@example.org", "no@example.org"],
    }
    sent = batch(event(pipeline_name="nightly\r\nBcc: evil@example.org"))
    mail = open_provider("email", settings)
    mail.send(sent, LOOPBACK)
    mail.send(sent, LOOPBACK)
    assert [people for people, _ in mailbox.mails] == [["one@example.org"]] * 2
    first, second = (message_from_bytes(content, policy=policy.default) for _, content in mailbox.mails)
    assert first["Message-ID"] == second["Message-ID"] and first["Bcc"] is None
    assert first["Subject"] == "nightly Bcc: evil@example.org: SUCCESS"
    assert "3/3 files succeeded" in first.get_content()
    nobody = open_provider("email", {**settings, "recipients": ["no@example.org"]})
    with pytest.raises(TargetRejected, match="550"):
        nobody.send(sent, LOOPBACK)
    mailbox.refusal = b"451 later"
    with pytest.raises(TargetUnavailable, match="451"):
        nobody.send(sent, LOOPBACK)


@pytest.mark.parametrize(
    ("provider", "settings", "words"),
    [
        ("webhook", {}, "url"),
        ("webhook", {"url": "http://x y/"}, "url"),
        ("webhook", {"url": "https://x/", "auth_key": "a\nb", "auth_type": "API_KEY"}, "auth_key"),
        ("webhook", {"url": "https://x/", "auth_key": "k", "auth_type": "BASIC"}, "auth_type"),
        ("slack", {"url": "https://x/", "channel": "#a"}, "channel"),
        ("sms", {"account_sid": "../x", "auth_token": "t", "sender": "+12", "recipient": "+23"}, "account_sid"),
        ("email", {"host": "x", "sender": "a@b.c", "recipients": []}, "recipients"),
        ("email", {"host": "x", "sender": "a@b.c\r\nBcc: d@e.f", "recipients": ["a@b.c"]}, "sender"),
        (
            "email",
            {"host": "x", "sender": "a@b.c", "recipients": ["a@b.c"], "username": "u", "password": "p",
             "security": "none"},
            "encryption",
        ),
        ("console", {"colour": "red"}, "colour"),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(provider: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        open_provider(provider, settings)


def test_a_secret_in_the_place_of_another_setting_is_not_told() -> None:
    settings = {"url": "https://x/", "auth_type": "s3cret - at `$.url`", "auth_key": "BEARER"}
    with pytest.raises(ConfigurationError) as refused:
        open_provider("webhook", settings)
    assert refused.value.message == "`auth_type` has to be one of NONE, BEARER, API_KEY, CUSTOM_HEADER"
    assert refused.value.__suppress_context__, "the traceback would tell it"


def test_smtp_needs_the_encryption_that_was_asked_for(mailbox: Mailbox) -> None:
    settings = {"host": "127.0.0.1", "port": mailbox.server_address[1], "sender": "a@b.c", "recipients": ["a@b.c"]}
    with pytest.raises(TargetRejected, match="STARTTLS"):
        open_provider("email", settings).send(batch(), LOOPBACK)
    assert mailbox.mails == [] and issubclass(smtplib.SMTPException, OSError)
