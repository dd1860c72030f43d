"""Executions: their life, from created to final."""
