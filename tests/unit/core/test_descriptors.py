"""The limit on open files: raised as far as the system allows, and a warning where that is too little."""

from __future__ import annotations

import resource

import pytest
from structlog.testing import capture_logs

from docfleet.core import descriptors

UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("limits", "raised"),
    [
        ((256, 4096), 4096),
        ((4096, 4096), None),
        ((1024, 1_073_741_816), descriptors.MOST),
        ((1024, UNLIMITED), descriptors.MOST),
        ((UNLIMITED, UNLIMITED), None),
        ((200_000, 1_000_000), None),
    ],
)
def test_the_soft_limit_is_raised(monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], raised: int | None) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: set_to.append(new))
    expected = raised or (descriptors.MOST if limits[0] == UNLIMITED else limits[0])
    assert descriptors.ensure(100, "X") == expected
    assert set_to == ([] if raised is None else [(raised, limits[1])])


def test_too_few_are_a_warning_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 100))
    with capture_logs() as logs:
        assert descriptors.ensure(100, "RUNNER_MAX_CONNECTIONS") == 100
        assert logs == []
        assert descriptors.ensure(101, "RUNNER_MAX_CONNECTIONS") == 100
    (line,) = logs
    assert (line["event"], line["limit"], line["needed"], line["log_level"]) == ("descriptors.few", 100, 101, "warning")
    assert "ulimit" in line["remedy"] and "RUNNER_MAX_CONNECTIONS" in line["remedy"]
