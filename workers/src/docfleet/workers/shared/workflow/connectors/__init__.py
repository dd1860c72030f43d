"""Sources and destinations of an execution."""
