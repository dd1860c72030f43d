"""The logs of executions: written, read, followed live, archived."""
