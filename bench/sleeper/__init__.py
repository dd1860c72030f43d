"""A tool for the benchmark of stops."""
