"""Log lines for the users of an execution."""
