"""Worker type ``general``: orchestrates ETL and TASK executions."""
