"""HTML is read as a person sees it."""

from __future__ import annotations

from tests.unit.tools.builtin.text_extractor.documents import Extract


def test_html_shows_what_a_reader_sees(extract: Extract) -> None:
    content = (
        "<!doctype html><head><meta charset='iso-8859-1'><title>T</title><style>p{}</style></head>"
        "<body><p>Grüße<br>zwei</p><script>hidden()</script><table><tr><td>a</td><td><p>b</p></td></tr></table></body>"
    ).encode("latin-1")
    assert extract(content).split("\n") == ["Grüße", "zwei", "", "a\tb", ""]
