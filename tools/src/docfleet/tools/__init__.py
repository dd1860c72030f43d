"""Docfleet's tools: the protocol, the SDK for Python tools, the registry and the built-in tools."""
