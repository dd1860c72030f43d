"""The limit on open files of this process; sockets are files."""

from __future__ import annotations

import resource

MOST = 65_536
"""What the limit is raised to at most. Some programs close every number up to the limit before they start another
program, and a container may allow a billion."""


def ensure(needed: int, setting: str) -> int:
    """Raise the limit as far as the system and ``MOST`` allow; the limit that holds now.

    Warns when it is below ``needed``: with the remedy, and with the ``setting`` that lowers the need.
    """
    soft, hard = (MOST if limit == resource.RLIM_INFINITY else limit for limit in _limits())
    if soft < min(hard, MOST):
        soft = min(hard, MOST)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, _limits()[1]))
    if soft < needed:
        # Imported here, as in ``logs``: who logs depends on structlog, the wire types do not.
        import structlog

        structlog.get_logger("docfleet.core.descriptors").warning(
            "descriptors.few",
            limit=soft,
            needed=needed,
            remedy=f"raise the limit of open files (ulimit -n, LimitNOFILE=) to {needed}, or lower {setting}",
        )
    return soft


def _limits() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_NOFILE)
