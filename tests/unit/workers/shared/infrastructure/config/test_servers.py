"""A URL that Celery takes is read as redis-py reads it."""

from __future__ import annotations

import pytest

from docfleet.workers.shared.infrastructure.config.servers import plain_redis_url


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("redis://u:p@host:6379/1", "redis://u:p@host:6379/1"),
        ("redis+socket:///run/valkey.sock?virtual_host=1", "unix:///run/valkey.sock?db=1"),
        ("rediss://host:6379/0?ssl_cert_reqs=CERT_NONE", "rediss://host:6379/0?ssl_cert_reqs=none"),
        ("sentinel://host:26379", None),
        ("db+postgresql://host/results", None),
    ],
)
def test_a_url_of_celery_is_read_as_redis_reads_it(url: str, plain: str | None) -> None:
    assert plain_redis_url(url) == plain
