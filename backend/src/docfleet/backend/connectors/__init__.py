"""Connector instances: where a workflow reads and writes, credentials sealed."""
