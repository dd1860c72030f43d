"""The state of the running task."""
