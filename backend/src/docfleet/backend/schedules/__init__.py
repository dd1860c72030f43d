"""Schedules of pipelines: times, decisions about ticks, and their rows."""
