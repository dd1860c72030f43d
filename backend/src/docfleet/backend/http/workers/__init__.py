"""Routes that the workers call."""
