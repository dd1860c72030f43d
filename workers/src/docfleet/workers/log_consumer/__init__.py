"""Worker type ``log_consumer``: writes the log lines of executions."""
