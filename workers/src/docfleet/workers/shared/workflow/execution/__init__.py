"""Orchestration, batches, attempts at files, leases."""
