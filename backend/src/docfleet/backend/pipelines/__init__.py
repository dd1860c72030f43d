"""Pipelines: a workflow with a schedule and the status of its last run."""
