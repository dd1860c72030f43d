"""Rows as files that analysts read: JSON lines, CSV and Parquet, on any file system connector."""
