"""Files of executions, and the history of files over executions."""
