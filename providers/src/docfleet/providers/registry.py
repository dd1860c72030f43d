"""The providers that are installed, found through the entry points of ``docfleet.notifications``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from docfleet.core.errors import ConfigurationError
from docfleet.providers.base import Provider

GROUP = "docfleet.notifications"


@cache
def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def provider_names() -> tuple[str, ...]:
    """The names of the installed providers; imports none of them."""
    return tuple(sorted(_installed()))


def provider_class(name: str) -> type[Provider]:
    """The class of a provider. Raises ``ConfigurationError`` listing the installed ones."""
    point = _installed().get(name)
    if point is None:
        raise ConfigurationError(f"unknown provider {name!r:.60}; installed are {', '.join(provider_names())}")
    return cast("type[Provider]", point.load())


def open_provider(name: str, settings: Mapping[str, Any]) -> Provider:
    """A provider with these settings; nothing is contacted. Raises ``ConfigurationError``."""
    return provider_class(name)(settings)
