"""Header names that several callers' routes share."""

from __future__ import annotations

IDEMPOTENCY_HEADER = "Idempotency-Key"
"""A call that is repeated with the same value begins nothing new."""
