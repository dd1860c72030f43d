"""Executions: from a source to batches, and from a file to its destination."""
