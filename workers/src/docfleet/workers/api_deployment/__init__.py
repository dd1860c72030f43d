"""Worker type ``api_deployment``: orchestrates executions whose files arrived with a call."""
