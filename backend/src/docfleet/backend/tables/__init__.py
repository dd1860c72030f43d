"""The tables, one module per domain."""
