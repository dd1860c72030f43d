"""Worker type ``callback``: finalizes executions whose batches have ended."""
