"""Retries and circuit breakers."""
