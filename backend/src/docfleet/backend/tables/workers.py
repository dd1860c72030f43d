"""Table of workers: the presence of each start of a worker."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, String, Table

from docfleet.backend.platform.db import Json, metadata

workers = Table(
    "workers",
    metadata,
    Column("node", String(300), primary_key=True, comment="owners of its leases begin with it"),
    Column("type", String(20), nullable=False),
    Column("queues", Json, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("state", String(20), nullable=False, comment="as announced"),
    Column("place", String(200), nullable=False, comment="workers of one place see each other's processes"),
    Column("pid", BigInteger, nullable=False),
    Column("started", BigInteger, nullable=False, comment="clock ticks since the boot"),
    Column("first_seen_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("silent_seconds", Float, nullable=False, comment="so long without a beat means dead"),
    Column("alive_until", Float, nullable=False, comment="dead beyond, unless a beat comes"),
    Column("ended", Boolean, nullable=False, comment="its process was seen to have ended"),
    Column("freed_at", Float, nullable=True, comment="it is dead, and its leases are freed"),
)
