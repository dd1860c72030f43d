"""Mutation proof: for each guard the edit that takes it away, and the test that then has to fail.

Each module is the table of the guards of one part; a new guard is a line in its table.
"""

from __future__ import annotations

from tests.faults.mutations import (
    backend,
    connectors,
    core,
    executions,
    logs,
    notifications,
    quotas,
    runner,
    schedules,
    sweep,
    workers,
)

MUTANTS = (
    *backend.MUTANTS,
    *connectors.MUTANTS,
    *core.MUTANTS,
    *executions.MUTANTS,
    *logs.MUTANTS,
    *notifications.MUTANTS,
    *quotas.MUTANTS,
    *runner.MUTANTS,
    *schedules.MUTANTS,
    *sweep.MUTANTS,
    *workers.MUTANTS,
)
