"""What Slack and Teams are sent."""

from __future__ import annotations

import json

from docfleet.providers.envelope import readable, slack_text
from docfleet.providers.registry import open_provider
from tests.notification_targets import Sink
from tests.unit.providers.messages import AT, FAILED, LOOPBACK, batch, event


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
