"""The docfleet command."""
