"""Arguments of a message, matched with a signature. What does not fit is refused by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from docfleet.core.errors import InvalidInput


def arguments(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The given arguments by the names that ``function`` has for them. Raises ``InvalidInput``."""
    try:
        return dict(inspect.signature(function).bind(*args, **kwargs).arguments)
    except TypeError as misfit:
        raise InvalidInput(f"the message does not fit its task: {misfit}") from None
