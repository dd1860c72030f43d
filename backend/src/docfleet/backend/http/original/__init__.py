"""Routes that only the original's workers call."""
