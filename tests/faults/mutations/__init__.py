"""Mutation proof: for each guard the edit that takes it away, and the test that then has to fail.

Each module is the table of the guards of one part; a new guard is a line in its table.
"""

from __future__ import annotations

from tests.faults.mutations import (
    backend,
    connectors,
    core,
    evidence,
    executions,
    fairness,
    fields,
    keys,
    logs,
    messages,
    notifications,
    presence,
    quotas,
    remote,
    runner,
    schedules,
    serving,
    sweep,
    tools,
    waiting,
    workers,
)

MUTANTS = (
    *backend.MUTANTS,
    *connectors.MUTANTS,
    *core.MUTANTS,
    *evidence.MUTANTS,
    *executions.MUTANTS,
    *fairness.MUTANTS,
    *fields.MUTANTS,
    *keys.MUTANTS,
    *logs.MUTANTS,
    *messages.MUTANTS,
    *notifications.MUTANTS,
    *presence.MUTANTS,
    *quotas.MUTANTS,
    *remote.MUTANTS,
    *runner.MUTANTS,
    *schedules.MUTANTS,
    *serving.MUTANTS,
    *sweep.MUTANTS,
    *waiting.MUTANTS,
    *tools.MUTANTS,
    *workers.MUTANTS,
)
