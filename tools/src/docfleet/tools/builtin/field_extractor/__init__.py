"""Fields out of text: declarative templates and plain rules."""
