"""How every process of Docfleet writes its log: one line per event, to standard error.

The format is text for a console or one JSON object per line. Secrets are masked (``masking``). Records of libraries go
the same way, so every line has one shape. structlog is imported when logging is set up: processes that log depend on
it, the wire types do not.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

from docfleet.core.masking import mask_line, mask_secrets

OUR_LOGGER = "docfleet"


def configure_logging(
    level: str = "INFO", style: Literal["console", "json"] = "console", *, libraries: str | None = None
) -> None:
    """Route structlog and the standard library's records to standard error.

    ``libraries`` is the level of what is not ours (default: ``level``).
    """
    import structlog

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask_secrets,
    ]
    if style == "json":
        tail: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        # Plain tracebacks: the pretty ones print local variables, keys and credentials among them.
        plain = structlog.dev.plain_traceback
        tail = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail, mask_line],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(libraries or level)
    logging.getLogger(OUR_LOGGER).setLevel(level)
